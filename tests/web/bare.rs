//! The layer without axum, and axum without the layer.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use bytes::Bytes;
use cloakroom::{ErrorKind, Key, LazySession, Session, SessionFailure};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::web::support::{Browser, Op, SetCookie, World, app, call, on_both};

on_both!(
    any_body_will_do,
    a_service_s_own_error_passes,
    the_layer_s_failures_have_no_body,
    all_who_ask_share_one_session
);

const SEEN: Key<u32> = Key::new("seen");

/// Any tower service finds the session in the request's extensions.
async fn session<B>(request: &Request<B>) -> cloakroom::Result<Session> {
    request
        .extensions()
        .get::<LazySession>()
        .unwrap()
        .load()
        .await
}

async fn any_body_will_do(world: World) {
    let a = world.instance().await;
    let strings = a
        .sessions
        .layer()
        .layer(service_fn(|request: Request<()>| async move {
            let seen = session(&request)
                .await?
                .update(SEEN, |seen| *seen += 1)
                .await?;
            Ok::<_, cloakroom::Error>(Response::new(seen.to_string()))
        }));
    let first = strings.clone().oneshot(Request::new(())).await.unwrap();
    let id = SetCookie::all(first.headers())[0].value.clone();
    let request = Browser::with_id(&id).request(Method::GET, "/").body(());
    let second = strings.oneshot(request.unwrap()).await.unwrap();
    assert_eq!((first.body().as_str(), second.body().as_str()), ("1", "2"));

    let bytes = a
        .sessions
        .layer()
        .layer(service_fn(|request: Request<Empty<Bytes>>| async move {
            let seen = session(&request).await.unwrap().get(SEEN).unwrap();
            let body = Full::new(Bytes::from(seen.unwrap().to_string()));
            Ok::<_, Infallible>(Response::new(body))
        }));
    let request = Browser::with_id(&id)
        .request(Method::GET, "/")
        .body(Empty::new());
    let third = bytes.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(third.status(), 200);
}

async fn a_service_s_own_error_passes(world: World) {
    let a = world.instance().await;
    let service = a
        .sessions
        .layer()
        .layer(service_fn(|request: Request<()>| async move {
            session(&request).await.unwrap().insert(SEEN, &1).unwrap();
            Err::<Response<String>, _>("the service is broken")
        }));
    let error = service.oneshot(Request::new(())).await.unwrap_err();
    assert_eq!(error, "the service is broken");
    assert_eq!(world.live().await, 0, "and what it half did is not kept");
}

async fn the_layer_s_failures_have_no_body(world: World) {
    let a = world.instance().await;
    let service = a
        .sessions
        .layer()
        .layer(service_fn(|request: Request<()>| async move {
            session(&request).await.unwrap().insert(SEEN, &1).unwrap();
            Ok::<_, Infallible>(Response::new("all went well".to_owned()))
        }));
    a.store.refuse(Op::Create);
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(
        (response.status(), response.body().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "")
    );
    assert_eq!(response.headers()["retry-after"], "1");
    let failure = response.extensions().get::<SessionFailure>().unwrap();
    assert_eq!(failure.error().kind(), ErrorKind::Unavailable);
}

/// Middleware, extractors and clones: one load, one commit, and each sees the others' changes.
async fn all_who_ask_share_one_session(world: World) {
    let a = world.instance().await;
    let handler = async |lazy: LazySession, one: Session, two: Session| {
        assert_eq!(
            one.get(SEEN).unwrap(),
            Some(1),
            "the middleware has been here"
        );
        lazy.insert(SEEN, &2).unwrap();
        assert_eq!(two.clone().get(SEEN).unwrap(), Some(2));
    };
    let middleware = async |session: Session, request: Request<Body>, next: Next| {
        session.insert(SEEN, &1).unwrap();
        let response = next.run(request).await;
        assert_eq!(session.get(SEEN).unwrap(), Some(2));
        response
    };
    let app = Router::new().route("/", get(handler));
    let app = app.layer(from_fn(middleware)).layer(a.sessions.layer());
    let mut browser = Browser::new();
    browser.log_in(&a.app, "alice").await;
    a.store.calls();
    browser.get(&app, "/").await.is(200);
    let calls: Vec<_> = a.store.calls().into_iter().collect();
    assert_eq!(calls, [(Op::Load, 1), (Op::Commit, 1)]);
}

/// A route outside the layer says what to do about it.
#[tokio::test]
async fn without_the_layer_the_extractors_say_what_is_missing() {
    for (method, path) in [(Method::GET, "/info"), (Method::GET, "/unused")] {
        let request = Request::builder().method(method).uri(path);
        let answer = call(&app::routes(), request.body(Body::empty()).unwrap()).await;
        let answer = answer.is(500);
        assert!(
            answer.text.contains(".layer(sessions.layer())"),
            "{answer:?}"
        );
    }
}
