//! What an application sees when a session operation fails.

pub use cloakroom_core::ErrorKind;
use http::StatusCode;

/// What a session operation returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed session operation.
///
/// With the feature `axum` it is a response, so a handler may just return it:
///
/// | kind | status |
/// |---|---|
/// | [`Unavailable`](ErrorKind::Unavailable), [`NotReplicated`](ErrorKind::NotReplicated) | 503, with `Retry-After` |
/// | [`Gone`](ErrorKind::Gone) | 401 |
/// | [`Superseded`](ErrorKind::Superseded), [`Conflict`](ErrorKind::Conflict) | 409 |
/// | [`LimitReached`](ErrorKind::LimitReached) | 403 |
/// | [`TooLarge`](ErrorKind::TooLarge) | 413 |
/// | [`Invalid`](ErrorKind::Invalid) | 400 |
/// | all others | 500 |
///
/// The response's body says what kind it is and nothing of the cause; the error itself, in the
/// response's extensions, does.
#[derive(Debug)]
pub struct Error(cloakroom_core::Error);

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: &'static str) -> Self {
        Self(cloakroom_core::Error::new(kind, message))
    }

    pub(crate) fn gone() -> Self {
        Self::new(ErrorKind::Gone, "the session has ended")
    }

    pub(crate) fn superseded() -> Self {
        Self::new(
            ErrorKind::Superseded,
            "the session's id was replaced by a newer one while this request ran",
        )
    }

    /// Why it failed.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.0.kind()
    }

    /// The store can't be reached or did not answer in time.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.0.is_unavailable()
    }

    /// What was asked has been done, but may be lost with the master.
    #[must_use]
    pub fn is_not_replicated(&self) -> bool {
        self.0.is_not_replicated()
    }

    /// The session has ended, or its id was replaced by a newer one.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.is_gone()
    }

    /// Asking again, later or at once, may succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.is_retryable()
    }

    /// The status that this error answers a request with.
    ///
    /// ```
    /// use cloakroom_tower::{Error, Key};
    ///
    /// let error = Error::from(Key::<u8>::named("").unwrap_err());
    /// assert_eq!(error.status(), 400);
    /// ```
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.kind() {
            ErrorKind::Unavailable | ErrorKind::NotReplicated => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Gone => StatusCode::UNAUTHORIZED,
            ErrorKind::Superseded | ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::LimitReached => StatusCode::FORBIDDEN,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<cloakroom_core::Error> for Error {
    fn from(error: cloakroom_core::Error) -> Self {
        Self(error)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
