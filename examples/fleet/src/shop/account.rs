//! Logging in and out, and who one is.

use super::{
    Answer, Nothing, Served, Shop,
    fields::{Fields, text},
    profile,
};
use crate::refusal::Refusal;
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use cloakroom::{LazySession, Session};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use time::{OffsetDateTime, serde::rfc3339};

pub(super) fn routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/anon", get(anon))
        .route("/login", post(login))
        .route("/me", get(me))
        .route("/whoami", get(whoami))
        .route("/logout", post(logout))
        .route("/logout-everywhere", post(logout_everywhere))
        .route("/logout-others", post(logout_others))
}

/// What the login form sends.
#[derive(Debug, Deserialize)]
struct Login {
    user: String,
    device: Option<String>,
}

#[derive(Debug, Serialize)]
struct User {
    user: String,
}

/// Who is asking; all `None` for those who have no session.
#[derive(Debug, Serialize)]
struct Me {
    user: Option<Arc<str>>,
    #[serde(with = "rfc3339::option")]
    created_at: Option<OffsetDateTime>,
    #[serde(with = "rfc3339::option")]
    authenticated_at: Option<OffsetDateTime>,
    revision: Option<u64>,
}

/// How many sessions were ended.
#[derive(Debug, Serialize)]
struct Count {
    revoked: u64,
}

/// Touches no session: costs nothing, whatever cookie comes with it.
async fn anon(State(shop): State<Arc<Shop>>) -> Json<Served<Nothing>> {
    Json(shop.served(Nothing {}))
}

async fn login(
    State(shop): State<Arc<Shop>>,
    session: Session,
    Fields(form): Fields<Login>,
) -> Answer<User> {
    let user = text("user", &form.user, 1..=64)?;
    let device = text("device", form.device.as_deref().unwrap_or_default(), 0..=64)?;
    profile::greet(shop.identity.version, &session, &user)?;
    let login = session.log_in(&user);
    match device.as_str() {
        "" => login.await?,
        device => login.device(device).await?,
    }
    Ok(Json(shop.served(User { user })))
}

async fn me(State(shop): State<Arc<Shop>>, session: Session) -> Answer<Me> {
    shop.user(&session)?;
    Ok(whoami(State(shop), session).await)
}

/// As `/me`, but being nobody is no error: for the page, which asks before it knows.
async fn whoami(State(shop): State<Arc<Shop>>, session: Session) -> Json<Served<Me>> {
    Json(shop.served(Me {
        user: session.user(),
        created_at: session.created_at(),
        authenticated_at: session.authenticated_at(),
        revision: session.revision(),
    }))
}

/// Loads nothing: one command ends the session whatever it holds.
async fn logout(session: LazySession) -> Result<StatusCode, Refusal> {
    session.log_out().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn logout_everywhere(
    State(shop): State<Arc<Shop>>,
    session: Session,
) -> Result<Json<Count>, Refusal> {
    let user = shop.user(&session)?;
    let revoked = shop.sessions.revoke_user(&user).await?;
    // This session is among them; logging out also removes the cookie.
    session.log_out().await?;
    Ok(Json(Count { revoked }))
}

async fn logout_others(
    State(shop): State<Arc<Shop>>,
    session: Session,
) -> Result<Json<Count>, Refusal> {
    shop.user(&session)?;
    let revoked = session.revoke_others().await?;
    Ok(Json(Count { revoked }))
}
