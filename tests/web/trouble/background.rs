//! Sessions that outlive their response.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::post;
use cloakroom::{ErrorKind, Key, Session};

use crate::web::support::{Browser, Instance, Op, World, on_both};

on_both!(
    it_reads_and_writes_on,
    it_takes_no_new_id,
    it_learns_that_the_session_has_ended,
    what_is_set_during_a_commit_is_not_lost,
    a_session_outside_any_request_works_alike,
);

const KEY: Key<u32> = Key::new("k");

/// The session of a request that has been answered.
async fn kept(a: &Instance, browser: &mut Browser) -> Session {
    let keep: Arc<Mutex<Option<Session>>> = Arc::default();
    let place = Arc::clone(&keep);
    let handler = async move |session: Session| *place.lock().unwrap() = Some(session);
    let app = Router::new()
        .route("/", post(handler))
        .layer(a.sessions.layer());
    browser.post(&app, "/").await.is(200);
    let session = keep.lock().unwrap().take();
    session.unwrap()
}

async fn it_reads_and_writes_on(world: World) {
    let [a, b] = world.instances().await;
    let mut browser = Browser::new();
    browser.log_in(&a.app, "alice").await;
    let session = kept(&a, &mut browser).await;
    session.insert(KEY, &1).unwrap();
    session.commit().await.unwrap();
    assert_eq!(session.update(KEY, |n| *n += 1).await.unwrap(), 2);
    let other = kept(&b, &mut browser).await;
    assert_eq!(other.update(KEY, |n| *n += 1).await.unwrap(), 3);
    assert_eq!(session.get(KEY).unwrap(), Some(2), "as it was read");
    assert!(session.reload().await.unwrap());
    assert_eq!(session.get(KEY).unwrap(), Some(3));
    assert_eq!(session.update(KEY, |n| *n += 1).await.unwrap(), 4);
    assert_eq!(session.revision(), Some(5));
}

async fn it_takes_no_new_id(world: World) {
    let a = world.instance().await;
    let mut browser = Browser::new();
    let session = kept(&a, &mut browser).await;
    session.insert(KEY, &1).unwrap();
    let refused = |error: cloakroom::Error| assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    refused(session.commit().await.unwrap_err());
    refused(session.log_in("alice").await.unwrap_err());
    assert_eq!(world.live().await, 0);
    browser.log_in(&a.app, "alice").await;
    let session = kept(&a, &mut browser).await;
    refused(session.rotate().await.unwrap_err());
    assert_eq!(
        browser.user(&a.app).await.as_deref(),
        Some("alice"),
        "it keeps its id"
    );
}

async fn it_learns_that_the_session_has_ended(world: World) {
    let [a, b] = world.instances().await;
    let mut browser = Browser::new();
    browser.log_in(&a.app, "alice").await;
    let session = kept(&a, &mut browser).await;
    assert!(session.reload().await.unwrap());
    b.sessions.revoke_user("alice").await.unwrap();
    let error = session.update(KEY, |n| *n += 1).await.unwrap_err();
    assert!(error.is_gone());
    assert!(!session.reload().await.unwrap());
    assert_eq!(session.user(), None);
    session.insert(KEY, &1).unwrap();
    // What is written to a session that others ended comes back as nothing: not under a new id.
    session.commit().await.unwrap();
    let error = session.update(KEY, |n| *n += 1).await.unwrap_err();
    assert!(error.is_gone());
    assert_eq!(world.live().await, 0);
}

async fn what_is_set_during_a_commit_is_not_lost(world: World) {
    let a = world.instance().await;
    let mut browser = Browser::new();
    browser.put(&a.app, "/attr/x", "x").await.is(200);
    let session = kept(&a, &mut browser).await;
    session.insert(KEY, &1).unwrap();
    let gate = a.store.hold(Op::Commit);
    let meanwhile = async {
        gate.reached().await;
        session.insert(KEY, &2).unwrap();
        session.insert(Key::<u32>::new("other"), &3).unwrap();
        gate.open();
    };
    let (committed, ()) = tokio::join!(session.commit(), meanwhile);
    committed.unwrap();
    assert_eq!(session.get(KEY).unwrap(), Some(2));
    session.commit().await.unwrap();
    let other = kept(&a, &mut browser).await;
    assert_eq!(other.get(KEY).unwrap(), Some(2));
    assert_eq!(other.get(Key::<u32>::new("other")).unwrap(), Some(3));
}

async fn a_session_outside_any_request_works_alike(world: World) {
    let a = world.instance().await;
    let session = a.sessions.detached().load().await.unwrap();
    session.insert(KEY, &1).unwrap();
    session.commit().await.unwrap();
    assert_eq!(session.revision(), Some(1));
    session.log_in("alice").device("job").await.unwrap();
    assert_eq!(a.sessions.list("alice").await.unwrap().len(), 1);
    session.rotate().await.unwrap();
    assert_eq!(session.get(KEY).unwrap(), Some(1));
    session.log_out().await.unwrap();
    assert_eq!(world.live().await, 0);
}
