//! A store as the suite sees it, whichever version of the trait it implements.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;

use serde_json::Value;
use time::OffsetDateTime;

/// A boxed future that can be sent.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A session's record: the `Record` of every version of tower-sessions has these three fields.
///
/// A store may add attributes of its own to `data`, if their names can't be mistaken for an
/// application's: one that begins with a NUL, say, for the suite makes none such. The suite looks
/// only at what it set, and hands the rest back as it got it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The session's id.
    pub id: i128,
    /// The attributes.
    pub data: HashMap<String, Value>,
    /// When the session ends.
    pub expiry_date: OffsetDateTime,
}

/// Why a store could not do what it was asked: its error, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// A failure that reads like this error.
    ///
    /// ```
    /// use cloakroom_conformance::Failure;
    ///
    /// assert_eq!(Failure::new("no connection").to_string(), "no connection");
    /// ```
    #[must_use]
    pub fn new(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// One instance of the store under test.
///
/// The modules `v0_14` and `v0_15` make one of any `SessionStore`.
/// Whoever has another trait of the same meaning implements this one.
///
/// # Consistency
///
/// What each method owes is what the suite's cases say; [`Report`](crate::Report) lists them.
pub trait Subject: Send + Sync + 'static {
    /// Makes a session. If its id is taken, the store gives the entry another or fails.
    ///
    /// # Errors
    ///
    /// If the store could not make it.
    fn create<'a>(&'a self, entry: &'a mut Entry) -> BoxFuture<'a, Result<(), Failure>>;

    /// Writes what the entry's holder changed, if the session is still there.
    ///
    /// # Errors
    ///
    /// If the store could not write. That the session is gone is no error.
    fn save<'a>(&'a self, entry: &'a Entry) -> BoxFuture<'a, Result<(), Failure>>;

    /// The session of this id, or `None` if there is none or it has expired.
    ///
    /// # Errors
    ///
    /// If the store could not find out.
    fn load(&self, id: i128) -> BoxFuture<'_, Result<Option<Entry>, Failure>>;

    /// Ends the session of this id.
    ///
    /// # Errors
    ///
    /// If the store could not end it. That there was none is no error.
    fn delete(&self, id: i128) -> BoxFuture<'_, Result<(), Failure>>;
}
