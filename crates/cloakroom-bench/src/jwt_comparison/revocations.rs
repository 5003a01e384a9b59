//! How soon all instances refuse.

use crate::{Table, WAYS, Way, ask, median, quantile};
use jwt_shop::{Client, Deployment, Failure, request};
use std::time::{Duration, Instant};

const ROUNDS: usize = 100;
/// Longer than the bound.
const LIMIT: Duration = Duration::from_secs(5);

pub(crate) async fn measure(deployment: &Deployment, table: &mut Table) -> Result<(), Failure> {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (at, way) in WAYS.into_iter().enumerate() {
            times[at].push(once(deployment, way).await?);
        }
    }
    let told = times.each_mut().map(|times| {
        let (median, max) = (median(times), quantile(times, 1.0));
        format!("{median:.1?}, {max:.1?}")
    });
    table.row(
        "after a logout, all 4 instances refuse: median, longest",
        told,
    );
    Ok(())
}

/// How long after a logout's answer the last instance answers 401, the question included.
async fn once(deployment: &Deployment, way: Way) -> Result<Duration, Failure> {
    let ports = way.ports(deployment);
    let login = ask(ports[0], "POST", "/login", "").await?;
    let read = request("GET", "/me", &way.header(&login), "");
    let mut clients = Vec::new();
    for port in &ports {
        let mut client = Client::connect(*port).await?;
        let status = client.send(&read).await?.status;
        if status != 200 {
            return Err(format!("a read was answered {status}").into());
        }
        clients.push(client);
    }
    ask(ports[0], "POST", "/logout", &login.cookie()).await?;
    let returned = Instant::now();
    let until_refused = |mut client: Client| {
        let read = read.clone();
        tokio::spawn(async move {
            while client.send(&read).await?.status != 401 {
                if returned.elapsed() > LIMIT {
                    return Err("it is never refused".into());
                }
            }
            Ok::<_, Failure>(returned.elapsed())
        })
    };
    let mut last = Duration::ZERO;
    for refused in clients.into_iter().map(until_refused).collect::<Vec<_>>() {
        last = last.max(refused.await??);
    }
    Ok(last)
}
