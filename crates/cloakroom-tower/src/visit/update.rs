//! Atomic read-modify-write of one attribute.

use super::{Found, Visit, decode, too_large};
use crate::{Error, Result, stats};
use bytes::Bytes;
use cloakroom_core::{Attributes, Change, Committed, ErrorKind, Key, SessionId};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How long an update goes on against others that change the same attribute.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where an update starts from.
struct Start {
    id: SessionId,
    /// What the store is believed to hold, which the write is conditional on.
    stored: Option<Bytes>,
    /// What the value is computed from: the same, or this request's own pending change.
    value: Option<Bytes>,
}

impl Visit {
    #[tracing::instrument(name = "session.update", level = "debug", skip_all, fields(attribute = key.name()))]
    pub(crate) async fn update<T, F>(&self, key: &Key<T>, mut change: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Default,
        F: FnMut(&mut T),
    {
        let _turn = self.turn.lock().await;
        self.load_in_turn().await?;
        // Looked at between attempts only: one under way has its own limit, and its end is known.
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let start = self.start(key.name())?;
            let base = start.as_ref().map_or_else(
                || self.state().raw(key.name()).cloned(),
                |start| start.value.clone(),
            );
            let mut value: T = match &base {
                Some(held) => decode(key, held)?,
                None => T::default(),
            };
            change(&mut value);
            let Some(start) = start else {
                // No session yet: the value goes with the commit that makes one.
                self.insert(key, &value)?;
                return Ok(value);
            };
            let encoded = Attributes::encode(key.name(), &value)?;
            if start.stored.as_ref() == Some(&encoded) {
                self.state().change.forget(key.name());
                return Ok(value);
            }
            if self.swap(key.name(), &start, encoded).await? {
                return Ok(value);
            }
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "others kept changing the same attribute for 5 s",
        ))
    }

    /// What an update starts from, or `None` while there is no session in the store.
    fn start(&self, name: &str) -> Result<Option<Start>> {
        let state = self.state();
        match &state.found {
            Found::Nothing => Ok(None),
            Found::Ended => Err(Error::gone()),
            Found::Superseded => Err(Error::superseded()),
            Found::Unread(_) | Found::Unreachable => Err(Error::new(
                ErrorKind::Unavailable,
                "the store can't be reached, so nothing can be updated",
            )),
            Found::Live(live) => Ok(Some(Start {
                id: live.id.clone(),
                stored: state.stored(name).cloned(),
                value: state.raw(name).cloned(),
            })),
        }
    }

    /// Writes the value if the store still holds what was believed; `false` if it doesn't, and
    /// then what it holds is known.
    async fn swap(&self, name: &str, start: &Start, value: Bytes) -> Result<bool> {
        let inner = &self.sessions.0;
        let at = self.address(&start.id)?;
        let mut change = Change::default();
        change.expect(name, start.stored.clone());
        change.write(name, Some(value.clone()));
        let max = inner.policy.max_size;
        match inner.noting(inner.store.commit(at, &change, max).await)? {
            Committed::Done { revision } => {
                stats::count(&inner.counters.commits);
                inner.toucher.written(at);
                let mut state = self.state();
                state.know(name, Some(value));
                state.change.forget(name);
                state.written(&start.id, revision);
                Ok(true)
            }
            Committed::Conflict { current, .. } => {
                stats::count(&inner.counters.conflicts);
                let current = current.into_iter().next().flatten();
                self.state().know(name, current);
                Ok(false)
            }
            Committed::TooLarge { .. } => Err(too_large()),
            Committed::Superseded => {
                stats::count(&inner.counters.gone_writes);
                self.state().superseded();
                Err(Error::superseded())
            }
            Committed::Gone => {
                stats::count(&inner.counters.gone_writes);
                inner.toucher.forget(at);
                self.state().gone();
                Err(Error::gone())
            }
        }
    }
}

impl super::State {
    /// Notes what the store holds of an attribute.
    fn know(&mut self, name: &str, value: Option<Bytes>) {
        if let Found::Live(live) = &mut self.found {
            Arc::make_mut(&mut live.record).attributes.set(name, value);
        }
    }
}
