//! A rolling restart: three nodes, one after the other, under load; nobody notices.
//!
//! It takes 15 seconds, or as many as `CLOAKROOM_ROLLING_SECONDS` says.

mod customer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloakroom_testkit::{RedisServer, free_port};
use tokio::task::JoinSet;

use crate::fleet::support::{Node, NodeSpec, Rotation};
use customer::{Customer, Tally};

/// How many sessions there are.
const CUSTOMERS: usize = 60;

/// What passes between two requests of one customer.
const PACE: Duration = Duration::from_millis(500);

/// How long a restarted node serves before the next goes.
const REST: Duration = Duration::from_secs(1);

fn seconds() -> Duration {
    let seconds = std::env::var("CLOAKROOM_ROLLING_SECONDS");
    let seconds = seconds.ok().map(|text| text.parse().unwrap());
    Duration::from_secs(seconds.unwrap_or(15))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_no_session_and_no_request() {
    let redis = RedisServer::start().await;
    let versions = ["v1", "v2", "v1"];
    let specs = versions.map(|version| NodeSpec {
        port: free_port(),
        ..NodeSpec::new(version, &redis.url())
    });
    let mut nodes = Vec::new();
    for spec in &specs {
        nodes.push(spec.start().await);
    }
    let rotation = Rotation::over(nodes.iter().map(|node| node.url.clone()));
    for index in 0..nodes.len() {
        rotation.joined(index).await;
    }
    let until = Instant::now() + seconds();
    let load = start(&rotation, until);
    let restarts = restart_in_turn(&specs, &mut nodes, &rotation, until).await;
    let tally: Tally = load.join_all().await.into_iter().sum();
    println!("{restarts} restarts in {:?}: {tally}", seconds());
    assert!(restarts >= 3);
    assert_eq!(tally.failures, [""; 0]);
    let expected = (seconds() * u32::try_from(CUSTOMERS).unwrap()).as_secs() * 2;
    assert!(
        tally.answers >= expected / 2,
        "the load was no load: {tally}"
    );
}

/// Lets all customers in, evenly spread over the first pace.
fn start(rotation: &Arc<Rotation>, until: Instant) -> JoinSet<Tally> {
    let mut load = JoinSet::new();
    for number in 0..CUSTOMERS {
        let late = PACE.mul_f64(number as f64 / CUSTOMERS as f64);
        let customer = Customer::new(number, rotation.clone());
        load.spawn(async move {
            tokio::time::sleep(late).await;
            customer.shop(PACE, until).await
        });
    }
    load
}

/// Restarts one node after the other, each once at least, and as often as there is time.
async fn restart_in_turn(
    specs: &[NodeSpec],
    nodes: &mut [Node],
    rotation: &Rotation,
    until: Instant,
) -> usize {
    let mut restarts = 0;
    while restarts < specs.len() || Instant::now() + REST < until {
        tokio::time::sleep(REST).await;
        let index = restarts % specs.len();
        let ended = nodes[index].process.terminate().await;
        assert!(ended.success(), "{}", nodes[index].process.output());
        nodes[index] = specs[index].start().await;
        rotation.joined(index).await;
        restarts += 1;
    }
    restarts
}
