//! Logging out.

use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use cloakroom::redis::Durability;
use cloakroom::{ErrorKind, Key, Session, Sessions};
use cloakroom_testkit::RedisServer;
use time::Duration;

use crate::web::support::{Browser, World, app, on_both};

on_both!(
    a_logout_ends_it_everywhere,
    a_logout_with_an_id_that_leads_nowhere_removes_it,
    after_a_logout_begins_another_session,
);

async fn a_logout_ends_it_everywhere(world: World) {
    let [a, b] = world.instances().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    let old = alice.clone();
    assert!(
        alice
            .post(&b.app, "/logout")
            .await
            .is(204)
            .id_cookie()
            .unwrap()
            .removes()
    );
    assert_eq!(alice.id(), None);
    for instance in [&a, &b] {
        assert_eq!(old.clone().user(&instance.app).await, None);
        assert_eq!(instance.sessions.list("alice").await.unwrap(), []);
    }
    assert_eq!(world.live().await, 0);
    // Again, with the id and without: no error, and the client may have a newer id by now.
    for mut again in [old, alice] {
        let nothing = again.post(&a.app, "/logout").await.is(204);
        assert!(nothing.cookies().is_empty());
    }
}

#[tokio::test]
async fn a_logout_that_no_replica_confirms_is_one_and_is_reported() {
    let server = RedisServer::start().await;
    let store = cloakroom::redis::store(server.url());
    let store = store.durability(Durability::Replicas(1, Duration::milliseconds(20)));
    let store = Arc::new(store.connect().await.unwrap());
    let sessions = Sessions::builder(store).build().await.unwrap();
    let app = app::router(&sessions);
    let mut alice = Browser::new();
    alice.log_in(&app, "alice").await;
    let mut old = alice.clone();
    let answer = alice.post(&app, "/logout").await.is(503);
    assert_eq!(answer.kind(), Some(ErrorKind::NotReplicated));
    assert!(answer.id_cookie().unwrap().removes());
    assert_eq!(old.user(&app).await, None, "it has ended");
    alice.log_in(&app, "alice").await;
    let error = sessions.revoke_user("alice").await.unwrap_err();
    assert!(error.is_not_replicated() && error.is_retryable());
    assert_eq!(alice.user(&app).await, None, "so has this");
}

async fn a_logout_with_an_id_that_leads_nowhere_removes_it(world: World) {
    let a = world.instance().await;
    let read_first = async |session: Session| session.log_out().await;
    let read_first = Router::new().route("/logout", post(read_first));
    let read_first = read_first.layer(a.sessions.layer());
    for app in [&a.app, &read_first] {
        let mut alice = Browser::new();
        alice.log_in(&a.app, "alice").await;
        a.sessions.revoke_user("alice").await.unwrap();
        let answer = alice.post(app, "/logout").await;
        assert!(answer.status.is_success());
        assert!(answer.id_cookie().unwrap().removes());
        assert_eq!(alice.id(), None);
    }
}

async fn after_a_logout_begins_another_session(world: World) {
    const LEFT: Key<String> = Key::new("left");
    let a = world.instance().await;
    let leave = async |session: Session| {
        session.insert(Key::<String>::new("before"), "dropped")?;
        session.log_out().await?;
        session.insert(LEFT, "come back soon")
    };
    let app = Router::new()
        .route("/", post(leave))
        .layer(a.sessions.layer());
    let mut browser = Browser::new();
    browser.log_in(&a.app, "alice").await;
    let old = browser.clone();
    let answer = browser.post(&app, "/").await.is(200);
    assert_ne!(answer.new_id().as_deref(), old.id());
    assert_eq!(browser.user(&a.app).await, None);
    assert_eq!(
        browser.attr(&a.app, "left").await.as_deref(),
        Some("come back soon")
    );
    assert_eq!(browser.attr(&a.app, "before").await, None);
    assert_eq!(world.live().await, 1);
}
