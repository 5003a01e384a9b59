//! Clients that go away in the middle of a request.

use axum::Router;
use axum::routing::post;
use cloakroom::Session;
use cloakroom_testkit::eventually;
use http::Method;

use crate::web::support::{Browser, Instance, LIMIT, Op, World, call, on_both};

on_both!(
    a_commit_that_has_begun_is_finished,
    a_login_that_has_begun_is_finished,
    a_logout_that_has_begun_is_finished,
    a_request_dropped_before_its_commit_changes_nothing,
    a_login_that_its_handler_gave_up_is_told_all_the_same,
    requests_dropped_at_any_moment_harm_nobody,
);

/// Begins a request and drops it when it has arrived at this operation.
async fn dropped_at(a: &Instance, browser: &Browser, op: Op, method: Method, path: &str) {
    let gate = a.store.hold(op);
    let request = browser.request(method, path).body("late".into()).unwrap();
    let app = a.app.clone();
    let request = tokio::spawn(async move { call(&app, request).await });
    gate.reached().await;
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    gate.open();
}

async fn a_commit_that_has_begun_is_finished(world: World) {
    let [a, b] = world.instances().await;
    let mut browser = Browser::new();
    browser.put(&a.app, "/attr/k", "before").await.is(200);
    dropped_at(&a, &browser, Op::Commit, Method::PUT, "/attr/k").await;
    let done = async || browser.clone().attr(&b.app, "k").await.as_deref() == Some("late");
    assert!(eventually(LIMIT, done).await);
    dropped_at(&a, &Browser::new(), Op::Create, Method::PUT, "/attr/k").await;
    assert!(eventually(LIMIT, async || world.live().await == 2).await);
}

async fn a_login_that_has_begun_is_finished(world: World) {
    let [a, b] = world.instances().await;
    for op in [Op::Load, Op::Create, Op::Retire] {
        let mut browser = Browser::new();
        browser.put(&a.app, "/attr/k", "before").await.is(200);
        let path = "/login/alice";
        if op == Op::Load {
            // It has not begun: only the session was read.
            dropped_at(&a, &browser, op, Method::POST, path).await;
            assert_eq!(browser.attr(&b.app, "k").await.as_deref(), Some("before"));
            continue;
        }
        dropped_at(&a, &browser, op, Method::POST, path).await;
        let retired = async || browser.clone().attr(&b.app, "k").await.is_none();
        assert!(eventually(LIMIT, retired).await);
        assert_eq!(browser.user(&b.app).await, None, "the old id is nobody's");
        assert_eq!(b.sessions.revoke_user("alice").await.unwrap(), 1);
    }
    assert_eq!(
        world.live().await,
        1,
        "nothing is left but what was not touched"
    );
}

async fn a_logout_that_has_begun_is_finished(world: World) {
    let [a, b] = world.instances().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    dropped_at(&a, &alice, Op::End, Method::POST, "/logout").await;
    let gone = async || alice.clone().user(&b.app).await.is_none();
    assert!(eventually(LIMIT, gone).await);
}

async fn a_request_dropped_before_its_commit_changes_nothing(world: World) {
    let a = world.instance().await;
    let mut browser = Browser::new();
    browser.put(&a.app, "/attr/k", "before").await.is(200);
    a.store.calls();
    dropped_at(&a, &browser, Op::Load, Method::PUT, "/attr/k").await;
    assert_eq!(browser.attr(&a.app, "k").await.as_deref(), Some("before"));
    assert!(!a.store.calls().contains_key(&Op::Commit));
}

/// The handler waits for its login only so long; the response then tells what became of it.
async fn a_login_that_its_handler_gave_up_is_told_all_the_same(world: World) {
    let a = world.instance().await;
    let gate = a.store.hold(Op::Create);
    let handler = {
        let gate = gate.clone();
        async move |session: Session| {
            tokio::select! {
                _ = async { session.log_in("alice").await } => unreachable!("it is held"),
                () = gate.reached() => gate.open(),
            }
        }
    };
    let app = Router::new()
        .route("/", post(handler))
        .layer(a.sessions.layer());
    let mut browser = Browser::new();
    browser.post(&app, "/").await.is(200);
    assert_eq!(browser.user(&a.app).await.as_deref(), Some("alice"));
}

/// A41, without the network: nobody ever sees what is another's.
async fn requests_dropped_at_any_moment_harm_nobody(world: World) {
    let a = world.instance().await;
    let mut browsers = [Browser::new(), Browser::new(), Browser::new()];
    for (n, browser) in browsers.iter_mut().enumerate() {
        browser.log_in(&a.app, &format!("user-{n}")).await;
        browser
            .put(&a.app, "/attr/mine", &format!("value-{n}"))
            .await
            .is(200);
    }
    for round in 0..2_000usize {
        let n = round % 3;
        let (mut browser, app) = (browsers[n].clone(), a.app.clone());
        let write = format!("/attr/round-{}", round % 7);
        let dropped = tokio::spawn(async move {
            browser.put(&app, &write, &round.to_string()).await;
            browser.user(&app).await
        });
        for _ in 0..round % 23 {
            tokio::task::yield_now().await;
        }
        dropped.abort();
        if round % 10 == 0 {
            let mine = browsers[n].attr(&a.app, "mine").await;
            assert_eq!(mine, Some(format!("value-{n}")));
            assert_eq!(browsers[n].user(&a.app).await, Some(format!("user-{n}")));
        }
    }
}
