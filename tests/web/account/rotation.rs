//! A new id for the same session.

use axum::Router;
use axum::routing::post;
use cloakroom::{Key, Session};

use crate::web::support::{Browser, World, on_both};

on_both!(
    everything_moves_to_the_new_id,
    without_a_session_there_is_nothing_to_rotate,
    changes_before_and_after_go_along,
    an_ended_session_is_not_rotated,
    two_rotations_in_one_request_leave_one_id,
);

async fn everything_moves_to_the_new_id(world: World) {
    let [a, b] = world.instances().await;
    let mut browser = Browser::new();
    browser
        .post(&a.app, "/login/alice?device=phone&remember=true")
        .await
        .is(200);
    browser.put(&a.app, "/attr/cart", "hat").await.is(200);
    let (before, old) = (browser.info(&a.app).await, browser.clone());
    let listed = a.sessions.list("alice").await.unwrap();
    browser.post(&b.app, "/rotate").await.is(200);
    let after = browser.info(&a.app).await;
    for same in [
        "user",
        "device",
        "handle",
        "created_at",
        "authenticated_at",
        "remembered",
    ] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert_eq!(
        before["revision"].as_u64().unwrap() + 1,
        after["revision"].as_u64().unwrap()
    );
    assert_eq!(browser.attr(&a.app, "cart").await.as_deref(), Some("hat"));
    for instance in [&a, &b] {
        assert_eq!(old.clone().user(&instance.app).await, None);
    }
    let again = a.sessions.list("alice").await.unwrap();
    assert_eq!((again.len(), again[0].handle), (1, listed[0].handle));
    assert_eq!(world.live().await, 1);
}

async fn without_a_session_there_is_nothing_to_rotate(world: World) {
    let a = world.instance().await;
    let answer = Browser::new().post(&a.app, "/rotate").await.is(200);
    assert!(answer.cookies().is_empty());
    assert!(a.store.calls().is_empty());
}

async fn changes_before_and_after_go_along(world: World) {
    let a = world.instance().await;
    let rotate = async |session: Session| {
        session.insert(Key::<String>::new("before"), "1")?;
        session.rotate().await?;
        session.insert(Key::<String>::new("after"), "2")
    };
    let app = Router::new()
        .route("/", post(rotate))
        .layer(a.sessions.layer());
    let mut browser = Browser::new();
    browser.put(&a.app, "/attr/first", "0").await.is(200);
    let answer = browser.post(&app, "/").await.is(200);
    assert_eq!(
        answer.cookies().len(),
        2,
        "the id once, with the last revision"
    );
    assert!(
        answer.revision_cookie().unwrap().value.ends_with(".3"),
        "{answer:?}"
    );
    for (key, value) in [("first", "0"), ("before", "1"), ("after", "2")] {
        assert_eq!(browser.attr(&a.app, key).await.as_deref(), Some(value));
    }
}

async fn an_ended_session_is_not_rotated(world: World) {
    let [a, b] = world.instances().await;
    let rotate = async |session: Session| {
        assert!(session.user().is_some());
        // Between the load and the rotation somebody logs out.
        session.log_out().await?;
        session.rotate().await
    };
    let app = Router::new()
        .route("/", post(rotate))
        .layer(a.sessions.layer());
    let mut browser = Browser::new();
    browser.log_in(&a.app, "alice").await;
    let answer = browser.post(&app, "/").await.is(200);
    assert!(answer.id_cookie().unwrap().removes());
    assert_eq!(browser.user(&b.app).await, None);
    assert_eq!(world.live().await, 0);
}

async fn two_rotations_in_one_request_leave_one_id(world: World) {
    let a = world.instance().await;
    let rotate = async |session: Session| {
        session.rotate().await?;
        session.rotate().await
    };
    let app = Router::new()
        .route("/", post(rotate))
        .layer(a.sessions.layer());
    let mut browser = Browser::new();
    browser.log_in(&a.app, "alice").await;
    let answer = browser.post(&app, "/").await.is(200);
    assert_eq!(answer.cookies().len(), 2);
    assert_eq!(browser.user(&a.app).await.as_deref(), Some("alice"));
    assert_eq!(world.live().await, 1);
}
