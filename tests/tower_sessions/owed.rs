//! What a tower-sessions store owes, asked of ours; and of two others, for the manual.

use std::sync::Arc;
use std::time::Duration;

use cloakroom::tower_sessions::{SharedStore, Users};
use cloakroom::{MemoryStore, Sessions};
use cloakroom_conformance::{Outcome, Report, Subject, Suite, v0_14, v0_15};
use cloakroom_testkit::RedisServer;
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{
    Builder, ClientLike as _, Config, PerformanceConfig,
};

/// How long near copies may be stale, and what a busy machine adds.
const STALENESS: Duration = Duration::from_millis(1_500);

/// More than the suite's longest text.
const CAP: usize = 1 << 20;

/// The one case that ours doesn't keep, on purpose.
const EMPTY: &str = "basics::an_empty_session_is_a_session";
const WHY: &str = "a session without attributes is not kept, lest always_save stores made-up ids";

fn ours(sessions: &Sessions) -> SharedStore {
    SharedStore::new(sessions)
        .users(Users::attribute("user"))
        .without_shielding()
}

fn all_kept(report: &Report) {
    println!("{report}");
    assert!(report.conforms());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ours_in_memory() {
    let store = MemoryStore::new();
    let open = move || {
        let store = store.clone();
        async move {
            let sessions = Sessions::builder(store)
                .max_size(CAP)
                .build()
                .await
                .unwrap();
            v0_15::instance(ours(&sessions))
        }
    };
    let suite = Suite::new(open).leave_out(EMPTY, WHY);
    all_kept(&suite.run().await);
}

/// On Redis, with near copies, while the server comes and goes.
async fn ours_on_redis(as_subject: fn(SharedStore) -> Arc<dyn Subject>) {
    let server = Arc::new(RedisServer::start().await);
    let opened = Arc::clone(&server);
    let open = move || {
        let server = Arc::clone(&opened);
        async move {
            let store = cloakroom::redis::store(server.url())
                .connect()
                .await
                .unwrap();
            let sessions = Sessions::builder(store)
                .max_size(CAP)
                .build()
                .await
                .unwrap();
            as_subject(ours(&sessions))
        }
    };
    let (stopped, back) = (Arc::clone(&server), Arc::clone(&server));
    let suite = Suite::new(open)
        .leave_out(EMPTY, WHY)
        .staleness(STALENESS)
        .outage(
            move || {
                stopped.pause();
                std::future::ready(())
            },
            move || {
                back.resume();
                std::future::ready(())
            },
        );
    all_kept(&suite.run().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ours_on_redis_0_14() {
    ours_on_redis(|store| v0_14::instance(store)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ours_on_redis_0_15() {
    ours_on_redis(|store| v0_15::instance(store)).await;
}

/// The groups of which a store of tower-sessions keeps something else than all.
fn groups(report: &Report) -> Vec<(&'static str, usize)> {
    let mut groups: Vec<(&'static str, usize)> = Vec::new();
    let broken = report
        .cases()
        .filter(|case| matches!(case.outcome(), Outcome::Broken(_)));
    for case in broken {
        match groups.last_mut() {
            Some((name, count)) if *name == case.group() => *count += 1,
            _ => groups.push((case.group(), 1)),
        }
    }
    groups
}

/// What the manual's chapter on migration says of tower-sessions-redis-store 0.16.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tower_sessions_redis_store() {
    let server = RedisServer::start().await;
    let config = Config::from_url(&server.url()).unwrap();
    let open = move || {
        let config = config.clone();
        async move {
            let timeout = |config: &mut PerformanceConfig| {
                config.default_command_timeout = Duration::from_secs(1);
            };
            let mut builder = Builder::from_config(config);
            let client = builder.with_performance_config(timeout).build().unwrap();
            client.init().await.unwrap();
            v0_14::instance(RedisStore::new(client))
        }
    };
    let report = Suite::new(open).run().await;
    println!("{report}");
    assert_eq!(
        groups(&report),
        [("gone", 5), ("overlap", 5), ("rotation", 2)]
    );
}
