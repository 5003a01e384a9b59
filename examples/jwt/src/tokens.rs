//! The shop with tokens.

use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
    routing::{get, post},
};
use cloakroom::{
    Result, Store,
    jwt::{AccessToken, Jwks, KeyRing, LoginService, Pair, Refreshed, Tokens},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The cookie that holds the refresh token.
pub const COOKIE: &str = "__Secure-refresh";

#[derive(Deserialize)]
struct Login {
    user: String,
}

#[derive(Serialize)]
struct Me {
    user: String,
}

/// As RFC 6749 has it, but for the refresh token.
#[derive(Serialize)]
struct Access {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
}

/// The logins of one instance, which signs by this ring.
///
/// # Errors
///
/// Those of the store.
pub async fn service(store: Arc<dyn Store>, ring: &KeyRing) -> Result<LoginService> {
    let tokens = Tokens::builder(ring.clone(), "https://login.example").audience("shop");
    let service = LoginService::builder(store, tokens).max_logins_per_user(5);
    Ok(service.build().await?)
}

/// The shop.
pub fn router(service: LoginService) -> Router {
    let guarded = Router::new().route("/me", get(me));
    let guarded = guarded.layer(service.verifier().layer());
    Router::new()
        .route("/login", post(log_in))
        .route("/refresh", post(refresh))
        .route("/logout", post(log_out))
        .route("/.well-known/jwks.json", get(jwks))
        .with_state(service)
        .merge(guarded)
}

/// Whoever says a name is believed: this is a demo.
async fn log_in(State(service): State<LoginService>, Form(login): Form<Login>) -> Result<Response> {
    Ok(answer(&service.log_in(&login.user, None, None).await?))
}

async fn me(token: AccessToken) -> Json<Me> {
    let user = token.registered().subject.clone();
    Json(Me { user })
}

async fn refresh(State(service): State<LoginService>, headers: HeaderMap) -> Result<Response> {
    let Some(token) = refresh_token(&headers) else {
        return Ok(StatusCode::UNAUTHORIZED.into_response());
    };
    Ok(match service.refresh(token).await? {
        Refreshed::Pair(pair) => answer(&pair),
        // The cookie stays: the client may have logged in anew meanwhile, and it is that one's then.
        Refreshed::Reused { .. } | Refreshed::Gone => StatusCode::UNAUTHORIZED.into_response(),
    })
}

async fn log_out(State(service): State<LoginService>, headers: HeaderMap) -> Result<Response> {
    if let Some(token) = refresh_token(&headers) {
        service.log_out(token).await?;
    }
    Ok(cookies("", 0).into_response())
}

/// For other signers, and for whoever only verifies.
async fn jwks(State(service): State<LoginService>) -> Jwks {
    service.tokens().jwks()
}

fn answer(pair: &Pair) -> Response {
    let access = Access {
        access_token: pair.access.token().to_owned(),
        token_type: "Bearer",
        expires_in: pair.access.life().whole_seconds(),
    };
    let lasts = pair.refresh_expires_in.whole_seconds();
    let cookies = cookies(&pair.refresh.expose_secret(), lasts);
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    (no_store, cookies, Json(access)).into_response()
}

/// One for each of the two routes that need it. `Strict`: no other site can make a browser send it.
fn cookies(value: &str, lasts: i64) -> AppendHeaders<[(HeaderName, String); 2]> {
    let cookie = |path| {
        let kept = "Secure; HttpOnly; SameSite=Strict";
        let text = format!("{COOKIE}={value}; Path={path}; Max-Age={lasts}; {kept}");
        (header::SET_COOKIE, text)
    };
    AppendHeaders(["/refresh", "/logout"].map(cookie))
}

fn refresh_token(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter();
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let find = |pair: &'_ str| {
        pair.trim_start()
            .split_once('=')
            .filter(|(name, _)| *name == COOKIE)
            .is_some()
    };
    let pair = pairs.find(|pair| find(pair))?;
    pair.split_once('=').map(|(_, value)| value.trim_end())
}
