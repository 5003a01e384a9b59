//! Both limits of time.

use time::Duration;

use super::{last_seen, touched};
use crate::web::support::{Browser, World, on_both};

on_both!(
    what_is_not_used_ends_at_the_idle_limit,
    what_is_used_lives_on_until_the_absolute_limit,
    a_write_slides_the_idle_window,
    a_rotation_leaves_the_absolute_limit,
    a_login_begins_both_limits_anew,
    the_session_s_own_limits_count_on_every_instance,
    the_handler_knows_what_is_left,
    an_expired_id_begins_a_new_session,
);

/// For what the server's own clock moves on during a case.
const MARGIN: Duration = Duration::seconds(30);

/// Half of the idle limit, by default.
const A_WHILE: Duration = Duration::minutes(15);

async fn what_is_not_used_ends_at_the_idle_limit(world: World) {
    let [a, b] = world.instances().await;
    let mut browsers = [Browser::new(), Browser::new()];
    for browser in &mut browsers {
        browser.log_in(&a.app, "alice").await;
    }
    world.pass(Duration::minutes(30) - MARGIN).await;
    assert_eq!(browsers[0].user(&b.app).await.as_deref(), Some("alice"));
    // Nobody has touched the other one.
    world.pass(MARGIN).await;
    for instance in [&a, &b] {
        assert_eq!(browsers[1].user(&instance.app).await, None);
    }
}

async fn what_is_used_lives_on_until_the_absolute_limit(world: World) {
    let [a, b] = world.instances().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    for turn in 0..47 {
        world.pass(A_WHILE).await;
        let instance = if turn % 2 == 0 { &a } else { &b };
        let before = last_seen(instance).await;
        assert_eq!(
            alice.user(&instance.app).await.as_deref(),
            Some("alice"),
            "{turn}"
        );
        touched(instance, before).await;
    }
    // A quarter of an hour is left, whatever it does.
    world.pass(A_WHILE - MARGIN).await;
    alice.put(&b.app, "/attr/k", "still here").await.is(200);
    world.pass(MARGIN).await;
    for instance in [&a, &b] {
        assert_eq!(alice.user(&instance.app).await, None);
    }
}

async fn a_write_slides_the_idle_window(world: World) {
    let a = world.instance().await;
    for path in ["/attr/k", "/lazy/k"] {
        let mut alice = Browser::new();
        alice.log_in(&a.app, "alice").await;
        for turn in 0..5 {
            world.pass(Duration::minutes(25)).await;
            alice.put(&a.app, path, &turn.to_string()).await.is(200);
        }
        assert_eq!(alice.user(&a.app).await.as_deref(), Some("alice"));
    }
}

async fn a_rotation_leaves_the_absolute_limit(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    for _ in 0..28 {
        world.pass(Duration::minutes(25)).await;
        alice.post(&a.app, "/rotate").await.is(200);
    }
    // 11 hours and 40 minutes have passed.
    world.pass(Duration::minutes(20) - MARGIN).await;
    assert_eq!(alice.user(&a.app).await.as_deref(), Some("alice"));
    alice.post(&a.app, "/rotate").await.is(200);
    world.pass(MARGIN).await;
    assert_eq!(alice.user(&a.app).await, None);
}

async fn a_login_begins_both_limits_anew(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    for _ in 0..40 {
        world.pass(Duration::minutes(25)).await;
        alice.log_in(&a.app, "alice").await;
    }
    let info = alice.info(&a.app).await;
    let half_an_hour = Duration::minutes(30).whole_milliseconds();
    let left = i128::from(info["expires_in"].as_i64().unwrap());
    assert!(left <= half_an_hour && left > half_an_hour - MARGIN.whole_milliseconds());
}

/// A deploy with other settings changes nothing for sessions that are there.
async fn the_session_s_own_limits_count_on_every_instance(world: World) {
    let hour = Duration::HOUR;
    let a = world
        .configured(|b| b.idle_timeout(hour).absolute_timeout(hour * 2))
        .await;
    let b = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    for _ in 0..2 {
        world.pass(Duration::minutes(50)).await;
        alice
            .put(&b.app, "/lazy/k", "written by the other")
            .await
            .is(200);
        alice.post(&b.app, "/rotate").await.is(200);
        assert_eq!(alice.user(&b.app).await.as_deref(), Some("alice"));
    }
    world.pass(Duration::minutes(20)).await;
    assert_eq!(alice.user(&b.app).await, None, "two hours are over");
}

async fn the_handler_knows_what_is_left(world: World) {
    let a = world
        .configured(|b| b.absolute_timeout(Duration::minutes(40)))
        .await;
    let mut alice = Browser::new();
    assert!(alice.info(&a.app).await["expires_in"].is_null());
    alice.log_in(&a.app, "alice").await;
    world.pass(Duration::minutes(20)).await;
    alice.put(&a.app, "/attr/k", "used").await.is(200);
    world.pass(Duration::minutes(5)).await;
    // The idle window would have 25 minutes left, the session's life has 15.
    let left = Duration::minutes(15).whole_milliseconds() as i64;
    let told = alice.info(&a.app).await["expires_in"].as_i64().unwrap();
    let margin = MARGIN.whole_milliseconds() as i64;
    assert!((left - margin..=left).contains(&told), "{told}");
}

async fn an_expired_id_begins_a_new_session(world: World) {
    let [a, b] = world.instances().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    alice.put(&a.app, "/attr/k", "old").await.is(200);
    let old = alice.clone();
    world.pass(Duration::minutes(31)).await;
    assert_eq!(world.live().await, 0, "nothing of it is left");
    // What is written unread finds nothing to write to.
    let late = old.clone().put(&b.app, "/lazy/k", "late").await.is(200);
    assert_eq!(late.new_id(), None);
    assert_eq!(world.live().await, 0);
    alice.put(&b.app, "/attr/k", "new").await.is(200);
    assert_ne!(alice.id(), old.id());
    assert_eq!(alice.user(&a.app).await, None);
    assert_eq!(alice.attr(&a.app, "k").await.as_deref(), Some("new"));
}
