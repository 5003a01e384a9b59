//! A master that Sentinels watch.

use std::sync::Arc;

use cloakroom_core::{ErrorKind, Health, SessionStore};
use cloakroom_testkit::conformance::draft::anonymous;
use cloakroom_testkit::{RedisServer, eventually};

use super::reading::Readers;
use super::sentinels::{Sentinels, replicated};
use super::shared_sentinels;
use crate::store::support::{LIMIT, ask, builder_at, is_up, session};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_follows_a_failover() {
    let all = Sentinels::start().await;
    let store = Arc::new(builder_at(all.url()).connect().await.unwrap());
    let readers = Readers::start(&store, 16).await;
    replicated(&all.servers[0]).await;
    all.fail_over().await;
    assert!(is_up(&store).await);
    let new = || anonymous(store.buckets().get(3).unwrap());
    let written = || async { store.create(&new()).await.is_ok() };
    assert!(eventually(LIMIT, written).await);
    readers.finish("a Sentinel's failover").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_master_is_replaced() {
    let all = Sentinels::start().await;
    let store = Arc::new(builder_at(all.url()).connect().await.unwrap());
    let readers = Readers::start(&store, 16).await;
    replicated(&all.servers[0]).await;
    all.servers[0].kill();
    // The Sentinel of the URL dies with it: of the others it has told.
    all.sentinels[0].process.pause();
    let down = || async { store.health() == Health::Down };
    assert!(eventually(LIMIT, down).await);
    assert!(is_up(&store).await, "nobody has to ask for it");
    readers.finish("a killed master under Sentinels").await;
}

/// Behind a partition the old master lives on and takes writes; nobody tells its connections.
#[tokio::test]
async fn a_connection_to_a_master_that_was_replaced_is_given_up() {
    let all = Sentinels::start().await;
    let store = builder_at(all.url()).connect().await.unwrap();
    session(&store).await;
    // Two Sentinels lose sight of the old master, one sees it still.
    let other = &all.servers[1];
    other.command(&["REPLICAOF", "NO", "ONE"]).await;
    for sentinel in &all.sentinels[1..] {
        let removed = sentinel.command::<String>("", "REMOVE").await;
        assert_eq!(removed.unwrap(), "OK");
        sentinel.monitor(&other.port().to_string()).await;
    }
    let before: usize = ask(other, &["DBSIZE"]).await;
    let follows = || async {
        let _ = store
            .create(&anonymous(store.buckets().get(1).unwrap()))
            .await;
        ask::<usize>(other, &["DBSIZE"]).await > before
    };
    assert!(eventually(LIMIT, follows).await, "it writes to the old one");
}

#[tokio::test]
async fn a_master_of_another_name_is_refused() {
    let all = shared_sentinels().await;
    let url = all.url().replace("main", "other");
    let error = builder_at(url).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("named other"), "{error}");
}

#[tokio::test]
async fn sentinels_have_a_password_of_their_own() {
    let all = Sentinels::with_password("hush").await;
    let error = builder_at(all.url()).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let wrong = format!("{}&sentinel_password=wrong", all.url());
    let error = builder_at(wrong).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let right = format!("{}&sentinel_password=hush", all.url());
    let store = builder_at(right).connect().await.unwrap();
    assert!(!format!("{store:?}").contains("hush"));
}

#[tokio::test]
async fn urls_for_the_wrong_kind_of_server_are_refused() {
    let all = shared_sentinels().await;
    let url = format!("redis://127.0.0.1:{}", all.sentinels[0].port);
    let error = builder_at(url).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("redis-sentinel://"), "{error}");
    let server = RedisServer::start().await;
    let url = format!("redis-sentinel://127.0.0.1:{}?master=main", server.port());
    let error = builder_at(url).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("no Sentinel"), "{error}");
}
