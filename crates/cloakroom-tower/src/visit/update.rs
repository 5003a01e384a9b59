//! Atomic read-modify-write of one attribute.

use super::{Found, Visit, decode, too_large};
use crate::{Error, Result, detach, stats};
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
    /// This request's own pending change of it, if any.
    pending: Change,
    /// What the value is computed from: the pending change, or what is stored.
    value: Option<Bytes>,
}

impl Visit {
    #[tracing::instrument(name = "session.update", level = "debug", skip_all, fields(attribute = key.name()))]
    pub(crate) async fn update<T, F>(self: &Arc<Self>, key: &Key<T>, mut change: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Default,
        F: FnMut(&mut T),
    {
        let mut turn = Arc::clone(&self.turn).lock_owned().await;
        self.state().consult_to_change();
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
            if self.is_so(key.name(), &start, &encoded) {
                return Ok(value);
            }
            let (visit, name) = (Arc::clone(self), key.name().to_owned());
            let swap = async move { (visit.swap(&name, &start, encoded).await, turn) };
            let (swapped, returned) = detach(swap).await;
            if swapped? {
                return Ok(value);
            }
            turn = returned;
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "others kept changing the same attribute for 5 s",
        ))
    }

    /// What an update starts from, or `None` while there is no session in the store.
    fn start(&self, name: &str) -> Result<Option<Start>> {
        let state = self.state();
        let mut pending = Change::default();
        if let Some(value) = state.change.pending(name) {
            pending.write(name, value.cloned());
        }
        Ok(state.live()?.map(|live| Start {
            id: live.id.clone(),
            stored: state.stored(name).cloned(),
            pending,
            value: state.raw(name).cloned(),
        }))
    }

    /// Whether the store holds the value already, and then there is nothing to write.
    fn is_so(&self, name: &str, start: &Start, value: &Bytes) -> bool {
        let mut state = self.state();
        let so = state.fresh && start.stored.as_ref() == Some(value);
        if so {
            state.change.forget(name);
        }
        so
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
        let committed = inner.noting(inner.store.commit(at, &change, max).await);
        if !matches!(
            committed,
            Ok(Committed::Conflict { .. } | Committed::TooLarge { .. })
        ) {
            // It is in the value that was sent, whose outcome may be unknown: never sent again.
            self.state().settle(&start.pending);
        }
        match committed? {
            Committed::Done { revision } => {
                stats::count(&inner.counters.commits);
                inner.toucher.written(at);
                let mut state = self.state();
                state.know(name, Some(value));
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
