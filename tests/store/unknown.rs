//! What happens to an operation of which nobody knows whether it happened: it did once or not at
//! all, and nobody else's answer is disturbed.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use cloakroom_core::{Address, BoxFuture, Committed, Freshness, Loaded, Record, SessionStore};
use cloakroom_redis::RedisStore;
use cloakroom_testkit::conformance::draft::{Draft, anonymous, set};
use cloakroom_testkit::{RedisServer, eventually};
use futures_util::future::join_all;
use time::Duration;

use crate::shared;
use crate::store::support::{
    LIMIT, assert_unavailable, builder, connect, connections, is_up, session,
};

/// Goes as far as it can without waiting.
async fn poll_once<T>(future: &mut BoxFuture<'_, T>) -> Poll<T> {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

async fn record(store: &RedisStore, at: Address) -> Arc<Record> {
    match store.load(at, Freshness::NOW).await.unwrap() {
        Loaded::Found { record, .. } => record,
        other => panic!("it should be alive, but it is {other:?}"),
    }
}

/// A server that stands still while it is sent updates, each of an attribute of its own, and then
/// goes on: a second sending would raise the revision twice for one attribute.
#[tokio::test]
async fn nothing_is_sent_twice() {
    let server = RedisServer::start().await;
    let store = builder(&server).command_timeout(Duration::SECOND);
    let store = store.connect().await.unwrap();
    let at = session(&connect(&server, "").await).await;
    for round in 1..=2 {
        let old = connections(&server).await;
        server.pause();
        let changes = (0..20).map(|n| set(&format!("{round}.{n}"), "1"));
        let changes: Vec<_> = changes.collect();
        let commits = changes
            .iter()
            .map(|change| store.commit(at, change, 10_000));
        for result in join_all(commits).await {
            assert_unavailable(result);
        }
        server.resume();
        // Who has seen the connection's end is done with all that was sent on it.
        let done = || async { connections(&server).await.is_disjoint(&old) };
        assert!(eventually(LIMIT, done).await);
        assert!(is_up(&store).await);
        let stable = connect(&server, "").await;
        let record = record(&stable, at).await;
        let written = record.attributes.iter().count() - 1;
        assert_eq!(record.revision, 1 + written as u64, "in round {round}");
        assert!(written > 0, "what was sent did happen");
        drop(stable);
    }
}

/// Requests whose clients went away, amid others that go on, on one connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_futures_disturb_nobody() {
    let (server, prefix) = (shared::server().await, "unknown.dropped:");
    let store = Arc::new(connect(&server, prefix).await);
    let mut sessions = Vec::new();
    for n in 0..100 {
        let new = anonymous(store.buckets().get(n % 64).unwrap());
        // Of different lengths, so that replies come in pieces.
        let new = new.with("owner", n.to_string());
        let new = new.with("load", vec![b'7'; usize::from(n) * 300]);
        store.create(&new).await.unwrap();
        sessions.push(new.at);
    }
    let sessions = Arc::new(sessions);
    let tasks = (0..10).map(|task| {
        let (store, sessions) = (Arc::clone(&store), Arc::clone(&sessions));
        tokio::spawn(load_and_drop(store, sessions, task))
    });
    let mut dropped = 0;
    for task in tasks.collect::<Vec<_>>() {
        dropped += task.await.unwrap();
    }
    assert!(dropped > 0, "some were dropped before their end");
}

/// 1,000 loads, every tenth of them dropped at some point of its way; says how many were before
/// they had an answer.
async fn load_and_drop(store: Arc<RedisStore>, sessions: Arc<Vec<Address>>, task: usize) -> usize {
    let mut dropped = 0;
    for n in 0..1000 {
        let which = (n * 37 + task * 11) % sessions.len();
        let at = sessions[which];
        if n % 10 == 3 {
            let mut load = store.load(at, Freshness::NOW);
            let mut answered = false;
            for _ in 0..=(n / 10) % 5 {
                answered = answered || poll_once(&mut load).await.is_ready();
                tokio::task::yield_now().await;
            }
            dropped += usize::from(!answered);
        } else {
            let record = record(&store, at).await;
            let owner = record.attributes.get::<usize>("owner").unwrap();
            assert_eq!((record.digest, owner), (at.digest, Some(which)));
        }
    }
    dropped
}

/// Commits whose clients went away: each happened once or not at all, in the order of its sending.
#[tokio::test]
async fn dropped_commits_happen_once_or_not_at_all() {
    let (server, prefix) = (shared::server().await, "unknown.commits:");
    let store = connect(&server, prefix).await;
    let at = session(&store).await;
    let mut told = 0;
    for n in 0..500 {
        let change = set(&format!("n {n}"), n.to_string());
        let mut commit = store.commit(at, &change, 1_000_000);
        if n % 2 == 0 {
            // Once is enough to send it.
            let _ = poll_once(&mut commit).await;
        } else {
            let committed = commit.await.unwrap();
            assert!(matches!(committed, Committed::Done { .. }), "{committed:?}");
            told += 1;
        }
    }
    let record = record(&store, at).await;
    let written = record.attributes.iter().count() - 1;
    assert_eq!(record.revision, 1 + written as u64);
    assert!((told..=500).contains(&written));
    for n in (1..500).step_by(2) {
        assert!(record.attributes.raw(&format!("n {n}")).is_some());
    }
}

/// Connections that are cut again and again: an answer is the right one, or there is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_mixes_nothing_up() {
    let server = RedisServer::start().await;
    let store = Arc::new(builder(&server).connect().await.unwrap());
    let first = session(&store).await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (store, at) = (Arc::clone(&store), session(&store).await);
        tasks.push(tokio::spawn(async move { count_up(&store, at).await }));
    }
    let deadline = Instant::now() + LIMIT;
    while !tasks.iter().all(|task| task.is_finished()) {
        assert!(Instant::now() < deadline, "nobody comes to an end");
        for id in connections(&server).await {
            let id = id.strip_prefix("id=").unwrap();
            // It may have been replaced already.
            let _ = server.try_command(&["CLIENT", "KILL", "ID", id]).await;
        }
        // Some get through in between.
        let answers = || async { store.load(first, Freshness::NOW).await.is_ok() };
        assert!(eventually(LIMIT, answers).await);
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert!(is_up(&store).await);
}

/// Writes numbers in order until 300 were acknowledged, and reads back what it may: the last one
/// that was, or one of those after it of which nobody knows.
async fn count_up(store: &RedisStore, at: Address) {
    let (mut acknowledged, mut acknowledgements) = (0, 0);
    for n in 1_u64.. {
        if store
            .commit(at, &set("n", n.to_string()), 100)
            .await
            .is_ok()
        {
            acknowledged = n;
            acknowledgements += 1;
        }
        if let Ok(Loaded::Found { record, .. }) = store.load(at, Freshness::NOW).await {
            let held = record.attributes.get::<u64>("n").unwrap().unwrap_or(0);
            assert!(
                (acknowledged..=n).contains(&held),
                "{acknowledged} {held} {n}"
            );
            assert_eq!(record.digest, at.digest);
        }
        if acknowledgements == 300 {
            return;
        }
        tokio::task::yield_now().await;
    }
}
