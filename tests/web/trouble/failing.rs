//! What stays of a request whose handler fails.

use axum::Router;
use axum::routing::post;
use cloakroom::{Error, Key, Result, Session};
use http::{Method, StatusCode};

use crate::web::support::{Browser, Instance, Op, World, call, on_both};

on_both!(
    changes_of_a_failed_request_are_dropped,
    a_login_stays_though_its_request_fails,
    a_logout_stays_though_its_request_fails,
    an_update_stays_though_its_request_fails,
    a_rotation_stays_though_its_request_fails,
    a_handler_that_panics_changes_nothing,
    a_handler_that_panics_after_a_login_leaves_all_in_order,
);

const KEY: Key<String> = Key::new("k");

const FAILED: Result<StatusCode> = Ok(StatusCode::BAD_GATEWAY);

/// A handler at `POST /`, behind the layer.
fn app<H, T>(instance: &Instance, handler: H) -> Router
where
    H: axum::handler::Handler<T, ()>,
    T: 'static,
{
    let app = Router::new().route("/", post(handler));
    app.layer(instance.sessions.layer())
}

async fn known(instance: &Instance) -> Browser {
    let mut browser = Browser::new();
    browser
        .put(&instance.app, "/attr/k", "before")
        .await
        .is(200);
    instance.store.calls();
    browser
}

async fn changes_of_a_failed_request_are_dropped(world: World) {
    let a = world.instance().await;
    let fails = app(&a, async |session: Session| {
        session.insert(KEY, "after")?;
        session.insert(Key::<u8>::new("new"), &1)?;
        FAILED
    });
    let mut browser = known(&a).await;
    for browser in [&mut browser, &mut Browser::new()] {
        let answer = browser.post(&fails, "/").await.is(502);
        assert!(answer.cookies().is_empty());
        assert_eq!(answer.header("vary"), ["cookie"]);
    }
    assert_eq!(
        a.store.calls().into_iter().collect::<Vec<_>>(),
        [(Op::Load, 1)]
    );
    assert_eq!(browser.attr(&a.app, "k").await.as_deref(), Some("before"));
    assert_eq!(world.live().await, 1);
}

async fn a_login_stays_though_its_request_fails(world: World) {
    let a = world.instance().await;
    let fails = app(&a, async |session: Session| {
        session.insert(KEY, "goes along")?;
        session.log_in("alice").await?;
        session.insert(KEY, "dropped")?;
        FAILED
    });
    let mut browser = known(&a).await;
    let old = browser.clone();
    assert!(browser.post(&fails, "/").await.is(502).new_id().is_some());
    assert_eq!(browser.user(&a.app).await.as_deref(), Some("alice"));
    assert_eq!(
        browser.attr(&a.app, "k").await.as_deref(),
        Some("goes along")
    );
    assert_eq!(old.clone().attr(&a.app, "k").await, None);
}

async fn a_logout_stays_though_its_request_fails(world: World) {
    let a = world.instance().await;
    let fails = app(&a, async |session: Session| {
        session.log_out().await?;
        FAILED
    });
    let mut browser = known(&a).await;
    let answer = browser.post(&fails, "/").await.is(502);
    assert!(answer.id_cookie().unwrap().removes());
    assert_eq!(world.live().await, 0);
}

async fn an_update_stays_though_its_request_fails(world: World) {
    let a = world.instance().await;
    let fails = app(&a, async |session: Session| {
        session
            .update(KEY, |value| value.push_str(" and after"))
            .await?;
        FAILED
    });
    let mut browser = known(&a).await;
    assert!(
        browser
            .post(&fails, "/")
            .await
            .is(502)
            .revision_cookie()
            .is_some()
    );
    assert_eq!(
        browser.attr(&a.app, "k").await.as_deref(),
        Some("before and after")
    );
}

async fn a_rotation_stays_though_its_request_fails(world: World) {
    let a = world.instance().await;
    let fails = app(&a, async |session: Session| {
        session.rotate().await?;
        FAILED
    });
    let mut browser = known(&a).await;
    assert!(browser.post(&fails, "/").await.is(502).new_id().is_some());
    assert_eq!(browser.attr(&a.app, "k").await.as_deref(), Some("before"));
}

/// Sends a request whose handler panics, as a server would: in a task of its own.
async fn panics(app: &Router, browser: &Browser) {
    let request = browser.request(Method::POST, "/").body(Default::default());
    let app = app.clone();
    let task = tokio::spawn(async move { call(&app, request.unwrap()).await });
    assert!(task.await.unwrap_err().is_panic());
}

async fn a_handler_that_panics_changes_nothing(world: World) {
    let a = world.instance().await;
    let fails = app(&a, async |session: Session| {
        session.insert(KEY, "after").unwrap();
        if session.revision().is_some() {
            std::panic::resume_unwind(Box::new("the test says so"));
        }
    });
    let mut browser = known(&a).await;
    panics(&fails, &browser).await;
    assert!(!a.store.calls().contains_key(&Op::Commit));
    assert_eq!(browser.attr(&a.app, "k").await.as_deref(), Some("before"));
    browser.put(&a.app, "/attr/k", "it goes on").await.is(200);
}

async fn a_handler_that_panics_after_a_login_leaves_all_in_order(world: World) {
    let a = world.configured(|b| b.max_sessions_per_user(1)).await;
    let fails = app(&a, async |session: Session| {
        session.log_in("alice").await?;
        if session.user().is_some() {
            std::panic::resume_unwind(Box::new("the test says so"));
        }
        Ok::<_, Error>(())
    });
    let mut browser = known(&a).await;
    panics(&fails, &browser).await;
    assert_eq!(browser.user(&a.app).await, None, "the client was not told");
    assert_eq!(
        a.sessions.list("alice").await.unwrap().len(),
        1,
        "and nobody holds it"
    );
    browser.log_in(&a.app, "alice").await;
    assert_eq!(a.sessions.list("alice").await.unwrap().len(), 1);
    assert_eq!(world.live().await, 1);
}
