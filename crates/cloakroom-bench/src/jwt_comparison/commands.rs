//! What is sent to Redis, as `MONITOR` sees it.

use crate::{Table, WAYS, Way, ask};
use cloakroom_testkit::RedisServer;
use jwt_shop::{Answer, Deployment, Failure};
use std::collections::BTreeMap;

/// How often each thing is done; what is told is for one.
const TIMES: usize = 20;

pub(crate) async fn measure(
    server: &RedisServer,
    deployment: &Deployment,
    table: &mut Table,
) -> Result<(), Failure> {
    let mut rows: [Vec<String>; 5] = Default::default();
    for way in WAYS {
        for (row, cell) in rows.iter_mut().zip(of(way, server, deployment).await?) {
            row.push(cell);
        }
    }
    let what = [
        "login",
        "first read on an instance",
        "further read",
        "refresh",
        "logout",
    ];
    for (what, row) in what.into_iter().zip(rows) {
        let cells = [row[0].clone(), row[1].clone()];
        table.row(&format!("Redis commands: {what}"), cells);
    }
    Ok(())
}

async fn of(
    way: Way,
    server: &RedisServer,
    deployment: &Deployment,
) -> Result<[String; 5], Failure> {
    let ports = way.ports(deployment);
    let [here, there] = [ports[0], ports[1]];
    let mut latest = Answer::default();
    let log_in = counted(server, async || {
        for _ in 0..TIMES {
            latest = ask(here, "POST", "/login", "").await?;
        }
        Ok(())
    })
    .await?;
    let first = once(server, async || read(way, &latest, there).await).await?;
    let further = counted(server, async || {
        for _ in 0..TIMES {
            read(way, &latest, there).await?;
        }
        Ok(())
    })
    .await?;
    let refresh = match way {
        Way::Sessions => "none; at most one EVALSHA a minute".to_owned(),
        Way::Tokens => {
            counted(server, async || {
                for _ in 0..TIMES {
                    latest = ask(there, "POST", "/refresh", &latest.cookie()).await?;
                }
                Ok(())
            })
            .await?
        }
    };
    let log_out = once(server, async || {
        ask(here, "POST", "/logout", &latest.cookie())
            .await
            .map(drop)
    })
    .await?;
    Ok([log_in, first, further, refresh, log_out])
}

async fn read(way: Way, login: &Answer, port: u16) -> Result<(), Failure> {
    let status = ask(port, "GET", "/me", &way.header(login)).await?.status;
    if status == 200 {
        Ok(())
    } else {
        Err(format!("a read was answered {status}").into())
    }
}

async fn once(
    server: &RedisServer,
    work: impl AsyncFnOnce() -> Result<(), Failure>,
) -> Result<String, Failure> {
    sent(server, work, 1).await
}

async fn counted(
    server: &RedisServer,
    work: impl AsyncFnOnce() -> Result<(), Failure>,
) -> Result<String, Failure> {
    sent(server, work, TIMES).await
}

/// The commands that the work sends, each so many times. Left out is what scripts call, and what
/// renewals send, which go on whatever is asked.
async fn sent(
    server: &RedisServer,
    work: impl AsyncFnOnce() -> Result<(), Failure>,
    times: usize,
) -> Result<String, Failure> {
    let monitor = server.monitor().await;
    work().await?;
    let seen = String::from_utf8(monitor.finish().await)?;
    let mut counts = BTreeMap::<String, usize>::new();
    for line in seen
        .lines()
        .filter(|line| !line.contains(" lua] ") && !is_renewal(line))
    {
        let name = line.split('"').nth(1).unwrap_or_default();
        *counts.entry(name.to_uppercase()).or_default() += 1;
    }
    let told = counts.iter().map(|(name, count)| match count % times {
        0 if *count == times => name.clone(),
        _ => format!("{:.2} {name}", *count as f64 / times as f64),
    });
    let told = told.collect::<Vec<_>>().join(", ");
    Ok(if told.is_empty() {
        "none".to_owned()
    } else {
        told
    })
}

fn is_renewal(line: &str) -> bool {
    line.contains(":seq\"") || line.to_uppercase().contains("\"ECHO\"")
}
