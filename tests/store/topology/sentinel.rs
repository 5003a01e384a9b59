//! A master that Sentinels watch.

use std::sync::Arc;

use cloakroom_core::{ErrorKind, Health, SessionStore};
use cloakroom_testkit::conformance::draft::anonymous;
use cloakroom_testkit::{RedisSentinel, RedisServer, eventually};
use time::Duration;

use super::reading::{Readers, replicated};
use super::{sentinel_url, shared_sentinels};
use crate::store::support::{LIMIT, ask, builder_at, is_up, session};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_follows_a_failover() {
    let all = RedisSentinel::start().await;
    let store = builder_at(sentinel_url(&all)).command_timeout(Duration::SECOND);
    let store = Arc::new(store.connect().await.unwrap());
    let readers = Readers::start(&store, 16).await;
    replicated(all.master().await).await;
    let new = all.failover().await;
    let before: usize = ask(new, &["DBSIZE"]).await;
    let written = || async {
        let session = anonymous(store.buckets().get(3).unwrap());
        store.create(&session).await.is_ok() && ask::<usize>(new, &["DBSIZE"]).await > before
    };
    assert!(eventually(LIMIT, written).await);
    readers.finish("a Sentinel's failover").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_master_is_replaced() {
    let all = RedisSentinel::start().await;
    let store = builder_at(first_alone(&all)).command_timeout(Duration::SECOND);
    let store = Arc::new(store.connect().await.unwrap());
    let readers = Readers::start(&store, 16).await;
    let old = all.master().await;
    replicated(old).await;
    // The one Sentinel of the URL falls silent too: of the others it has told.
    all.sentinels()[0].pause();
    old.kill();
    let down = || async { store.health() == Health::Down };
    assert!(eventually(LIMIT, down).await);
    assert!(is_up(&store).await, "nobody has to ask for it");
    readers.finish("a killed master under Sentinels").await;
}

/// Behind a partition the old master lives on and takes writes; nobody tells its connections.
#[tokio::test]
async fn a_connection_to_a_master_that_was_replaced_is_given_up() {
    let all = RedisSentinel::start().await;
    let store = builder_at(sentinel_url(&all)).connect().await.unwrap();
    session(&store).await;
    let (old, name) = (all.master().await, all.name());
    // Two Sentinels lose sight of the old master, one sees it still.
    let other = all.replicas().await[0];
    assert_ne!(other.port(), old.port());
    other.command(&["REPLICAOF", "NO", "ONE"]).await;
    let port = other.port().to_string();
    for sentinel in &all.sentinels()[1..] {
        sentinel.command(&["SENTINEL", "REMOVE", name]).await;
        let monitor = ["SENTINEL", "MONITOR", name, "127.0.0.1", &port, "2"];
        sentinel.command(&monitor).await;
    }
    let before: usize = ask(other, &["DBSIZE"]).await;
    let follows = || async {
        let session = anonymous(store.buckets().get(1).unwrap());
        let _ = store.create(&session).await;
        ask::<usize>(other, &["DBSIZE"]).await > before
    };
    assert!(eventually(LIMIT, follows).await, "it writes to the old one");
}

#[tokio::test]
async fn a_master_of_another_name_is_refused() {
    let all = shared_sentinels().await;
    let url = sentinel_url(&all).replace(all.name(), "other");
    let error = builder_at(url).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("named other"), "{error}");
}

#[tokio::test]
async fn sentinels_have_a_password_of_their_own() {
    let all = RedisSentinel::builder().replicas(1).start().await;
    let url = sentinel_url(&all);
    for sentinel in all.sentinels() {
        let set = ["ACL", "SETUSER", "default", "resetpass", ">hush"];
        sentinel.command(&set).await;
    }
    for wrong in [url.clone(), format!("{url}&sentinel_password=wrong")] {
        let error = builder_at(wrong).connect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
    let right = builder_at(format!("{url}&sentinel_password=hush"));
    let store = right.connect().await.unwrap();
    assert!(!format!("{store:?}").contains("hush"));
}

#[tokio::test]
async fn urls_for_the_wrong_kind_of_server_are_refused() {
    let all = shared_sentinels().await;
    let error = builder_at(all.sentinels()[0].url()).connect().await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("redis-sentinel://"), "{error}");
    let server = RedisServer::start().await;
    let url = format!("redis-sentinel://127.0.0.1:{}?master=main", server.port());
    let error = builder_at(url).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("no Sentinel"), "{error}");
}

/// The URL with one Sentinel alone.
fn first_alone(all: &RedisSentinel) -> String {
    let (port, name) = (all.sentinels()[0].port(), all.name());
    format!("redis-sentinel://127.0.0.1:{port}/?master={name}")
}
