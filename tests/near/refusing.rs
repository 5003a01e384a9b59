//! A master that can't reach its replicas, and so may have been replaced without knowing: it refuses
//! to write, and what it answers to reads is not believed either.

use std::sync::Arc;

use cloakroom::redis::{FredDriver, RedisDriver};
use cloakroom_core::{Freshness, Loaded, SessionStore};
use cloakroom_near::{Limits, NearStore};
use cloakroom_redis::Driver;
use cloakroom_testkit::conformance::draft::anonymous;
use cloakroom_testkit::{RedisServer, eventually};

use super::world::LIMIT;

async fn reads_fail_while_writes_are_refused(driver: impl Driver) {
    let server = RedisServer::start().await;
    let store = cloakroom::redis::store_with(driver, server.url());
    let store = Arc::new(store.connect().await.unwrap());
    let near = NearStore::new(store.clone(), Limits::default());
    let new = anonymous(store.buckets().get(9).unwrap());
    store.create(&new).await.unwrap();
    let read = || near.load(new.at, Freshness::NOW);
    for (replicas, served) in [("0", true), ("1", false), ("0", true)] {
        let set = ["CONFIG", "SET", "min-replicas-to-write", replicas];
        server.command(&set).await;
        let seen = || async {
            match read().await {
                Ok(loaded) => served && matches!(loaded, Loaded::Found { .. }),
                Err(error) => !served && error.is_unavailable(),
            }
        };
        assert!(eventually(LIMIT, seen).await, "{replicas} replicas wanted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis() {
    reads_fail_while_writes_are_refused(RedisDriver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fred() {
    reads_fail_while_writes_are_refused(FredDriver).await;
}
