//! The shop: one small application, the same on every instance.

mod account;
mod attributes;
mod cart;
mod devices;
mod events;
mod fields;
mod health;
mod metrics;
pub(crate) mod page;
mod profile;

use crate::{
    instance::{Identity, LifeWatch},
    refusal::Refusal,
    version::Version,
};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header::CONNECTION},
    middleware::{self, Next},
    response::Response,
};
use cloakroom::{Session, Sessions};
use metrics::Metrics;
use serde::Serialize;
use std::sync::Arc;

/// The longest body of a request, in bytes.
const LONGEST_BODY: usize = 1024 * 1024;

/// What an instance's handlers share.
#[derive(Debug)]
pub(crate) struct Shop {
    identity: Identity,
    sessions: Sessions,
    life: LifeWatch,
    metrics: Metrics,
}

/// An answer, and who gave it.
#[derive(Debug, Serialize)]
struct Served<T> {
    #[serde(flatten)]
    body: T,
    instance: Arc<str>,
    version: Version,
}

/// An answer that is only who gave it.
#[derive(Debug, Serialize)]
struct Nothing {}

impl Shop {
    pub(crate) fn new(identity: Identity, sessions: Sessions, life: LifeWatch) -> Self {
        let metrics = Metrics::new(&identity, sessions.clone());
        Self {
            identity,
            sessions,
            life,
            metrics,
        }
    }

    /// Signs an answer with the instance's name and version.
    fn served<T>(&self, body: T) -> Served<T> {
        Served {
            body,
            instance: self.identity.name.clone(),
            version: self.identity.version,
        }
    }

    /// The logged-in user, or the answer to those who are not.
    fn user(&self, session: &Session) -> Result<Arc<str>, Refusal> {
        #[derive(Serialize)]
        struct Anonymous {
            error: &'static str,
        }
        session.user().ok_or_else(|| {
            let body = self.served(Anonymous {
                error: "not logged in",
            });
            Refusal::with_body(StatusCode::UNAUTHORIZED, body)
        })
    }
}

/// All routes of the shop. The page, health and metrics lie outside of the session layer.
pub(crate) fn router(shop: Arc<Shop>) -> Router {
    Router::new()
        .merge(account::routes())
        .merge(attributes::routes())
        .merge(cart::routes())
        .merge(devices::routes())
        .merge(events::routes())
        .merge(profile::routes())
        .layer(shop.sessions.layer())
        .merge(page::routes())
        .merge(health::routes())
        .merge(metrics::routes())
        .fallback(async || Refusal::missing("no such route"))
        .method_not_allowed_fallback(async || {
            Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this route takes another method",
            )
        })
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(middleware::from_fn_with_state(shop.clone(), sign))
        .with_state(shop)
}

/// The middleware around all routes: counts the request, and writes the instance's name into
/// the response's head, for answers that have no body.
async fn sign(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    const INSTANCE: HeaderName = HeaderName::from_static("x-instance");
    let mut response = next.run(request).await;
    shop.metrics.count(response.status());
    if let Ok(name) = HeaderValue::from_str(&shop.identity.name) {
        response.headers_mut().insert(INSTANCE, name);
    }
    if !shop.life.is_ready() {
        // So that no client sends its next request into a connection that is about to end.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

/// JSON signed by the instance.
type Answer<T> = Result<Json<Served<T>>, Refusal>;
