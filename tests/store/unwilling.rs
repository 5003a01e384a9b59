//! A server that is there and doesn't want to: demoted, full, or with nobody who needs it.

use std::sync::Arc;

use cloakroom_core::{
    Clock as _, Created, Ended, Freshness, Loaded, Moment, SessionStore, SystemClock, Touch,
};
use cloakroom_near::{Limits, NearStore};
use cloakroom_redis::Driver;
use cloakroom_testkit::conformance::draft::{anonymous, login, set};
use cloakroom_testkit::{RedisServer, eventually, free_port};
use time::Duration;

use crate::store::support::{
    LIMIT, assert_unavailable, builder_with, connections, is_down, is_up, session, with_each_driver,
};

with_each_driver! {
    #[tokio::test] a_demoted_master_refuses_writes_until_it_is_one_again,
    #[tokio::test] a_full_server_refuses_what_is_new_and_keeps_what_it_has,
    #[tokio::test] a_full_server_serves_on,
    #[tokio::test] an_idle_store_reconnects_unasked,
    #[tokio::test] a_dropped_store_leaves_the_server_alone,
}

async fn a_demoted_master_refuses_writes_until_it_is_one_again(driver: impl Driver + Copy) {
    let server = RedisServer::start().await;
    let store = builder_with(driver, &server).connect().await.unwrap();
    let at = session(&store).await;
    let alice = store.user("alice").unwrap();
    let nobody = free_port().to_string();
    server.command(&["REPLICAOF", "127.0.0.1", &nobody]).await;
    let error = assert_unavailable(store.commit(at, &set("a", "2"), 100).await);
    assert!(error.to_string().contains("READONLY"), "{error}");
    assert!(is_down(&store).await);
    assert_unavailable(store.create(&login(&alice)).await);
    assert_unavailable(store.end(at).await);
    // Nor is anything believed that it still shows: it may be behind by any time.
    assert_unavailable(store.load(at, Freshness::NOW).await);
    let error = builder_with(driver, &server)
        .prefix("new:")
        .connect()
        .await
        .unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    server.command(&["REPLICAOF", "NO", "ONE"]).await;
    assert!(is_up(&store).await);
    store.commit(at, &set("a", "2"), 100).await.unwrap();
    let Loaded::Found { record, .. } = store.load(at, Freshness::NOW).await.unwrap() else {
        panic!("it has been there all the time");
    };
    assert_eq!(record.revision, 2, "what was refused did not happen");
}

async fn a_full_server_refuses_what_is_new_and_keeps_what_it_has(driver: impl Driver + Copy) {
    let server = RedisServer::start().await;
    let store = builder_with(driver, &server).connect().await.unwrap();
    let at = session(&store).await;
    let new = anonymous(store.buckets().get(5).unwrap());
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let error = assert_unavailable(store.create(&new).await);
    assert!(error.to_string().contains("OOM"), "{error}");
    assert_unavailable(store.commit(at, &set("a", "2"), 100).await);
    assert!(matches!(
        store.load(at, Freshness::NOW).await.unwrap(),
        Loaded::Found { .. }
    ));
    assert_eq!(
        store.load(new.at, Freshness::NOW).await.unwrap(),
        Loaded::Absent
    );
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    let created = store.create(&new).await.unwrap();
    assert!(matches!(created, Created::Done { .. }));
}

/// Copies are renewed, sessions read, touched and ended on a server that takes nothing new.
async fn a_full_server_serves_on(driver: impl Driver + Copy) {
    let server = RedisServer::start().await;
    let store = Arc::new(builder_with(driver, &server).connect().await.unwrap());
    let near = NearStore::new(store.clone(), Limits::default());
    let at = session(&store).await;
    let channel = store.channel().unwrap();
    let proven_since = |since: Moment| {
        let (lease, now) = (channel.lease(at.bucket), SystemClock.moment());
        let age = lease.age(lease.term, now);
        age.is_some_and(|age| age < now.since(since))
    };
    let begun = SystemClock.moment();
    assert!(eventually(LIMIT, || async { proven_since(begun) }).await);
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    assert_unavailable(store.commit(at, &set("a", "2"), 100).await);
    for _ in 0..3 {
        let now = SystemClock.moment();
        assert!(eventually(LIMIT, || async { proven_since(now) }).await);
        let loaded = near.load(at, Freshness::NOW).await.unwrap();
        assert!(matches!(loaded, Loaded::Found { .. }));
    }
    let touch = Touch {
        at,
        ago: Duration::ZERO,
    };
    store.touch(&[touch]).await.unwrap();
    assert_eq!(store.end(at).await.unwrap(), Ended::Done);
    store.revoke_everyone().await.unwrap();
}

async fn an_idle_store_reconnects_unasked(driver: impl Driver + Copy) {
    let server = RedisServer::start().await;
    let store = builder_with(driver, &server).connect().await.unwrap();
    for _ in 0..3 {
        let old = connections(&server).await;
        assert_eq!(old.len(), 1);
        server.restart().await;
        let back = || async { connections(&server).await.len() == 1 };
        assert!(eventually(LIMIT, back).await);
        assert!(is_up(&store).await);
    }
}

async fn a_dropped_store_leaves_the_server_alone(driver: impl Driver + Copy) {
    let server = RedisServer::start().await;
    let store = builder_with(driver, &server).connect().await.unwrap();
    session(&store).await;
    drop(store);
    let alone = || async { connections(&server).await.is_empty() };
    assert!(eventually(LIMIT, alone).await);
    // Nor does one that was dropped while it tried to reconnect come back.
    let store = builder_with(driver, &server).connect().await.unwrap();
    server.kill();
    assert!(is_down(&store).await);
    drop(store);
    server.restart().await;
    let other = builder_with(driver, &server).connect().await.unwrap();
    session(&other).await;
    assert_eq!(connections(&server).await.len(), 1, "the other one's");
}
