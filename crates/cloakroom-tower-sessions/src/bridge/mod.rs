//! tower-sessions' `Session` under Cloakroom's own layer.

mod passage;

pub(crate) use passage::Passage;

use crate::Users;
use cloakroom_core::Digest;
use cloakroom_tower::{
    LazySession,
    bridge::{Bridge, Crossing},
};
use http::Extensions;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// Puts a `tower_sessions::Session` into each request of Cloakroom's layer, of each version whose
/// feature is on: over the same session as [`LazySession`] and `Session`.
///
/// Handlers, extractors and axum-login's `AuthManager` work as they are. What they do means what it
/// means here:
///
/// | they say | what happens |
/// |---|---|
/// | `get` and the like | reads near copies; a client reads its own writes on any instance |
/// | `insert`, `remove`, `clear` | the attributes that changed are written with the response |
/// | `cycle_id` | the session gets a new id with the response; with a user who is new to it, a login |
/// | `flush`, `delete` | the session is logged out, at once |
/// | `save` | what changed is written now |
/// | `set_expiry` | the session lives so long, and the client keeps it when it closes |
/// | `id` | a public name of the id, which is of no use as one |
///
/// When the store is away, a response of 500 that the handler made for that reason, as axum-login
/// does, becomes what the [policy](cloakroom_tower::SessionsBuilder::on_unavailable) says: a 503 with
/// `Retry-After`, the cookie kept.
///
/// ```
/// use cloakroom_tower::{MemoryStore, Sessions};
/// use cloakroom_tower_sessions::{TowerSessions, Users};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cloakroom_tower::Result<()> {
/// let sessions = Sessions::builder(MemoryStore::new()).build().await?;
/// let layer = sessions.layer().bridge(TowerSessions::new().users(Users::axum_login()));
/// # let _ = layer; Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct TowerSessions {
    users: Users,
}

impl TowerSessions {
    /// One that finds no users.
    pub fn new() -> Self {
        Self::default()
    }

    /// How to find whose session it is: a user who is new to the session is logged in, under a new
    /// id, in whatever way it was set.
    pub fn users(mut self, users: Users) -> Self {
        self.users = users;
        self
    }
}

impl Bridge for TowerSessions {
    fn enter(&self, session: &LazySession, extensions: &mut Extensions) -> Vec<Box<dyn Crossing>> {
        let id = session.digest().map(name_of);
        let passage = || Arc::new(Passage::new(session.clone(), self.users.clone()));
        vec![
            #[cfg(feature = "v0_14")]
            crate::v0_14::enter(id, passage(), extensions),
            #[cfg(feature = "v0_15")]
            crate::v0_15::enter(id, passage(), extensions),
        ]
    }
}

/// What handlers see in place of an id: of no use as one, and not what the store sees of it either.
pub(crate) fn name_of(digest: Digest) -> i128 {
    let hash = blake3::derive_key("cloakroom 2026-11 shown id v1", digest.as_bytes());
    let mut short = [0; 16];
    short.copy_from_slice(&hash[..16]);
    i128::from_le_bytes(short)
}

/// No session lives longer.
const LONGEST: Duration = Duration::days(36_525);

/// How long a session shall live, as tower-sessions says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Inactive(Duration),
    Until(OffsetDateTime),
}

impl Wish {
    /// The idle window and the longest life.
    pub(crate) fn limits(self) -> (Duration, Duration) {
        match self {
            // As long as it is used: tower-sessions knows one limit.
            Self::Inactive(idle) => (idle.min(LONGEST), LONGEST),
            Self::Until(then) => {
                let left = (then - OffsetDateTime::now_utc()).min(LONGEST);
                (left, left)
            }
        }
    }
}
