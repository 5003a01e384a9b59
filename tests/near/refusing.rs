//! A master that can't reach its replicas, and so may have been replaced without knowing: it refuses
//! to write. What it answers to reads is not believed either, nor that there is nothing to end.

use std::sync::Arc;

use cloakroom::redis::{FredDriver, RedisDriver};
use cloakroom_core::{Change, Freshness, Loaded, SessionStore, Which};
use cloakroom_near::{Limits, NearStore};
use cloakroom_redis::Driver;
use cloakroom_testkit::conformance::draft::{CAP, anonymous, digest};
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

/// Another server may have made what this one has never heard of.
async fn it_does_not_say_that_there_is_nothing(driver: impl Driver) {
    let server = RedisServer::start().await;
    let store = cloakroom::redis::store_with(driver, server.url());
    let store = store.connect().await.unwrap();
    let (unheard, user) = (
        anonymous(store.buckets().get(9).unwrap()).at,
        store.user("alice").unwrap(),
    );
    store.end(unheard).await.unwrap();
    let set = ["CONFIG", "SET", "min-replicas-to-write", "1"];
    server.command(&set).await;
    let mut change = Change::default();
    change.write("a", Some("1".into()));
    let refused = [
        store.end(unheard).await.map(drop),
        store.commit(unheard, &change, CAP).await.map(drop),
        store
            .rotate(unheard, digest(unheard.bucket))
            .await
            .map(drop),
        store.retire(unheard, 1).await.map(drop),
        store.revoke(&user, Which::All).await.map(drop),
        store.list(&user).await.map(drop),
    ];
    for refused in refused {
        assert!(refused.unwrap_err().is_unavailable());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_found_absent_redis() {
    it_does_not_say_that_there_is_nothing(RedisDriver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_found_absent_fred() {
    it_does_not_say_that_there_is_nothing(FredDriver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis() {
    reads_fail_while_writes_are_refused(RedisDriver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fred() {
    reads_fail_while_writes_are_refused(FredDriver).await;
}
