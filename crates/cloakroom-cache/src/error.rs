//! What goes wrong.

use std::{borrow::Cow, fmt, sync::Arc};
use time::Duration;

/// What a cache operation returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The loader answered an error; [`Error::loader`] gives it.
    Load,
    /// The loader panicked.
    Panicked,
    /// The loader, here or in another instance, took longer than it may.
    TimedOut,
    /// The loader said that what the key names does not exist.
    Absent,
    /// All who waited for the load went away, and it was given up.
    Abandoned,
    /// The store can't be reached or did not answer in time. What was asked may or may not have
    /// happened. An invalidation is sent again until it has.
    Unavailable,
    /// The value can't be written as bytes, or bears too many tags.
    Encode,
    /// The cache is set up wrongly; the message says what to do.
    Config,
    /// The store holds or answered something that Cloakroom did not write, or a fault of this
    /// machine.
    Internal,
}

/// A failed operation: its kind, one line of text, and what caused it. Clones share the cause: all
/// who wait for one load get the same error. Holds no key and no value, but those that a loader's own
/// error holds.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    pub(crate) fn of_loader(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Load, "the loader failed").because(error)
    }

    pub(crate) fn timed_out(limit: Duration) -> Self {
        let message = format!("no value was loaded within {limit}");
        Self::new(ErrorKind::TimedOut, message)
    }

    pub(crate) fn absent() -> Self {
        Self::new(ErrorKind::Absent, "what the key names does not exist")
    }

    pub(crate) fn batch_panicked() -> Self {
        let message = "the loader panicked while it loaded several keys";
        Self::new(ErrorKind::Panicked, message)
    }

    pub(crate) fn because(
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

    /// The loader's own error, if it is of this type.
    #[must_use]
    pub fn loader<E: std::error::Error + 'static>(&self) -> Option<&E> {
        let source = self.source.as_deref()?;
        (self.kind == ErrorKind::Load)
            .then(|| source.downcast_ref())
            .flatten()
    }

    /// What the key names does not exist.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.kind == ErrorKind::Absent
    }

    /// The store can't be reached.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.kind == ErrorKind::Unavailable
    }
}

impl From<cloakroom_core::Error> for Error {
    fn from(error: cloakroom_core::Error) -> Self {
        use cloakroom_core::ErrorKind as Store;
        let kind = match error.kind() {
            Store::Unavailable | Store::NotReplicated => ErrorKind::Unavailable,
            Store::Config | Store::Invalid => ErrorKind::Config,
            _ => ErrorKind::Internal,
        };
        Self::new(kind, "the cache's store failed").because(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// A write that failed: see [`Cache::write`](crate::Cache::write).
#[derive(Debug)]
pub enum WriteError<E> {
    /// The entry could not be marked: nothing was changed.
    Cache(Error),
    /// The change answered this error. The entry was invalidated all the same.
    Change(E),
}

impl<E: fmt::Display> fmt::Display for WriteError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cache(error) => write!(f, "nothing was changed: {error}"),
            Self::Change(error) => write!(f, "the change failed: {error}"),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for WriteError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Cache(error) => Some(error),
            Self::Change(error) => Some(error),
        }
    }
}
