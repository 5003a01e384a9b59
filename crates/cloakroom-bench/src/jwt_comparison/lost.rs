//! What is lost when Redis loses its last writes.

use crate::{Table, WAYS, Way, ask};
use cloakroom_testkit::RedisServer;
use jwt_shop::{Answer, Deployment, Failure};
use std::time::{Duration, Instant};
use tokio::time::sleep;

const LIMIT: Duration = Duration::from_secs(5);

/// What instances answer after the loss: one that had heard all, and one that started since.
#[derive(Default)]
struct Seen {
    /// Somebody who logged in in the lost second.
    logged_in: [u16; 2],
    /// Somebody who logged out in it.
    logged_out: [u16; 2],
    /// Their refresh tokens.
    refreshed: [u16; 2],
}

pub(crate) async fn measure(table: &mut Table) -> Result<(), Failure> {
    let alive = lose(true).await?;
    let dead = lose(false).await?;
    let told = |pick: fn(&Seen) -> [u16; 2], seen: &[Seen; 2]| {
        seen.each_ref().map(|seen| {
            let [heard, fresh] = pick(seen);
            format!("{heard}, {fresh}")
        })
    };
    let what =
        |what| format!("Redis lost its last second, then {what}, where it was heard, and fresh");
    table.row(&what("who logged in in it"), told(|s| s.logged_in, &dead));
    let by = "who logged out in it, by an instance that lives";
    table.row(&what(by), told(|s| s.logged_out, &alive));
    let by = "who logged out in it, by an instance that died";
    table.row(&what(by), told(|s| s.logged_out, &dead));
    let [login, logout] = dead[1].refreshed;
    let refresh = [String::from("–"), format!("{login}, {logout}")];
    table.row(
        "then the refresh tokens of that login, and of that logout",
        refresh,
    );
    Ok(())
}

/// Logs in and out after the last snapshot, and kills the server.
async fn lose(ender_lives: bool) -> Result<[Seen; 2], Failure> {
    let server = RedisServer::start().await;
    let url = server.url();
    let ender = Deployment::start(&url, 2, 0).await?;
    let rings = ender.rings.clone();
    let heard = Deployment::start_with(rings.clone(), &url, 2, 0).await?;
    sleep(Duration::from_secs(1)).await;
    let before = log_in(&ender, &heard).await?;
    server.dump().await;
    let after = log_in(&ender, &heard).await?;
    for (way, login) in WAYS.into_iter().zip(&before) {
        ask(way.ports(&ender)[0], "POST", "/logout", &login.cookie()).await?;
        let port = way.ports(&heard)[0];
        until(401, port, &way.header(login)).await?;
    }
    let ender = ender_lives.then_some(ender);
    sleep(Duration::from_millis(300)).await;
    server.kill();
    server.restart().await;
    // Until all are connected, and have said again what they ended.
    sleep(Duration::from_millis(2_500)).await;
    let fresh = Deployment::start_with(rings, &url, 2, 0).await?;
    sleep(Duration::from_secs(1)).await;
    let mut all = [Seen::default(), Seen::default()];
    for (at, way) in WAYS.into_iter().enumerate() {
        for (n, deployment) in [&heard, &fresh].into_iter().enumerate() {
            let port = way.ports(deployment)[0];
            let read = async |login| ask(port, "GET", "/me", &way.header(login)).await;
            all[at].logged_in[n] = read(&after[at]).await?.status;
            all[at].logged_out[n] = read(&before[at]).await?.status;
        }
        if way == Way::Tokens {
            for (n, login) in [&after[at], &before[at]].into_iter().enumerate() {
                let port = way.ports(&fresh)[0];
                let answer = ask(port, "POST", "/refresh", &login.cookie()).await?;
                all[at].refreshed[n] = answer.status;
            }
        }
    }
    drop(ender);
    Ok(all)
}

/// Logs in both ways, and lets the others see it.
async fn log_in(ender: &Deployment, heard: &Deployment) -> Result<Vec<Answer>, Failure> {
    let mut logins = Vec::new();
    for way in WAYS {
        let login = ask(way.ports(ender)[0], "POST", "/login", "").await?;
        let port = way.ports(heard)[0];
        until(200, port, &way.header(&login)).await?;
        logins.push(login);
    }
    Ok(logins)
}

async fn until(wanted: u16, port: u16, header: &str) -> Result<(), Failure> {
    let begun = Instant::now();
    while ask(port, "GET", "/me", header).await?.status != wanted {
        if begun.elapsed() > LIMIT {
            return Err(format!("never answered {wanted}").into());
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
