//! For sessions of other crates that live over ours.
//!
//! A [`Bridge`] puts another crate's session into each request, beside [`LazySession`], and brings
//! over what was done to it before the layer decides what the response does. So handlers that hold
//! the other crate's session keep working, over one and the same state. `cloakroom-tower-sessions`
//! has one for tower-sessions.

use crate::{LazySession, Result, Session, Sessions};
use bytes::Bytes;
pub use cloakroom_core::Attributes;
use cloakroom_core::{Address, BoxFuture, Digest, Freshness, Limit, SessionStore};
use http::{Extensions, StatusCode};
use std::{fmt, sync::Arc};
use time::Duration;

/// Puts another crate's session beside ours, into every request of a
/// [layer](crate::SessionsLayer::bridge).
pub trait Bridge: fmt::Debug + Send + Sync + 'static {
    /// Puts it into the request's extensions. Must be cheap and ask nobody: most requests don't use
    /// their session.
    fn enter(&self, session: &LazySession, extensions: &mut Extensions) -> Vec<Box<dyn Crossing>>;
}

/// One request's way over a [`Bridge`].
///
/// It is dropped without [`leave`](Self::leave) when its client went away before there was a
/// response.
pub trait Crossing: Send {
    /// What must still be done before the layer decides about a response of this status; `None` for
    /// nothing.
    ///
    /// # Errors
    ///
    /// An error takes the place of the response.
    ///
    /// # Cancel safety
    ///
    /// The layer carries what this returns to its end though its client goes away.
    fn leave(self: Box<Self>, status: StatusCode) -> Option<BoxFuture<'static, Result<()>>>;
}

/// What all of them still have to do, one after the other.
pub(crate) fn leave(
    crossings: &mut Vec<Box<dyn Crossing>>,
    status: StatusCode,
) -> Option<BoxFuture<'static, Result<()>>> {
    let all = std::mem::take(crossings).into_iter();
    let brought: Vec<_> = all.filter_map(|crossing| crossing.leave(status)).collect();
    if brought.is_empty() {
        return None;
    }
    Some(Box::pin(async move {
        let mut all = Ok(());
        for each in brought {
            all = all.and(each.await);
        }
        all
    }))
}

/// For bridges: values as they are stored.
impl Session {
    /// All attributes, encoded as JSON, with this request's own changes.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        self.visit().attributes()
    }

    /// Takes back this request's own change of an attribute, if it is still to be written.
    pub fn take_back(&self, name: &str) {
        self.visit().forget(name);
    }

    /// Sets an attribute of any name to an encoded value when the request ends, or removes it.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](crate::ErrorKind::TooLarge) as of [`insert`](Self::insert).
    pub fn write_encoded(&self, name: &str, value: Option<Bytes>) -> Result<()> {
        match value {
            Some(value) => self.visit().write(name, value),
            None => {
                self.visit().remove(name);
                Ok(())
            }
        }
    }
}

/// For bridges: a name of the id.
impl LazySession {
    /// What the store sees of the session's id; `None` while there is none. Reads nothing, so what a
    /// request presented may lead nowhere.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.visit().id().map(|id| id.digest())
    }
}

/// For bridges that have a layer of their own: what is under ours.
impl Sessions {
    /// The store, behind near copies if there are any.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn SessionStore> {
        &self.0.store
    }

    /// How fresh reads must be.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.0.policy.freshness(self.0.policy.max_staleness)
    }

    /// The most bytes that a session's attributes may have.
    #[must_use]
    pub fn max_size(&self) -> usize {
        self.0.policy.max_size
    }

    /// How many sessions a user may have.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        self.0.policy.limit()
    }

    /// Notes that a session with this idle window was used, and that the store last saw it used this
    /// long ago: the window is slid in the background, once in a touch interval.
    pub fn used(&self, at: Address, ago: Duration, idle: Duration) {
        self.0.toucher.used(at, ago, idle);
    }

    /// Forgets the uses of a session that has ended.
    pub fn ended(&self, at: Address) {
        self.0.toucher.forget(at);
    }
}
