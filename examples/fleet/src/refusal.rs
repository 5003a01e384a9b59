//! Answers that say what is wrong, as JSON.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// A response in place of the one that was asked for.
#[derive(Debug)]
pub(crate) struct Refusal(Box<Response>);

/// The body of most refusals.
#[derive(Serialize)]
struct Complaint<'a> {
    error: &'a str,
}

impl Refusal {
    /// `{"error": …}` with this status.
    pub(crate) fn new(status: StatusCode, error: &str) -> Self {
        Self::with_body(status, Complaint { error })
    }

    /// Any JSON with this status.
    pub(crate) fn with_body(status: StatusCode, body: impl Serialize) -> Self {
        Self(Box::new((status, Json(body)).into_response()))
    }

    /// The client sent something wrong; the text says what would be right.
    pub(crate) fn invalid(error: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    /// There is no such thing.
    pub(crate) fn missing(error: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }
}

impl From<cloakroom::Error> for Refusal {
    fn from(error: cloakroom::Error) -> Self {
        Self(Box::new(error.into_response()))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}
