//! A server that is killed or stopped: what is asked fails in time and as unavailable, and the
//! store recovers by itself.

use std::time::Instant;

use cloakroom_core::{Committed, Freshness, Health, Loaded, Result, SessionStore};
use cloakroom_redis::Driver;
use cloakroom_testkit::conformance::draft::set;
use cloakroom_testkit::{RedisServer, eventually};
use futures_util::future::join_all;
use time::Duration;

use crate::store::support::{
    LIMIT, PATIENCE, assert_unavailable, builder_with, connect, is_down, is_up, session,
    with_each_driver,
};

with_each_driver! {
    #[tokio::test] a_killed_server_fails_all_at_once_and_comes_back,
    #[tokio::test] a_stopped_server_costs_one_limit_and_then_none,
}

/// What a busy machine may add to a limit.
const SLACK: Duration = Duration::seconds(10);

async fn a_killed_server_fails_all_at_once_and_comes_back(driver: impl Driver + Copy) {
    let server = RedisServer::builder()
        .arg("--appendonly", "yes")
        .arg("--appendfsync", "always")
        .start()
        .await;
    let store = builder_with(driver, &server).connect().await.unwrap();
    let at = session(&store).await;
    assert_eq!(store.health(), Health::Up);

    // In flight: sent to a server that never answers, then cut off.
    server.pause();
    let started = Instant::now();
    let loads = join_all((0..20).map(|_| store.load(at, Freshness::NOW)));
    let kill = async {
        tokio::task::yield_now().await;
        server.kill();
    };
    let (results, ()) = tokio::join!(loads, kill);
    results
        .into_iter()
        .for_each(|result| drop(assert_unavailable(result)));
    assert!(started.elapsed() < PATIENCE, "not by waiting for the limit");

    assert!(is_down(&store).await);
    for _ in 0..100 {
        assert_unavailable(store.load(at, Freshness::NOW).await);
        assert_unavailable(store.commit(at, &set("a", "2"), 100).await);
    }
    assert!(started.elapsed() < PATIENCE, "not by waiting for the limit");

    server.restart().await;
    assert!(is_up(&store).await, "nobody has to ask for it");
    let Loaded::Found { record, .. } = store.load(at, Freshness::NOW).await.unwrap() else {
        panic!("the server has kept it");
    };
    assert_eq!(record.revision, 1, "what was refused was not sent later");
    let committed = store.commit(at, &set("a", "2"), 100).await.unwrap();
    assert_eq!(committed, Committed::Done { revision: 2 });
}

async fn a_stopped_server_costs_one_limit_and_then_none(driver: impl Driver + Copy) {
    let server = RedisServer::start().await;
    let at = session(&connect(&server, "").await).await;
    let limit = Duration::SECOND;
    let store = builder_with(driver, &server)
        .command_timeout(limit)
        .connect_timeout(limit / 2);
    let store = store.connect().await.unwrap();
    server.pause();

    let started = Instant::now();
    for result in join_all((0..20).map(|_| store.load(at, Freshness::NOW))).await {
        let error = assert_unavailable(result);
        assert!(
            error.to_string().contains("1s"),
            "it says its limit: {error}"
        );
    }
    assert!(started.elapsed() >= limit && started.elapsed() < limit + SLACK);

    // The first attempt to connect again has to fail too; until then callers wait for it.
    let refused_at_once = |result: Result<Loaded>| {
        let error = assert_unavailable(result);
        error.to_string().contains("can't be reached")
    };
    let refused = || async { refused_at_once(store.load(at, Freshness::NOW).await) };
    assert!(eventually(LIMIT, refused).await);
    assert_eq!(store.health(), Health::Down);
    for _ in 0..1000 {
        assert!(
            refused_at_once(store.load(at, Freshness::NOW).await),
            "nobody waits again"
        );
    }

    server.resume();
    assert!(is_up(&store).await, "nobody has to ask for it");
    let answers = || async {
        matches!(
            store.load(at, Freshness::NOW).await,
            Ok(Loaded::Found { .. })
        )
    };
    assert!(eventually(LIMIT, answers).await);
}
