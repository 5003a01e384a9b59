//! An authenticated read over HTTP.

use crate::{Table, WAYS, Way, ask, median, quantile};
use jwt_shop::{Client, Deployment, Failure, request};
use std::time::{Duration, Instant};

const ROUNDS: usize = 9;
/// To each instance.
const CONNECTIONS: usize = 2;
/// Of each connection in a round.
const READS: usize = 1_000;

/// What the rounds of one way showed, each.
#[derive(Default)]
struct Seen {
    p50: Vec<Duration>,
    p99: Vec<Duration>,
    per_second: Vec<f64>,
}

pub(crate) async fn measure(deployment: &Deployment, table: &mut Table) -> Result<(), Failure> {
    let mut headers = Vec::new();
    for way in WAYS {
        let login = ask(way.ports(deployment)[0], "POST", "/login", "").await?;
        headers.push(way.header(&login));
        // Copies, and whatever else the first ones need.
        round(deployment, way, &headers[headers.len() - 1]).await?;
    }
    let mut seen = [Seen::default(), Seen::default()];
    for n in 0..ROUNDS {
        for m in 0..2 {
            // Neither is always the first.
            let at = (n + m) % 2;
            let (mut all, passed) = round(deployment, WAYS[at], &headers[at]).await?;
            seen[at].p50.push(median(&mut all));
            seen[at].p99.push(quantile(&mut all, 0.99));
            seen[at]
                .per_second
                .push(all.len() as f64 / passed.as_secs_f64());
        }
    }
    let micros = |values: &mut [Duration]| format!("{} µs", median(values).as_micros());
    table.row(
        "a read over HTTP, p50",
        seen.each_mut().map(|s| micros(&mut s.p50)),
    );
    table.row(
        "a read over HTTP, p99",
        seen.each_mut().map(|s| micros(&mut s.p99)),
    );
    let rate = |s: &mut Seen| format!("{:.0}", median(&mut s.per_second));
    table.row("reads per second", seen.each_mut().map(rate));
    let bytes = |at: usize| format!("{}", headers[at].len() + "\r\n".len());
    table.row("bytes of the credential per request", [bytes(0), bytes(1)]);
    Ok(())
}

/// All connections at once; how long each read took, and all of them together.
async fn round(
    deployment: &Deployment,
    way: Way,
    header: &str,
) -> Result<(Vec<Duration>, Duration), Failure> {
    let read = request("GET", "/me", header, "");
    let mut clients = Vec::new();
    for port in way.ports(deployment) {
        for _ in 0..CONNECTIONS {
            clients.push(Client::connect(port).await?);
        }
    }
    let begun = Instant::now();
    let reading = clients
        .into_iter()
        .map(|client| tokio::spawn(read_all(client, read.clone())));
    let mut all = Vec::new();
    for task in reading.collect::<Vec<_>>() {
        all.extend(task.await??);
    }
    Ok((all, begun.elapsed()))
}

async fn read_all(mut client: Client, read: String) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::with_capacity(READS);
    for _ in 0..READS {
        let asked = Instant::now();
        let status = client.send(&read).await?.status;
        times.push(asked.elapsed());
        if status != 200 {
            return Err(format!("a read was answered {status}").into());
        }
    }
    Ok(times)
}
