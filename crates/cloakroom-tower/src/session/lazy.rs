//! A session that nobody has read yet.

use super::Session;
use crate::{Result, visit::Visit};
use cloakroom_core::Key;
use serde::Serialize;
use std::{borrow::Borrow, sync::Arc};

/// A request's session before it is read: costs nothing until it is used.
///
/// The layer puts one into every request's extensions, where any tower service finds it; with
/// axum it is an extractor. Writes need no read: one that reads nothing is a single round trip.
///
/// ```
/// use cloakroom_tower::{Key, LazySession, Result};
///
/// const LAST_PAGE: Key<String> = Key::new("last-page");
///
/// fn remember(session: &LazySession, page: &str) -> Result<()> {
///     session.insert(LAST_PAGE, page)
/// }
/// # use cloakroom_tower::{MemoryStore, Sessions};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// # let sessions = Sessions::builder(MemoryStore::new()).build().await?;
/// # let session = sessions.detached();
/// remember(&session, "/basket")?;
/// assert_eq!(session.load().await?.get(LAST_PAGE)?.as_deref(), Some("/basket"));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct LazySession {
    visit: Arc<Visit>,
}

impl LazySession {
    pub(crate) fn new(visit: Arc<Visit>) -> Self {
        Self { visit }
    }

    pub(crate) fn visit(&self) -> &Visit {
        &self.visit
    }

    /// Reads the session, once for a request: from a near copy at no cost, else one round trip, or
    /// none without an id.
    ///
    /// # Consistency
    ///
    /// All that happened longer ago than [`max_staleness`](crate::SessionsBuilder::max_staleness),
    /// and all that this client has been told of.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::ErrorKind::Unavailable), unless the policy is to go on without.
    ///
    /// # Cancel safety
    ///
    /// Safe: the next call reads again.
    pub async fn load(&self) -> Result<Session> {
        self.visit.load().await?;
        Ok(Session::new(Arc::clone(&self.visit)))
    }

    /// Reads the session from the store itself, whatever near copies there are: for what must not
    /// be done after a logout elsewhere, not even for a moment. One round trip, or none without an
    /// id.
    ///
    /// # Consistency
    ///
    /// As the store holds it now.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::ErrorKind::Unavailable), unless the policy is to go on without.
    ///
    /// # Cancel safety
    ///
    /// Safe: the next call reads again.
    pub async fn load_now(&self) -> Result<Session> {
        self.visit.load_now().await?;
        Ok(Session::new(Arc::clone(&self.visit)))
    }

    /// Sets an attribute when the request ends, whatever it held before. Reads nothing.
    ///
    /// # Errors
    ///
    /// As of [`Session::insert`]; what the store holds beside it counts only at the commit, which
    /// answers 413 then.
    #[expect(clippy::needless_pass_by_value, reason = "keys are constants")]
    pub fn insert<T, Q>(&self, key: Key<T>, value: &Q) -> Result<()>
    where
        T: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        self.visit.insert(&key, value)
    }

    /// Removes an attribute when the request ends. Reads nothing.
    #[expect(clippy::needless_pass_by_value, reason = "keys are constants")]
    pub fn remove<T>(&self, key: Key<T>) {
        self.visit.remove(key.name());
    }

    /// Ends the session everywhere, without reading it: as [`Session::log_out`].
    ///
    /// # Errors
    ///
    /// As of [`Session::log_out`].
    ///
    /// # Cancel safety
    ///
    /// Once polled, it is carried to its end though the future is dropped.
    pub async fn log_out(&self) -> Result<()> {
        let visit = Arc::clone(&self.visit);
        crate::detach(async move { visit.log_out().await }).await
    }
}
