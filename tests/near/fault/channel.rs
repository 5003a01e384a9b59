//! A server that treats its subscribers badly, and others who use the channel.

use std::time::Duration;

use cloakroom_core::{Bucket, SessionStore};
use cloakroom_testkit::conformance::draft;
use cloakroom_testkit::{Direction, RedisServer};
use tokio::time::{Instant, sleep, timeout};

use super::{Fault, Strike};
use crate::near::deployment::ask;
use crate::near::network::Kind;
use crate::near::random::Random;
use crate::near::world::World;

/// What a subscriber may have waiting before it is thrown out.
const BUFFER: usize = 256 * 1024;

pub(super) async fn strike(world: &World, mut strike: Strike) {
    if strike.fault == Fault::Overflow {
        return overflow(world, &strike).await;
    }
    let until = Instant::now() + strike.lasts;
    while Instant::now() < until {
        once(world, &mut strike).await;
        sleep(strike.random.milliseconds(20, 250)).await;
    }
}

async fn once(world: &World, strike: &mut Strike) {
    match strike.fault {
        Fault::KillSubscribers => {
            for master in world.deployment.masters().await {
                master.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
            }
        }
        Fault::Unsubscribe => {
            for target in &strike.targets {
                let forget = world.instances[*target].network.unsubscribe();
                // A connection that has ended meanwhile may not answer.
                let _ = timeout(Duration::from_millis(500), forget).await;
            }
        }
        Fault::Garbage => publish_garbage(world, &mut strike.random).await,
        _ => recount(world, &mut strike.random).await,
    }
}

fn key(world: &World, bucket: Bucket, name: &str) -> String {
    let buckets = world.instances[0].store.buckets();
    format!("cr1:{{{}}}:{name}", buckets.tag(bucket))
}

/// What others may say on the channel: nonsense, a later version's words, or ours at the wrong
/// time.
async fn publish_garbage(world: &World, random: &mut Random) {
    let bucket = world.any_bucket(random);
    let digest = draft::digest(bucket).to_hex();
    let message = match random.below(7) {
        0 => String::new(),
        1 => "\u{0}\u{1}garbage".to_owned(),
        2 => format!("2 17 {digest} 4 and more"),
        3 => "1 1 *".to_owned(),
        4 => format!("1 {} {digest} -", random.below(50)),
        5 => format!("1 {} {digest} 7", u64::MAX),
        _ => format!("1 {} {digest} {}", 1000 + random.below(1000), u64::MAX),
    };
    let channel = key(world, bucket, "bus");
    let publish = [world.deployment.publish(), &channel, &message];
    let master = world.deployment.master_of(bucket).await;
    master.command(&publish).await;
}

async fn recount(world: &World, random: &mut Random) {
    let bucket = world.any_bucket(random);
    let key = key(world, bucket, "seq");
    let server = world.deployment.master_of(bucket).await;
    let count: Option<u64> = ask(server, &["GET", &key]).await;
    let count = count.unwrap_or_default();
    match random.below(4) {
        0 => drop(server.try_command(&["DEL", &key]).await),
        1 => set(server, &key, count.saturating_sub(3)).await,
        2 => set(server, &key, count + 1).await,
        _ => set(server, &key, count + 1000).await,
    }
}

/// In a storm the server may be no master at the moment, and refuse.
async fn set(server: &RedisServer, key: &str, count: u64) {
    let set = ["SET", key, &count.to_string()];
    let _ = server.try_command(&set).await;
}

/// Floods the channel while some subscribers don't read, until the server throws them out.
async fn overflow(world: &World, strike: &Strike) {
    let bucket = world.instances[0].store.buckets().get(0);
    let bucket = bucket.expect("there is a bucket");
    let server = world.deployment.master_of(bucket).await;
    limit_output(server, &format!("pubsub {BUFFER} 0 0")).await;
    let networks = strike.targets.iter().map(|t| &world.instances[*t].network);
    let links: Vec<_> = networks.flat_map(|n| n.links(&[Kind::Messages])).collect();
    links.iter().for_each(|l| l.stall(Direction::ToClient));
    let (until, flood) = (Instant::now() + strike.lasts, "x".repeat(BUFFER / 2));
    let channel = key(world, bucket, "bus");
    let publish = [world.deployment.publish(), &channel, &flood];
    let before: u64 = ask(server, &publish).await;
    while Instant::now() < until && ask::<u64>(server, &publish).await >= before {
        sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep_until(until).await;
    links.iter().for_each(|link| link.heal());
    limit_output(server, "pubsub 33554432 8388608 60").await;
}

async fn limit_output(server: &RedisServer, limit: &str) {
    let name = "client-output-buffer-limit";
    server.command(&["CONFIG", "SET", name, limit]).await;
}
