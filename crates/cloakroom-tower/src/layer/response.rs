//! What the client is told.

use crate::{Error, ErrorKind, Sessions, visit::Farewell};
use http::{HeaderValue, Response, StatusCode, header};
use std::sync::Arc;
use time::Duration;

/// Why a response is not what the handler made, or which error the handler answered with: in the
/// response's extensions, for logging around the layer.
///
/// ```
/// use cloakroom_tower::SessionFailure;
///
/// fn why(response: &http::Response<()>) -> Option<String> {
///     Some(response.extensions().get::<SessionFailure>()?.error().to_string())
/// }
/// assert_eq!(why(&http::Response::new(())), None);
/// ```
#[derive(Debug, Clone)]
pub struct SessionFailure(Arc<Error>);

impl SessionFailure {
    pub(crate) fn new(error: Error) -> Self {
        Self(Arc::new(error))
    }

    /// The error.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.0
    }
}

/// Writes what the client is told into the handler's response, or into the failure's.
pub(super) fn respond<B: Default>(
    mut response: Response<B>,
    sessions: &Sessions,
    farewell: Farewell,
) -> Response<B> {
    if let Some(error) = farewell.failure {
        response = failed(error);
    }
    let unavailable = response
        .extensions()
        .get::<SessionFailure>()
        .is_some_and(|failure| failure.error().kind() == ErrorKind::Unavailable);
    if unavailable && response.status() == StatusCode::SERVICE_UNAVAILABLE {
        let after = retry_after(sessions.0.policy.retry_after);
        response.headers_mut().insert(header::RETRY_AFTER, after);
    }
    let headers = response.headers_mut();
    sessions
        .0
        .transport
        .write(headers, &farewell.tell, farewell.consulted);
    response
}

/// The response to a commit that failed: empty, with the reason in its extensions.
fn failed<B: Default>(error: Error) -> Response<B> {
    tracing::debug!(%error, "the request's changes could not be committed");
    let mut response = Response::new(B::default());
    *response.status_mut() = error.status();
    response.extensions_mut().insert(SessionFailure::new(error));
    response
}

pub(crate) fn retry_after(after: Duration) -> HeaderValue {
    HeaderValue::from(after.whole_seconds().max(1).unsigned_abs())
}
