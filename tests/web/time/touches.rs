//! Sliding the idle window without a write for each read.

use cloakroom_core::ManualClock;
use time::Duration;

use super::{last_seen, touched};
use crate::web::support::{Browser, Op, World, on_both};

on_both!(
    a_thousand_reads_are_at_most_one_touch,
    a_touch_tells_of_the_latest_use,
    what_is_written_needs_no_touch,
    a_shutdown_writes_what_waits,
    a_touch_brings_nothing_back,
    a_touch_that_failed_comes_again,
    clocks_that_differ_do_no_harm,
);

async fn a_thousand_reads_are_at_most_one_touch(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    for round in 1..=3 {
        world.pass(Duration::minutes(2)).await;
        let before = last_seen(&a).await;
        a.store.calls();
        for _ in 0..1000 {
            alice.get(&a.app, "/info").await.is(200);
        }
        touched(&a, before).await;
        let calls = a.store.calls();
        assert_eq!((calls[&Op::Load], calls[&Op::Touch]), (1000, 1));
        assert_eq!(a.sessions.stats().touches, round);
        assert!(!calls.contains_key(&Op::Commit));
        assert_eq!(
            alice.info(&a.app).await["revision"],
            1,
            "a touch is no new revision"
        );
    }
}

/// It comes when the interval is over, and slides the window only to where it was used.
async fn a_touch_tells_of_the_latest_use(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    world.pass(Duration::seconds(20)).await;
    let before = last_seen(&a).await;
    alice.get(&a.app, "/info").await.is(200);
    a.sessions.write_touches().await.unwrap();
    assert_eq!(last_seen(&a).await, before, "it is not due");
    world.pass(Duration::seconds(60)).await;
    let shifted = last_seen(&a).await;
    touched(&a, shifted).await;
    let listed = a.sessions.list("alice").await.unwrap();
    let used = listed[0].last_seen - listed[0].created_at;
    let around = Duration::seconds(15)..Duration::seconds(40);
    assert!(around.contains(&used), "{used}");
}

async fn what_is_written_needs_no_touch(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    world.pass(Duration::seconds(30)).await;
    alice.get(&a.app, "/info").await.is(200);
    alice.put(&a.app, "/attr/k", "written").await.is(200);
    a.sessions.shutdown().await.unwrap();
    assert_eq!(a.sessions.stats().touches, 0);
}

async fn a_shutdown_writes_what_waits(world: World) {
    let [a, b] = world.instances().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    world.pass(Duration::seconds(30)).await;
    let before = last_seen(&b).await;
    alice.get(&a.app, "/info").await.is(200);
    assert_eq!(last_seen(&b).await, before);
    a.sessions.shutdown().await.unwrap();
    assert!(last_seen(&b).await > before);
    assert_eq!(a.sessions.stats().touches, 1);
    a.sessions.shutdown().await.unwrap();
    assert_eq!(a.sessions.stats().touches, 1, "once");
}

async fn a_touch_brings_nothing_back(world: World) {
    let [a, b] = world.instances().await;
    for path in ["/logout", "/rotate", "/login/bob"] {
        let mut alice = Browser::new();
        alice.log_in(&b.app, "alice").await;
        world.pass(Duration::seconds(30)).await;
        alice.get(&a.app, "/info").await.is(200);
        let (old, live) = (alice.clone(), world.live().await);
        alice.post(&b.app, path).await;
        a.sessions.shutdown().await.unwrap();
        assert_eq!(old.clone().user(&b.app).await, None, "{path}");
        assert_eq!(world.live().await, live - usize::from(path == "/logout"));
    }
}

async fn a_touch_that_failed_comes_again(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    world.pass(Duration::seconds(30)).await;
    let before = last_seen(&a).await;
    alice.get(&a.app, "/info").await.is(200);
    a.store.refuse(Op::Touch);
    assert!(a.sessions.shutdown().await.unwrap_err().is_unavailable());
    assert_eq!(last_seen(&a).await, before);
    a.sessions.shutdown().await.unwrap();
    assert!(last_seen(&a).await > before);
}

/// Instances whose clocks are five minutes off, one each way.
async fn clocks_that_differ_do_no_harm(world: World) {
    let a = world.instance().await;
    for skew in [Duration::minutes(5), -Duration::minutes(5)] {
        let clock = ManualClock::default();
        clock.advance(skew);
        let skewed = world.configured(|b| b.clock(clock.clone())).await;
        let mut alice = Browser::new();
        alice.log_in(&a.app, "alice").await;
        for _ in 0..4 {
            world.pass(Duration::minutes(25)).await;
            clock.advance(Duration::minutes(25));
            let before = last_seen(&a).await;
            assert_eq!(alice.user(&skewed.app).await.as_deref(), Some("alice"));
            touched(&skewed, before).await;
        }
        let left = alice.info(&a.app).await["expires_in"].as_i64().unwrap();
        let half_an_hour = Duration::minutes(30).whole_milliseconds() as i64;
        assert!(
            (half_an_hour - 60_000..=half_an_hour).contains(&left),
            "{left}"
        );
        a.sessions.revoke_user("alice").await.unwrap();
    }
}
