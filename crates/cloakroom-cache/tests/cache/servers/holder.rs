//! A load whose holder dies, or stands still.

use super::{
    fleet::{Fleet, Job},
    instance::{By, LIMIT, connected, settings, store, until},
};
use cloakroom_cache::Cache;
use cloakroom_testkit::{Process, RedisServer};
use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

/// Beyond the lease: to be scheduled, on a machine with much to do.
const SLACK: Duration = Duration::from_millis(700);

async fn load() -> Result<String, Infallible> {
    Ok("successor".to_owned())
}

/// A process that loads, and another instance that waits for it.
async fn held(
    server: &RedisServer,
    lease: Duration,
    takes: Duration,
) -> (
    Process,
    Cache<String, String>,
    tokio::task::JoinHandle<String>,
) {
    let fleet = Fleet::new(server.url());
    let holder = fleet.worker(Job::Hold { lease, takes }).await;
    let store = connected(store(By::Redis, &server.url())).await;
    let cache = settings(&store).lease(lease.try_into().unwrap());
    let cache = cache.build().unwrap();
    fleet.go();
    holder.wait_for_line(|line| line == "loading", LIMIT).await;
    let reader = cache.clone();
    let waits = async move { reader.get_or_load("k", load).await.unwrap().to_string() };
    let waits = tokio::spawn(waits);
    until("it waits", || cache.stats().waited > 0).await;
    (holder, cache, waits)
}

async fn takes_over_within(lease: Duration) {
    let server = RedisServer::start().await;
    let (holder, cache, waits) = held(&server, lease, LIMIT).await;
    holder.kill();
    let killed = Instant::now();
    assert_eq!(waits.await.unwrap(), "successor");
    let took = killed.elapsed();
    println!("lease {lease:?}: taken over {took:?} after the holder was killed");
    assert!(took < lease + SLACK, "{took:?}");
    assert_eq!(cache.stats().takeovers, 1);
    assert_eq!(cache.stats().loads, 1);
    assert_eq!(cache.get("k").await.unwrap().unwrap().as_str(), "successor");
}

#[tokio::test]
async fn a_killed_holder_is_taken_over_within_the_default_lease() {
    takes_over_within(Duration::from_secs(3)).await;
}

#[tokio::test]
async fn a_killed_holder_is_taken_over_within_a_short_lease() {
    takes_over_within(Duration::from_millis(300)).await;
}

#[tokio::test]
async fn a_living_holder_is_waited_for_beyond_its_lease() {
    let server = RedisServer::start().await;
    let takes = Duration::from_millis(1500);
    let (holder, cache, waits) = held(&server, Duration::from_millis(500), takes).await;
    assert_eq!(waits.await.unwrap(), "holder");
    assert_eq!((cache.stats().loads, cache.stats().takeovers), (0, 0));
    assert!(holder.wait(LIMIT).await.success());
}

#[tokio::test]
async fn what_a_stopped_holder_puts_late_is_refused() {
    let server = RedisServer::start().await;
    let (lease, takes) = (Duration::from_millis(300), Duration::from_millis(500));
    let (holder, cache, waits) = held(&server, lease, takes).await;
    holder.pause();
    assert_eq!(waits.await.unwrap(), "successor");
    assert_eq!(cache.stats().takeovers, 1);
    holder.resume();
    let said = holder.wait_for_line(|line| line.starts_with("loaded"), LIMIT);
    assert_eq!(said.await, "loaded holder refused 1 near 0");
    let fresh = super::instance::instance(&server.url()).await;
    assert_eq!(fresh.get("k").await.unwrap().unwrap().as_str(), "successor");
}
