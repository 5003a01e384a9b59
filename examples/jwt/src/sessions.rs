//! The shop with sessions.

use axum::{
    Form, Json, Router,
    http::StatusCode,
    routing::{get, post},
};
use cloakroom::{Error, Key, LazySession, Result, Session, Sessions, Store};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use time::ext::NumericalDuration as _;

const CART: Key<u32> = Key::new("cart");

#[derive(Deserialize)]
struct Login {
    user: String,
}

#[derive(Serialize)]
struct Me {
    user: Arc<str>,
}

/// The sessions of one instance.
///
/// # Errors
///
/// Those of the store.
pub async fn sessions(store: Arc<dyn Store>) -> Result<Sessions> {
    let builder = Sessions::builder(store).idle_timeout(30.minutes());
    builder.max_sessions_per_user(5).build().await
}

/// The shop.
pub fn router(sessions: &Sessions) -> Router {
    Router::new()
        .route("/login", post(log_in))
        .route("/me", get(me))
        .route("/cart", post(add))
        .route("/logout", post(log_out))
        .layer(sessions.layer())
}

/// Whoever says a name is believed: this is a demo.
async fn log_in(session: Session, Form(login): Form<Login>) -> Result<()> {
    session.log_in(&login.user).await
}

async fn me(session: Session) -> Result<Json<Me>, StatusCode> {
    let user = session.user().ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(Json(Me { user }))
}

async fn add(session: Session) -> Result<Json<u32>, Error> {
    Ok(Json(session.update(CART, |count| *count += 1).await?))
}

async fn log_out(session: LazySession) -> Result<()> {
    session.log_out().await
}
