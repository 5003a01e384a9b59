//! What sessions and tokens cost, measured side by side in one run.
//!
//! `cargo run --release -p cloakroom-bench --bin jwt-comparison` starts a `redis-server` of its own and
//! four instances of the shop of `examples/jwt` each way, and prints one table. Both ways take turns in
//! every round, and what is told is the median of rounds: a machine that does other things is slower at
//! one time than at another. The clients and the instances share the machine.

mod commands;
mod cpu;
mod lost;
mod memory;
mod reads;
mod revocations;
mod table;

use cloakroom_testkit::RedisServer;
use jwt_shop::{Answer, Client, Deployment, Failure, request};
use std::time::{Duration, Instant};
use table::Table;

/// How many instances there are of each.
const INSTANCES: u16 = 4;

/// Both ways, in the order of the table's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Sessions,
    Tokens,
}

const WAYS: [Way; 2] = [Way::Sessions, Way::Tokens];

impl Way {
    /// The ports of its instances.
    fn ports(self, deployment: &Deployment) -> Vec<u16> {
        let all = match self {
            Self::Sessions => &deployment.sessions,
            Self::Tokens => &deployment.tokens,
        };
        all.iter().map(|instance| instance.port).collect()
    }

    /// The header by which a login is shown with each request.
    fn header(self, login: &Answer) -> String {
        match self {
            Self::Sessions => login.cookie(),
            Self::Tokens => login.authorization(),
        }
    }
}

/// Asks one instance once.
async fn ask(port: u16, method: &str, path: &str, header: &str) -> Result<Answer, Failure> {
    let body = if path == "/login" { "user=alice" } else { "" };
    let mut client = Client::connect(port).await?;
    client.send(&request(method, path, header, body)).await
}

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run())
}

async fn run() -> Result<(), Failure> {
    let begun = Instant::now();
    let server = RedisServer::start().await;
    let deployment = Deployment::start(&server.url(), INSTANCES, 0).await?;
    let mut table = Table::new();
    // Until all channels are proven.
    tokio::time::sleep(Duration::from_secs(1)).await;
    reads::measure(&deployment, &mut table).await?;
    cpu::measure(&server.url(), &mut table).await?;
    commands::measure(&server, &deployment, &mut table).await?;
    revocations::measure(&deployment, &mut table).await?;
    drop(deployment);
    memory::measure(&server, &mut table).await?;
    lost::measure(&mut table).await?;
    table.cannot();
    table.print();
    println!("\nmeasured in {:.0?}", begun.elapsed());
    Ok(())
}

/// The value that so large a part of them doesn't exceed.
fn quantile<T: PartialOrd + Copy>(values: &mut [T], part: f64) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values[((values.len() - 1) as f64 * part) as usize]
}

fn median<T: PartialOrd + Copy>(values: &mut [T]) -> T {
    quantile(values, 0.5)
}
