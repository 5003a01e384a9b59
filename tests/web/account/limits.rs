//! How many sessions a user may have.

use std::collections::BTreeSet;

use cloakroom::{Device, ErrorKind, OnLimit};
use time::Duration;

use crate::web::support::{Browser, Instance, Op, World, on_both};

on_both!(
    a_login_beyond_the_limit_ends_the_oldest,
    a_login_beyond_the_limit_is_refused_if_so_wished,
    logging_in_again_takes_no_further_place,
    the_limit_holds_while_somebody_logs_in_again,
    a_lower_limit_ends_all_that_are_too_many,
    what_expired_takes_no_place,
    without_a_limit_anything_goes,
);

async fn limited(world: &World, max: u32, at_limit: OnLimit) -> Instance {
    world
        .configured(|b| b.max_sessions_per_user(max).on_limit(at_limit))
        .await
}

async fn logged_in(instance: &Instance) -> Browser {
    let mut browser = Browser::new();
    browser.log_in(&instance.app, "alice").await;
    browser
}

async fn a_login_beyond_the_limit_ends_the_oldest(world: World) {
    let a = limited(&world, 2, OnLimit::EvictOldest).await;
    let b = world.instance().await;
    let mut browsers = [
        logged_in(&a).await,
        logged_in(&a).await,
        logged_in(&a).await,
    ];
    let mut bob = Browser::new();
    bob.log_in(&a.app, "bob").await;
    let mut users = Vec::new();
    for browser in &mut browsers {
        users.push(browser.user(&b.app).await.is_some());
    }
    assert_eq!(users, [false, true, true]);
    // The order is that of logins, not of use.
    browsers[1].put(&a.app, "/attr/k", "v").await.is(200);
    logged_in(&a).await;
    assert_eq!(browsers[1].user(&b.app).await, None);
    assert_eq!(browsers[2].user(&b.app).await.as_deref(), Some("alice"));
    assert_eq!(bob.user(&b.app).await.as_deref(), Some("bob"));
    assert_eq!(a.sessions.stats().evicted, 2);
}

async fn a_login_beyond_the_limit_is_refused_if_so_wished(world: World) {
    let a = limited(&world, 2, OnLimit::Refuse).await;
    let [mut one, _two] = [logged_in(&a).await, logged_in(&a).await];
    let mut third = Browser::new();
    third.put(&a.app, "/attr/cart", "hat").await.is(200);
    let refused = third.post(&a.app, "/login/alice").await.is(403);
    assert_eq!(refused.kind(), Some(ErrorKind::LimitReached));
    assert!(refused.cookies().is_empty(), "it keeps its session");
    assert_eq!(third.attr(&a.app, "cart").await.as_deref(), Some("hat"));
    assert_eq!(world.live().await, 3);
    one.post(&a.app, "/logout").await.is(204);
    third.log_in(&a.app, "alice").await;
    assert_eq!(a.sessions.list("alice").await.unwrap().len(), 2);
}

async fn logging_in_again_takes_no_further_place(world: World) {
    for at_limit in [OnLimit::Refuse, OnLimit::EvictOldest] {
        let a = limited(&world, 2, at_limit).await;
        let mut browsers = [logged_in(&a).await, logged_in(&a).await];
        for turn in 0..4 {
            browsers[turn % 2].log_in(&a.app, "alice").await;
            for browser in &mut browsers {
                assert_eq!(browser.user(&a.app).await.as_deref(), Some("alice"));
            }
            assert_eq!(a.sessions.list("alice").await.unwrap().len(), 2);
        }
        assert_eq!(a.sessions.revoke_user("alice").await.unwrap(), 2);
    }
}

/// The new session takes the place of the old one in a single step: at no moment are there more,
/// and no other has lost its place to it.
async fn the_limit_holds_while_somebody_logs_in_again(world: World) {
    let a = limited(&world, 2, OnLimit::EvictOldest).await;
    let mut browsers = [logged_in(&a).await, logged_in(&a).await];
    let before = a.sessions.list("alice").await.unwrap();
    let gate = a.store.hold_answer(Op::Create);
    let look = async {
        gate.reached().await;
        let listed = a.sessions.list("alice").await.unwrap();
        gate.open();
        listed
    };
    let (_, devices) = tokio::join!(browsers[0].log_in(&a.app, "alice"), look);
    let names = |devices: &[Device]| devices.iter().map(|d| d.handle).collect::<BTreeSet<_>>();
    assert_eq!(devices.len(), 2, "{devices:?}");
    assert_eq!(names(&devices), names(&before));
    assert_eq!(a.sessions.list("alice").await.unwrap().len(), 2);
    assert_eq!(browsers[1].user(&a.app).await.as_deref(), Some("alice"));
}

async fn a_lower_limit_ends_all_that_are_too_many(world: World) {
    let (a, b) = (
        world.instance().await,
        limited(&world, 2, OnLimit::EvictOldest).await,
    );
    for _ in 0..7 {
        logged_in(&a).await;
    }
    let mut last = logged_in(&b).await;
    assert_eq!(a.sessions.list("alice").await.unwrap().len(), 2);
    assert_eq!(last.user(&a.app).await.as_deref(), Some("alice"));
    assert_eq!(b.sessions.stats().evicted, 6);
}

async fn what_expired_takes_no_place(world: World) {
    let a = limited(&world, 1, OnLimit::Refuse).await;
    logged_in(&a).await;
    world.pass(Duration::minutes(31)).await;
    logged_in(&a).await;
    assert_eq!(a.sessions.list("alice").await.unwrap().len(), 1);
}

async fn without_a_limit_anything_goes(world: World) {
    let a = world.instance().await;
    for _ in 0..30 {
        logged_in(&a).await;
    }
    assert_eq!(a.sessions.list("alice").await.unwrap().len(), 30);
}
