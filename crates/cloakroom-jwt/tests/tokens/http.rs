//! The layer and the extractor, and what clients are told.

use crate::forge::{ring, saying, verifier};
use axum::{Extension, Router, body::Body, routing::get};
use cloakroom_core::{BoxFuture, Error, ErrorKind, ManualClock, Result};
use cloakroom_jwt::{
    AccessToken, Jwks, Refusal, Registered, RevocationCheck, Standing, Verified, Verifier,
};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use tower::ServiceExt as _;

#[derive(serde::Deserialize)]
struct Plan {
    seats: u32,
}

async fn seats(token: AccessToken<Plan>) -> Result<String, Refusal> {
    token.require_scope("seats:read")?;
    Ok(format!(
        "{} {}",
        token.registered().subject,
        token.app.seats
    ))
}

async fn greet(token: Option<AccessToken>) -> String {
    token.map_or("nobody".into(), |token| token.registered().subject.clone())
}

fn app() -> Router {
    let routes = Router::new()
        .route("/seats", get(seats))
        .route("/greet", get(greet));
    routes.layer(Extension(verifier(&ring())))
}

async fn ask(app: Router, path: &str, authorization: Option<&str>) -> (u16, String, String) {
    let mut request = Request::get(path);
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    let response = app
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let status = response.status().as_u16();
    let header = |name| {
        response
            .headers()
            .get(name)
            .map_or("", |v: &http::HeaderValue| v.to_str().unwrap())
            .to_owned()
    };
    let challenge = header("www-authenticate");
    if status >= 400 && status != 500 {
        assert_eq!(header("cache-control"), "no-store");
    }
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, challenge, String::from_utf8(body.to_vec()).unwrap())
}

const INVALID: &str = r#"Bearer error="invalid_token""#;

