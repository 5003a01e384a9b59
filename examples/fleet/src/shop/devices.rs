//! Where a user is logged in.

use super::Shop;
use crate::refusal::Refusal;
use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{delete, get},
};
use cloakroom::{Handle, Session};
use serde::Serialize;
use std::sync::Arc;
use time::{OffsetDateTime, serde::rfc3339};

pub(super) fn routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/devices", get(list))
        .route("/devices/{handle}", delete(revoke))
}

#[derive(Debug, Serialize)]
struct Device {
    handle: String,
    device: Option<Arc<str>>,
    #[serde(with = "rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "rfc3339")]
    last_seen: OffsetDateTime,
    current: bool,
}

async fn list(
    State(shop): State<Arc<Shop>>,
    session: Session,
) -> Result<Json<Vec<Device>>, Refusal> {
    let user = shop.user(&session)?;
    let current = session.handle();
    let devices = shop.sessions.list(&user).await?;
    let devices = devices.into_iter().map(|device| Device {
        current: Some(device.handle) == current,
        handle: device.handle.to_string(),
        device: device.device,
        created_at: device.created_at,
        last_seen: device.last_seen,
    });
    Ok(Json(devices.collect()))
}

/// Ends one of the user's own sessions. Somebody else's is as good as none.
async fn revoke(
    State(shop): State<Arc<Shop>>,
    session: Session,
    Path(handle): Path<String>,
) -> Result<StatusCode, Refusal> {
    let user = shop.user(&session)?;
    let unknown = || Refusal::missing("you have no such device");
    let handle: Handle = handle.parse().map_err(|_| unknown())?;
    if session.handle() == Some(handle) {
        // The same for the store, but this also removes the cookie.
        session.log_out().await?;
        return Ok(StatusCode::NO_CONTENT);
    }
    match shop.sessions.revoke(&user, &handle).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown()),
    }
}
