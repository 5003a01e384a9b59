//! The application under test: one route for each thing that a session can do.

use axum::extract::{Path, Query};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use cloakroom::{Key, LazySession, Result, Session, Sessions};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

/// A number that every request may raise.
pub(crate) const COUNT: Key<u64> = Key::new("count");

/// All routes behind the layer of these sessions.
pub(crate) fn router(sessions: &Sessions) -> Router {
    routes().layer(sessions.layer())
}

/// The routes without the layer.
pub(crate) fn routes() -> Router {
    Router::new()
        .route("/anon", get(async || "no session here"))
        .route("/unused", get(async |_: LazySession| "not touched"))
        .route("/info", get(info))
        .route("/login/{user}", post(log_in))
        .route("/logout", post(log_out))
        .route("/rotate", post(rotate))
        .route("/others", post(revoke_others))
        .route("/attr/{key}", get(read).put(write).delete(remove))
        .route("/lazy/{key}", put(write_unread).delete(remove_unread))
        .route("/counter", post(count))
        .route("/append/{key}/{item}", post(append))
        .route("/answer/{code}", put(write_and_answer))
        .route("/nothing/{code}", get(answer))
        .route("/unanswer/{code}", delete(remove_and_answer))
}

async fn info(session: Session) -> Json<Value> {
    Json(json!({
        "user": session.user(),
        "device": session.device(),
        "handle": session.handle().map(|handle| handle.to_string()),
        "created_at": session.created_at().map(|at| at.unix_timestamp_nanos() / 1_000_000),
        "authenticated_at":
            session.authenticated_at().map(|at| at.unix_timestamp_nanos() / 1_000_000),
        "expires_in": session.expires_in().map(|left| left.whole_milliseconds()),
        "remembered": session.is_remembered(),
        "revision": session.revision(),
    }))
}

#[derive(Debug, Deserialize)]
struct Wishes {
    device: Option<String>,
    remember: Option<bool>,
}

async fn log_in(
    session: Session,
    Path(user): Path<String>,
    Query(wishes): Query<Wishes>,
) -> Result<()> {
    let mut login = session.log_in(user);
    if let Some(device) = wishes.device {
        login = login.device(device);
    }
    if wishes.remember == Some(true) {
        login = login.remember();
    }
    login.await
}

async fn log_out(session: LazySession) -> Result<StatusCode> {
    session.log_out().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn rotate(session: Session) -> Result<()> {
    session.rotate().await
}

async fn revoke_others(session: Session) -> Result<String> {
    Ok(session.revoke_others().await?.to_string())
}

fn key(name: String) -> Key<String> {
    Key::named(name).unwrap()
}

async fn read(session: Session, Path(name): Path<String>) -> Result<(StatusCode, String)> {
    Ok(match session.get(key(name))? {
        Some(value) => (StatusCode::OK, value),
        None => (StatusCode::NOT_FOUND, String::new()),
    })
}

async fn write(session: Session, Path(name): Path<String>, body: String) -> Result<()> {
    session.insert(key(name), &body)
}

async fn remove(session: Session, Path(name): Path<String>) {
    session.remove(key(name));
}

async fn write_unread(session: LazySession, Path(name): Path<String>, body: String) -> Result<()> {
    session.insert(key(name), &body)
}

async fn remove_unread(session: LazySession, Path(name): Path<String>) {
    session.remove(key(name));
}

async fn count(session: Session) -> Result<String> {
    let count = session.update(COUNT, |count| *count += 1).await?;
    Ok(count.to_string())
}

async fn append(
    session: Session,
    Path((name, item)): Path<(String, String)>,
) -> Result<Json<Vec<String>>> {
    let key = Key::<Vec<String>>::named(name)?;
    Ok(Json(
        session
            .update(key, |items| items.push(item.clone()))
            .await?,
    ))
}

/// Sets the attribute `answer` and answers with this status.
async fn write_and_answer(
    session: Session,
    Path(code): Path<u16>,
    body: String,
) -> Result<StatusCode> {
    session.insert(key("answer".into()), &body)?;
    Ok(StatusCode::from_u16(code).unwrap())
}

/// Reads, changes nothing and answers with this status.
async fn answer(_: Session, Path(code): Path<u16>) -> StatusCode {
    StatusCode::from_u16(code).unwrap()
}

/// Removes the attribute `answer` and answers with this status.
async fn remove_and_answer(session: Session, Path(code): Path<u16>) -> StatusCode {
    session.remove(key("answer".into()));
    StatusCode::from_u16(code).unwrap()
}