#[tokio::test]
async fn a_handler_gets_the_token_or_the_client_is_told_why_not() {
    let plan = [
        ("app", Some(r#"{"seats":5}"#)),
        ("scope", Some("\"seats:read x\"")),
    ];
    let good = format!("Bearer {}", saying(&plan));
    assert_eq!(
        ask(app(), "/seats", Some(&good)).await,
        (200, String::new(), "alice 5".into())
    );

    let unscoped = format!("Bearer {}", saying(&plan[..1]));
    let (status, challenge, body) = ask(app(), "/seats", Some(&unscoped)).await;
    let told = r#"Bearer error="insufficient_scope", scope="seats:read""#;
    assert_eq!((status, challenge.as_str(), body.as_str()), (403, told, ""));

    let other = format!(
        "Bearer {}",
        saying(&[("app", Some("{\"seats\":\"five\"}"))])
    );
    let expired = format!("Bearer {}", saying(&[("exp", Some("1"))]));
    let gone = r#"Bearer error="invalid_token", error_description="the token has expired""#;
    for (value, status, told) in [
        (None, 401, "Bearer"),
        (Some("Basic YTpi"), 401, "Bearer"),
        (Some("Bearer"), 400, r#"Bearer error="invalid_request""#),
        (Some("Bearer a b"), 400, r#"Bearer error="invalid_request""#),
        (Some("Bearer a.b.c"), 401, INVALID),
        (Some(&other), 401, INVALID),
        (Some(&expired), 401, gone),
    ] {
        let answer = ask(app(), "/seats", value).await;
        assert_eq!(
            answer,
            (status, told.to_owned(), String::new()),
            "{value:?}"
        );
    }
    let (status, ..) = ask(app(), "/seats?access_token=x", Some(&good)).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn an_optional_token_may_be_missing_and_not_be_wrong() {
    let good = format!("Bearer {}", saying(&[]));
    assert_eq!(ask(app(), "/greet", None).await.2, "nobody");
    assert_eq!(ask(app(), "/greet", Some(&good)).await.2, "alice");
    assert_eq!(ask(app(), "/greet", Some("Bearer x")).await.0, 401);
}

#[tokio::test]
async fn axums_handlers_take_the_token_from_the_layer() {
    let token = format!("Bearer {}", saying(&[]));
    for verifier in [verifier(&ring()), asking(List::Clean)] {
        let app = || {
            let routes = Router::new().route("/greet", get(greet));
            routes.layer(verifier.layer())
        };
        assert_eq!(ask(app(), "/greet", Some(&token)).await.2, "alice");
        // The handler would do without one; the layer doesn't.
        let (status, challenge, _) = ask(app(), "/greet", None).await;
        assert_eq!((status, challenge.as_str()), (401, "Bearer"));
    }
}

#[tokio::test]
async fn a_route_without_a_verifier_says_what_to_do_to_the_operator_alone() {
    let bare = Router::new().route("/greet", get(greet));
    let (status, challenge, body) = ask(bare, "/greet", None).await;
    assert_eq!((status, challenge.as_str(), body.as_str()), (500, "", ""));
}

#[tokio::test]
async fn the_document_may_be_kept_for_a_while() {
    let keys = ring();
    let document = move || std::future::ready(keys.jwks(time::OffsetDateTime::now_utc()));
    let app: Router = Router::new().route("/jwks", get(document));
    let request = Request::get("/jwks").body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(
        response.headers()["content-type"],
        "application/jwk-set+json"
    );
    assert_eq!(
        response.headers()["cache-control"],
        format!("public, max-age={}", Jwks::MAX_AGE)
    );
}

/// A list of what was revoked that is asked for each time, as in a store.
#[derive(Debug)]
enum List {
    Revoked,
    Clean,
    Away,
}

impl RevocationCheck for List {
    fn ask<'a>(&'a self, claims: &'a Registered) -> BoxFuture<'a, Result<Standing>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            assert_eq!(claims.subject, "alice");
            match self {
                Self::Revoked => Ok(Standing::Revoked),
                Self::Clean => Ok(Standing::Good),
                Self::Away => Err(Error::new(ErrorKind::Unavailable, "the store is away")),
            }
        })
    }
}

fn asking(list: List) -> Verifier {
    let builder = Verifier::builder(ring(), "https://login.example").audience("shop");
    let builder = builder
        .clock(ManualClock::default())
        .revocation(Arc::new(list));
    builder.build().unwrap()
}

async fn through(layer: cloakroom_jwt::TokenLayer, token: Option<&str>) -> Response<String> {
    let inner = tower::service_fn(async |request: Request<()>| {
        let token = request.extensions().get::<Verified>().unwrap();
        Ok::<_, std::io::Error>(Response::new(token.registered().subject.clone()))
    });
    let mut request = Request::new(());
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
    }
    let service = tower::Layer::layer(&layer, inner);
    service.oneshot(request).await.unwrap()
}

#[tokio::test]
async fn the_layer_lets_good_tokens_pass_and_answers_the_others() {
    let token = saying(&[("scope", Some("\"a\""))]);
    for verifier in [verifier(&ring()), asking(List::Clean)] {
        let answer = through(verifier.layer(), Some(&token)).await;
        assert_eq!(answer.body(), "alice");
        let answer = through(verifier.layer().require_scope("a"), Some(&token)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let answer = through(verifier.layer().require_scope("b"), Some(&token)).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        let answer = through(verifier.layer(), Some("a.b.c")).await;
        assert_eq!(answer.headers()["www-authenticate"], INVALID);
        let answer = through(verifier.layer(), None).await;
        assert!(matches!(answer.extensions().get(), Some(Refusal::Missing)));
    }
}

#[tokio::test]
async fn what_was_revoked_is_refused_and_a_list_that_is_away_lets_nothing_pass() {
    let token = saying(&[]);
    let answer = through(asking(List::Revoked).layer(), Some(&token)).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(matches!(answer.extensions().get(), Some(Refusal::Revoked)));
    let answer = through(asking(List::Away).layer(), Some(&token)).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "1");
    assert!(!answer.headers().contains_key("www-authenticate"));

    let refused = asking(List::Revoked).verify(&token).await;
    assert!(matches!(refused, Err(Refusal::Revoked)));
    assert!(
        asking(List::Revoked)
            .verify_ignoring_revocation(&token)
            .is_ok()
    );
    assert!(asking(List::Clean).verify(&token).await.is_ok());
}
