//! A server that is emptied under everybody: no copy of what was there is used beyond the bound.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloakroom::redis::{FredDriver, RedisDriver};
use cloakroom_core::{Freshness, Loaded, SessionStore};
use cloakroom_near::{Limits, NearStore};
use cloakroom_redis::Driver;
use cloakroom_testkit::RedisServer;
use cloakroom_testkit::conformance::draft::anonymous;

const WITHIN: Freshness = Freshness {
    within: time::Duration::SECOND,
    ..Freshness::NOW
};

/// Nothing was ever written after it was made, so nothing was ever announced in its bucket.
async fn what_was_there_is_gone_within_the_bound(driver: impl Driver) {
    let server = RedisServer::start().await;
    let store = cloakroom::redis::store_with(driver, server.url());
    let store = Arc::new(store.connect().await.unwrap());
    let near = NearStore::new(store.clone(), Limits::default());
    let new = anonymous(store.buckets().get(9).unwrap());
    store.create(&new).await.unwrap();
    let begun = Instant::now();
    // Long enough that the copy lives by what the channel proves, and not by its own youth.
    while begun.elapsed() < Duration::from_secs(2) {
        let loaded = near.load(new.at, WITHIN).await.unwrap();
        assert!(matches!(loaded, Loaded::Found { .. }));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.command(&["FLUSHALL"]).await;
    let emptied = Instant::now();
    loop {
        let asked = emptied.elapsed();
        let Ok(Loaded::Found { .. }) = near.load(new.at, WITHIN).await else {
            break;
        };
        assert!(asked < Duration::from_secs(1), "it is shown for too long");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis() {
    what_was_there_is_gone_within_the_bound(RedisDriver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fred() {
    what_was_there_is_gone_within_the_bound(FredDriver).await;
}
