//! Sessions whose user asked to be remembered.

use time::Duration;

use super::{last_seen, touched};
use crate::web::support::{Browser, World, on_both};

on_both!(
    its_own_lifetime_outlasts_every_later_write,
    its_own_limits_end_it,
    logging_in_again_without_the_wish_forgets,
);

const REMEMBER: &str = "/login/alice?remember=true";

/// Written, rotated and read by instances that would give it minutes.
async fn its_own_lifetime_outlasts_every_later_write(world: World) {
    let a = world.instance().await;
    let minutes = |b: cloakroom::SessionsBuilder| {
        let (idle, absolute) = (Duration::minutes(2), Duration::minutes(10));
        b.idle_timeout(idle)
            .absolute_timeout(absolute)
            .remembered_for(idle, absolute)
    };
    let b = world.configured(minutes).await;
    let mut alice = Browser::new();
    alice.post(&a.app, REMEMBER).await.is(200);
    for turn in 0..3 {
        world.pass(Duration::days(5)).await;
        alice
            .put(&b.app, "/attr/k", &turn.to_string())
            .await
            .is(200);
        alice.post(&b.app, "/counter").await.is(200);
        alice.post(&b.app, "/rotate").await.is(200);
        assert_eq!(alice.info(&b.app).await["remembered"], true);
    }
    world.pass(Duration::days(13)).await;
    assert_eq!(alice.user(&b.app).await.as_deref(), Some("alice"));
    assert!(a.sessions.list("alice").await.unwrap()[0].remembered);
}

async fn its_own_limits_end_it(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.post(&a.app, REMEMBER).await.is(200);
    world.pass(Duration::days(14)).await;
    assert_eq!(alice.user(&a.app).await, None, "unused for two weeks");

    alice.post(&a.app, REMEMBER).await.is(200);
    for _ in 0..5 {
        world.pass(Duration::days(5)).await;
        let before = last_seen(&a).await;
        assert_eq!(alice.user(&a.app).await.as_deref(), Some("alice"));
        touched(&a, before).await;
    }
    world.pass(Duration::days(5)).await;
    assert_eq!(alice.user(&a.app).await, None, "thirty days are over");
}

async fn logging_in_again_without_the_wish_forgets(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    let remembered = alice.post(&a.app, REMEMBER).await.is(200);
    assert!(remembered.id_cookie().unwrap().max_age().is_some());
    let forgotten = alice.log_in(&a.app, "alice").await;
    assert_eq!(forgotten.id_cookie().unwrap().max_age(), None);
    assert_eq!(alice.info(&a.app).await["remembered"], false);
    world.pass(Duration::minutes(31)).await;
    assert_eq!(alice.user(&a.app).await, None);
}
