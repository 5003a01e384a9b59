//! What is stored of a session.

use crate::{Attributes, Digest, Handle};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// How long a session may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// It ends when it was not used for this long.
    pub idle: Duration,
    /// It ends this long after login, or after it was made, however much it is used.
    pub absolute: Duration,
    /// The user asked to be remembered: the client keeps the cookie when it closes.
    pub remembered: bool,
}

/// One session, as a store holds it: an immutable snapshot.
///
/// `Debug` shows no id and no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Whose record it is. A store compares it with what was asked for, so that a mixed-up reply
    /// can never show one user another's session.
    pub digest: Digest,
    /// Its version: every commit raises it by one, a touch leaves it.
    pub revision: u64,
    /// Its public name in device lists.
    pub handle: Handle,
    /// When it was made, by the store's clock. A login makes a new one.
    pub created_at: OffsetDateTime,
    /// When it was last used, to within a touch interval.
    pub last_seen: OffsetDateTime,
    /// When it ends however much it is used, by the store's clock.
    pub absolute_deadline: OffsetDateTime,
    /// The idle window.
    pub idle: Duration,
    /// The user asked to be remembered.
    pub remembered: bool,
    /// Who is logged in, or `None` for an anonymous session.
    pub login: Option<Login>,
    /// What the application keeps in it.
    pub attributes: Attributes,
}

impl Record {
    /// Gives it other limits of time, which begin at this moment of the store's clock.
    pub fn live(&mut self, lifetime: Lifetime, now: OffsetDateTime) {
        self.idle = lifetime.idle;
        self.absolute_deadline = now.saturating_add(lifetime.absolute);
        self.remembered = lifetime.remembered;
    }
}

/// Who is logged in.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The application's id of the account.
    pub user: Arc<str>,
    /// When the user last proved who they are, by the store's clock.
    pub authenticated_at: OffsetDateTime,
    /// What the application called the device, if it did.
    pub device: Option<Arc<str>>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("authenticated_at", &self.authenticated_at)
            .finish_non_exhaustive()
    }
}
