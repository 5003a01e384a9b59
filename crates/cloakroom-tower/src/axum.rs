//! Extractors and responses for axum.

use crate::{Error, ErrorKind, LazySession, Session, SessionFailure};
use axum_core::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};

/// Why a request's session can't be had.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionRejection {
    /// The route is not inside the sessions' layer.
    MissingLayer,
    /// The session could not be read.
    Failed(Error),
}

impl std::fmt::Display for SessionRejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MissingLayer => f.write_str(
                "this route has no sessions: add `.layer(sessions.layer())` to its router, \
                 below the route",
            ),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SessionRejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::MissingLayer => None,
            Self::Failed(error) => error.source(),
        }
    }
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        match self {
            Self::MissingLayer => {
                tracing::error!("{self}");
                (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
            }
            Self::Failed(error) => error.into_response(),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for LazySession {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let session = parts.extensions.get::<Self>();
        session.cloned().ok_or(SessionRejection::MissingLayer)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let lazy = LazySession::from_request_parts(parts, state).await?;
        lazy.load().await.map_err(SessionRejection::Failed)
    }
}

/// A [`Session`] read from the store itself, whatever near copies there are: for routes where a
/// logout elsewhere must count at once. One round trip.
///
/// ```
/// use cloakroom_tower::Strict;
///
/// async fn transfer(Strict(session): Strict) -> String {
///     session.user().map_or("nobody".into(), |user| user.to_string())
/// }
/// # use cloakroom_tower::{MemoryStore, Sessions};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cloakroom_tower::Result<()> {
/// # let sessions = Sessions::builder(MemoryStore::new()).build().await?;
/// # let session = sessions.detached().load_now().await?;
/// assert_eq!(transfer(Strict(session)).await, "nobody");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Strict(pub Session);

impl<S: Send + Sync> FromRequestParts<S> for Strict {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let lazy = LazySession::from_request_parts(parts, state).await?;
        let session = lazy.load_now().await;
        session.map(Self).map_err(SessionRejection::Failed)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (self.status(), body(self.kind())).into_response();
        if self.is_unavailable() {
            // The layer, which knows the application's wish, writes over it.
            let soon = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, soon);
        }
        response.extensions_mut().insert(SessionFailure::new(self));
        response
    }
}

/// What the client reads: the kind, and nothing of the cause.
fn body(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unavailable => "sessions are unavailable for a moment; try again",
        ErrorKind::Gone => "the session has ended",
        ErrorKind::Superseded => "the session has a new id; try again",
        ErrorKind::Conflict => "the session was changed by others; try again",
        ErrorKind::LimitReached => "too many sessions; log out on another device first",
        ErrorKind::TooLarge => "the session can't hold that much",
        ErrorKind::Invalid => "that is no valid request",
        _ => "the session could not be used",
    }
}
