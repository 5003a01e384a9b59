//! Other limits of time than the policy's.

use super::{Found, Live, Visit};
use crate::{Error, LONGEST_LIFE, Result};
use cloakroom_core::{Change, Committed, ErrorKind, Lifetime};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

impl Visit {
    /// Gives the session other limits of time, and then a new id, whose cookie tells the client. Two
    /// round trips beside the load; none while there is no session: the one that is made then has
    /// them.
    pub(crate) async fn live(&self, lifetime: Lifetime) -> Result<()> {
        check(lifetime)?;
        {
            let _turn = self.turn.lock().await;
            self.state().consult_to_change();
            self.load_in_turn().await?;
            let live = self.state().live()?.cloned();
            let Some(live) = live else {
                self.state().lifetime = Some(lifetime);
                return Ok(());
            };
            self.state().can_issue()?;
            self.commit_lifetime(&live, lifetime).await?;
        }
        self.rotate().await
    }

    async fn commit_lifetime(&self, live: &Live, lifetime: Lifetime) -> Result<()> {
        let inner = &self.sessions.0;
        let at = self.address(&live.id)?;
        let mut change = Change::default();
        change.live(lifetime);
        let committed = inner.noting(inner.store.commit(at, &change, usize::MAX).await)?;
        let mut state = self.state();
        match committed {
            Committed::Done { revision } => {
                inner.toucher.written(at);
                state.written(&live.id, revision);
                if let Found::Live(live) = &mut state.found {
                    live.begin(lifetime);
                }
                Ok(())
            }
            Committed::Superseded => {
                state.superseded();
                Err(Error::superseded())
            }
            // Nothing was expected and nothing was set, so nothing can conflict or be too large.
            Committed::Gone | Committed::Conflict { .. } | Committed::TooLarge { .. } => {
                state.gone();
                Err(Error::gone())
            }
        }
    }
}

impl Live {
    /// When the record was read, by the store's clock. Follows from what was left of the shorter
    /// limit, so that no two clocks are compared.
    pub(super) fn read_at(&self) -> OffsetDateTime {
        let record = &self.record;
        let idle_deadline = record.last_seen.saturating_add(record.idle);
        idle_deadline.min(record.absolute_deadline) - self.expires_in
    }

    fn begin(&mut self, lifetime: Lifetime) {
        let now = self.read_at();
        let record = Arc::make_mut(&mut self.record);
        record.last_seen = now;
        record.live(lifetime, now);
        self.expires_in = lifetime.idle.min(lifetime.absolute);
    }
}

/// A session that ends before it begins, or never, is a mistake.
pub(super) fn check(lifetime: Lifetime) -> Result<()> {
    let Lifetime { idle, absolute, .. } = lifetime;
    if idle < Duration::MILLISECOND || absolute < idle || absolute > LONGEST_LIFE {
        return Err(Error::new(
            ErrorKind::Invalid,
            "a session's idle window is at least 1 ms, and its life at least as long as that and at \
             most 100 years",
        ));
    }
    Ok(())
}
