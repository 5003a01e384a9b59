//! One request's session: what is known of it, what was changed, what the client shall be told.
//!
//! The layer makes a [`Visit`] for each request and finishes it with the response; the handler
//! holds it as [`Session`](crate::Session) or [`LazySession`](crate::LazySession). Nothing here
//! asks the store before somebody asks for the session.

mod create;
mod end;
mod finish;
mod lifetime;
mod load;
mod log_in;
mod update;
mod watch;

use crate::{
    Error, Result, Sessions,
    decide::{Changed, Standing},
    transport::{Seen, Tell},
};
use bytes::Bytes;
use cloakroom_core::{
    Address, Attributes, Change, ErrorKind, Freshness, Key, Lifetime, Record, SessionId, SessionUse,
};
pub(crate) use finish::Farewell;
pub(crate) use log_in::LogInRequest;
use serde::{Serialize, de::DeserializeOwned};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use time::Duration;
pub use watch::Over;

/// One request's session.
pub(crate) struct Visit {
    pub(crate) sessions: Sessions,
    /// How fresh what it reads must be, beside what its client has seen.
    need: Freshness,
    seen: Seen,
    state: Mutex<State>,
    /// Held while the store is asked, so that one request's operations happen one by one.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// What is known of the session. Held only between awaits.
struct State {
    found: Found,
    change: Change,
    /// The limits of time of a session that is still to be made, if they are not the policy's.
    lifetime: Option<Lifetime>,
    tell: Tell,
    /// The response depends on the session.
    consulted: bool,
    /// Where others read what was done with it.
    used: SessionUse,
    /// The record is as it was read for what is under way, so what it holds needs no write.
    fresh: bool,
    /// The response has gone: the client can't be told anything any more.
    answered: bool,
}

/// Where the request's id leads.
#[derive(Clone)]
enum Found {
    /// Nowhere: none was presented, or this request ended its session.
    Nothing,
    /// Not looked up.
    Unread(SessionId),
    /// Nowhere, as the store says: it never was, or was revoked or has expired.
    Absent(SessionId),
    /// To this session.
    Live(Live),
    /// To a session that its client ended, or that this request knew and others ended since: what
    /// is still written to it must not come back as a new one.
    Ended,
    /// It was replaced by a newer one.
    Superseded,
    /// The store could not say, and the policy is to go on.
    Unreachable,
}

/// A session as this request knows it.
#[derive(Clone)]
struct Live {
    id: SessionId,
    record: Arc<Record>,
    expires_in: Duration,
}

impl Visit {
    /// The visit of a request that presents an id, and what its client has seen of it.
    pub(crate) fn new(
        sessions: Sessions,
        id: SessionId,
        seen: Seen,
        need: Freshness,
        used: SessionUse,
    ) -> Arc<Self> {
        Self::of(sessions, Found::Unread(id), seen, need, used)
    }

    /// The visit of a request that presents none.
    pub(crate) fn anonymous(sessions: Sessions, used: SessionUse) -> Arc<Self> {
        let (seen, need) = (Seen::default(), Freshness::NOW);
        Self::of(sessions, Found::Nothing, seen, need, used)
    }

    fn of(
        sessions: Sessions,
        found: Found,
        seen: Seen,
        need: Freshness,
        used: SessionUse,
    ) -> Arc<Self> {
        Arc::new(Self {
            sessions,
            need,
            seen,
            state: Mutex::new(State {
                found,
                change: Change::default(),
                lifetime: None,
                tell: Tell::Nothing,
                consulted: false,
                used,
                fresh: true,
                answered: false,
            }),
            turn: Arc::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the bucket and digest of an id are.
    fn address(&self, id: &SessionId) -> Result<Address> {
        let address = id.address(self.sessions.0.store.buckets());
        address.ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                "an id names a bucket that does not exist",
            )
        })
    }

    /// The record as it was when it was last seen, without this request's pending changes.
    pub(crate) fn record(&self) -> Option<Arc<Record>> {
        match &self.state().found {
            Found::Live(live) => Some(Arc::clone(&live.record)),
            _ => None,
        }
    }

    /// The id, whether or not it leads anywhere.
    pub(crate) fn id(&self) -> Option<SessionId> {
        match &self.state().found {
            Found::Unread(id) | Found::Absent(id) | Found::Live(Live { id, .. }) => {
                Some(id.clone())
            }
            Found::Nothing | Found::Ended | Found::Superseded | Found::Unreachable => None,
        }
    }

    pub(crate) fn expires_in(&self) -> Option<Duration> {
        match &self.state().found {
            Found::Live(live) => Some(live.expires_in),
            _ => None,
        }
    }

    pub(crate) fn is_superseded(&self) -> bool {
        matches!(self.state().found, Found::Superseded)
    }

    /// The attribute, with this request's own pending change of it.
    pub(crate) fn get<T: DeserializeOwned>(&self, key: &Key<T>) -> Result<Option<T>> {
        let mut state = self.state();
        state.consult();
        let value = state.raw(key.name());
        value.map(|value| decode(key, value)).transpose()
    }

    pub(crate) fn insert<T, Q>(&self, key: &Key<T>, value: &Q) -> Result<()>
    where
        Q: Serialize + ?Sized,
    {
        self.write(key.name(), Attributes::encode(key.name(), value)?)
    }

    /// Sets an attribute to an encoded value.
    pub(crate) fn write(&self, name: &str, value: Bytes) -> Result<()> {
        let max = self.sessions.0.policy.max_size;
        let mut state = self.state();
        state.consult_to_change();
        if state.size_with(name, value.len()) > max {
            return Err(too_large());
        }
        if state.fresh && state.stored(name) == Some(&value) {
            // Written already: nothing to do, and what was pending is taken back.
            state.change.forget(name);
        } else {
            state.change.write(name, Some(value));
        }
        Ok(())
    }

