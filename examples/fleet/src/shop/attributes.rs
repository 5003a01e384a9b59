//! Single string attributes under names that the client chooses, for tests of races.

use super::{
    Shop,
    fields::{Arguments, text},
};
use crate::refusal::Refusal;
use axum::{
    Router,
    extract::{Path, rejection::StringRejection},
    http::StatusCode,
    routing::{get, post},
};
use cloakroom::{Key, Session};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};

/// The longest wait of `/slow`, in milliseconds.
const LONGEST_WAIT: u64 = 10_000;

pub(super) fn routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/attr/{key}", get(read).put(write).delete(remove))
        .route("/slow", post(slow))
}

#[derive(Debug, Deserialize)]
struct Slow {
    ms: u64,
    key: String,
    value: String,
}

/// The attribute's real name. The prefix keeps clients away from the shop's own attributes.
fn attribute(key: &str) -> Result<Key<String>, Refusal> {
    let key = text("key", key, 1..=64)?;
    Key::named(format!("attr:{key}")).map_err(|_| Refusal::invalid("`key` has at most 123 bytes"))
}

async fn read(session: Session, Path(key): Path<String>) -> Result<String, Refusal> {
    let value = session.get(attribute(&key)?)?;
    value.ok_or_else(|| Refusal::missing("no such attribute"))
}

async fn write(
    session: Session,
    Path(key): Path<String>,
    body: Result<String, StringRejection>,
) -> Result<StatusCode, Refusal> {
    let value = body.map_err(|fault| Refusal::new(fault.status(), &fault.body_text()))?;
    session.insert(attribute(&key)?, &value)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove(session: Session, Path(key): Path<String>) -> Result<StatusCode, Refusal> {
    session.remove(attribute(&key)?);
    Ok(StatusCode::NO_CONTENT)
}

/// The session is loaded before the wait and written after it: whatever happens to it in
/// between, by other requests or instances, happens beside this one.
async fn slow(session: Session, Arguments(slow): Arguments<Slow>) -> Result<StatusCode, Refusal> {
    if slow.ms > LONGEST_WAIT {
        return Err(Refusal::invalid(&format!(
            "`ms` is at most {LONGEST_WAIT}, not {}",
            slow.ms
        )));
    }
    let key = attribute(&slow.key)?;
    tokio::time::sleep(Duration::from_millis(slow.ms)).await;
    session.insert(key, &slow.value)?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_short_and_never_the_shops_own() {
        assert_eq!(attribute("cart").unwrap().name(), "attr:cart");
        assert!(attribute("").is_err());
        assert!(attribute(&"x".repeat(65)).is_err());
        assert!(attribute(&"\u{1f9e5}".repeat(64)).is_err());
    }
}
