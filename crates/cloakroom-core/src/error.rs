//! The one error type: opaque, with a kind to decide by.

use std::{borrow::Cow, sync::Arc};

/// What a Cloakroom operation returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The store can't be reached or did not answer in time. What was asked may or may not have
    /// happened; nothing is sent twice.
    Unavailable,
    /// What was asked has been done, but fewer replicas than was wished have it: it may be lost with
    /// the master. Asking again is safe.
    NotReplicated,
    /// The session has ended: logged out, revoked, evicted or expired.
    Gone,
    /// The request's id was replaced by a newer one, at a login or a rotation that ran beside it.
    Superseded,
    /// Others kept changing the same attribute until the limit of attempts or of time.
    Conflict,
    /// The user has as many sessions as the application allows.
    LimitReached,
    /// The session's attributes would exceed the application's cap.
    TooLarge,
    /// An attribute does not decode as the type that the caller asked for.
    Decode,
    /// A value can't be written as an attribute.
    Encode,
    /// An argument that no session can have: an empty user, a malformed handle.
    Invalid,
    /// The application or deployment is set up wrongly; the message says what to do.
    Config,
    /// The store holds or answered something that Cloakroom did not write.
    Corrupt,
    /// A fault of this machine or of Cloakroom itself.
    Internal,
}

/// A failed operation: its kind, one line of text, and what caused it.
///
/// Absence, conflict and the like are values where a caller is expected to act on them; an error
/// means that the caller can't go on. No error ever holds an id or an attribute's value.
///
/// ```
/// use cloakroom_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Unavailable, "the store did not answer within 1 s");
/// assert!(error.is_unavailable());
/// assert_eq!(error.to_string(), "the store did not answer within 1 s");
/// ```
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of this kind. The message must hold no id and no value.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// Keeps what caused it.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into().into());
        self
    }

    /// Why it failed.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The store can't be reached or did not answer in time.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.kind == ErrorKind::Unavailable
    }

    /// The session that the request belongs to is no more, by its end or by a newer id.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self.kind, ErrorKind::Gone | ErrorKind::Superseded)
    }

    /// Asking again, later or at once, may succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        use ErrorKind::{Conflict, NotReplicated, Unavailable};
        matches!(self.kind, Unavailable | Conflict | NotReplicated)
    }

    /// What was asked has been done, but may be lost with the master.
    #[must_use]
    pub fn is_not_replicated(&self) -> bool {
        self.kind == ErrorKind::NotReplicated
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|s| s as _)
    }
}
