//! Whether an instance wants requests, and what it knows of the store.

use super::{Served, Shop};
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use cloakroom::Health;
use serde::Serialize;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Shop>> {
    Router::new().route("/healthz", get(healthz))
}

#[derive(Debug, Serialize)]
struct Report {
    ready: bool,
    store: &'static str,
}

/// 200 while requests are welcome, 503 while the instance drains. A store that is down is no
/// reason to turn requests away: those without a session are served.
async fn healthz(State(shop): State<Arc<Shop>>) -> (StatusCode, Json<Served<Report>>) {
    let ready = shop.life.is_ready();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let store = match shop.sessions.health() {
        Health::Up => "up",
        Health::Down => "down",
    };
    (status, Json(shop.served(Report { ready, store })))
}