    /// Takes back the pending change of an attribute.
    pub(crate) fn forget(&self, name: &str) {
        self.state().change.forget(name);
    }

    /// All attributes, with this request's own pending changes.
    pub(crate) fn attributes(&self) -> Attributes {
        let mut state = self.state();
        state.consult();
        let mut all = match &state.found {
            Found::Live(live) => live.record.attributes.clone(),
            _ => Attributes::default(),
        };
        all.apply(&state.change);
        all
    }

    pub(crate) fn remove(&self, name: &str) {
        let mut state = self.state();
        state.consult_to_change();
        let known = match state.found {
            Found::Live(_) => state.fresh,
            Found::Nothing | Found::Absent(_) => true,
            _ => false,
        };
        if known && state.stored(name).is_none() {
            state.change.forget(name);
        } else {
            state.change.write(name, None);
        }
    }
}

impl State {
    /// Notes that the response depends on the session.
    fn consult(&mut self) {
        self.consulted = true;
        self.used.read();
    }

    /// The same of a request that changes the session, begins or ends one.
    fn consult_to_change(&mut self) {
        self.consulted = true;
        self.used.change();
    }

    /// What the store holds of an attribute, as far as is known.
    fn stored(&self, name: &str) -> Option<&Bytes> {
        match &self.found {
            Found::Live(live) => live.record.attributes.raw(name),
            _ => None,
        }
    }

    fn raw(&self, name: &str) -> Option<&Bytes> {
        self.change
            .pending(name)
            .unwrap_or_else(|| self.stored(name))
    }

    /// The size of all attributes if this one had a value of so many bytes. A lower bound for a
    /// session that was not read; the store counts exactly.
    fn size_with(&self, name: &str, bytes: usize) -> usize {
        let others = |(n, v): (&str, &Bytes)| if n == name { 0 } else { n.len() + v.len() };
        let kept: usize = match &self.found {
            Found::Live(live) => {
                let stored = live.record.attributes.iter();
                let unchanged = stored.filter(|(n, _)| self.change.pending(n).is_none());
                unchanged.map(others).sum()
            }
            _ => 0,
        };
        let set = self.change.writes().filter_map(|(n, v)| Some((n, v?)));
        kept + set.map(others).sum::<usize>() + name.len() + bytes
    }

    /// A new id is of no use that its client can't learn.
    fn can_issue(&self) -> Result<()> {
        if self.answered {
            return Err(Error::new(
                ErrorKind::Invalid,
                "the response has gone, so the client can't be told a new session id",
            ));
        }
        Ok(())
    }

    fn standing(&self) -> Standing {
        match self.found {
            Found::Nothing | Found::Absent(_) => Standing::None,
            Found::Unread(_) | Found::Live(_) => Standing::Known,
            Found::Ended => Standing::Ended,
            Found::Superseded => Standing::Superseded,
            Found::Unreachable => Standing::Unreachable,
        }
    }

    fn changed(&self) -> Changed {
        if self.change.is_empty() {
            Changed::Nothing
        } else if self.change.writes().any(|(_, value)| value.is_some()) {
            Changed::Set
        } else {
            Changed::Removed
        }
    }

    /// The session, or `None` while there is none in the store.
    fn live(&self) -> Result<Option<&Live>> {
        match &self.found {
            Found::Live(live) => Ok(Some(live)),
            Found::Nothing | Found::Absent(_) => Ok(None),
            Found::Ended => Err(Error::gone()),
            Found::Superseded => Err(Error::superseded()),
            Found::Unread(_) | Found::Unreachable => Err(Error::new(
                ErrorKind::Unavailable,
                "the store could not be asked for the session",
            )),
        }
    }

    /// Takes back what was written. What was set anew meanwhile stays pending.
    fn settle(&mut self, written: &Change) {
        for (name, value) in written.writes() {
            if self.change.pending(name) == Some(value) {
                self.change.forget(name);
            }
        }
    }

    /// Notes that the session was written: its revision now, and what the client is told.
    fn written(&mut self, id: &SessionId, revision: u64) {
        if let Found::Live(live) = &mut self.found {
            Arc::make_mut(&mut live.record).revision = revision;
        }
        match &mut self.tell {
            // A new id is told together with the latest revision.
            Tell::Issue { revision: told, .. } => *told = revision,
            tell => {
                *tell = Tell::Revision {
                    id: id.clone(),
                    revision,
                };
            }
        }
    }

    /// Notes that this request ended the session: what is set from now on is for a new one.
    fn logged_out(&mut self) {
        self.found = Found::Nothing;
        self.change = Change::default();
        self.tell = Tell::Remove;
    }

    /// Notes that the session was ended by others. The client is told nothing: it may have a newer
    /// id by now, which a removal would hit.
    fn gone(&mut self) {
        self.found = Found::Ended;
        self.change = Change::default();
        self.tell = Tell::Nothing;
    }

    /// Notes that the id was replaced by a newer one, which the client must keep.
    fn superseded(&mut self) {
        self.found = Found::Superseded;
        self.change = Change::default();
        self.tell = Tell::Nothing;
    }
}

/// An attribute that this version can't read is the handler's to deal with, and worth a line.
fn decode<T: DeserializeOwned>(key: &Key<T>, value: &[u8]) -> Result<T> {
    Attributes::decode(key.name(), value).map_err(|error| {
        tracing::debug!(attribute = key.name(), "an attribute does not decode");
        error.into()
    })
}

fn too_large() -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "the session's attributes would exceed the application's cap",
    )
}

impl std::fmt::Debug for Visit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        f.debug_struct("Visit")
            .field("standing", &state.standing())
            .field("change", &state.change)
            .finish_non_exhaustive()
    }
}
