//! Reading the session, on its first use.

use super::{Found, Live, Visit};
use crate::{Result, sessions::OnUnavailable, stats};
use cloakroom_core::{ErrorKind, Freshness, Loaded, SessionId};
use time::Duration;

impl Visit {
    /// Reads the session if its id was not looked up yet. At most one round trip for a request.
    pub(crate) async fn load(&self) -> Result<()> {
        let _turn = self.turn.lock().await;
        self.load_in_turn().await
    }

    /// Reads the session from the store itself, whatever copies there are. One round trip.
    pub(crate) async fn load_now(&self) -> Result<()> {
        let _turn = self.turn.lock().await;
        let unread = matches!(self.state().found, Found::Unread(_));
        if unread {
            return self.read_in_turn(Freshness::NOW).await;
        }
        self.reload_in_turn().await.map(drop)
    }

    pub(super) async fn load_in_turn(&self) -> Result<()> {
        self.read_in_turn(self.need).await
    }

    async fn read_in_turn(&self, need: Freshness) -> Result<()> {
        let id = {
            let mut state = self.state();
            state.consult();
            match &state.found {
                Found::Unread(id) => id.clone(),
                _ => return Ok(()),
            }
        };
        let revision = self.seen.of(&id);
        let found = self.look_up(&id, Freshness { revision, ..need }).await?;
        if let Found::Live(live) = &found {
            // Reckoned from what is left, so that no two clocks are compared.
            let ago = (live.record.idle - live.expires_in).max(Duration::ZERO);
            let at = self.address(&id)?;
            self.sessions.0.toucher.used(at, ago, live.record.idle);
        }
        self.state().found = found;
        Ok(())
    }

    /// Reads the session again; `false` if it has ended. Pending changes stay.
    pub(crate) async fn reload(&self) -> Result<bool> {
        let _turn = self.turn.lock().await;
        self.reload_in_turn().await
    }

    async fn reload_in_turn(&self) -> Result<bool> {
        let id = {
            let mut state = self.state();
            state.consult();
            match &state.found {
                Found::Unread(id) | Found::Live(Live { id, .. }) => id.clone(),
                _ => return Ok(false),
            }
        };
        let found = match self.look_up(&id, Freshness::NOW).await? {
            Found::Absent(_) => Found::Ended,
            found => found,
        };
        let alive = matches!(found, Found::Live(_));
        let mut state = self.state();
        state.found = found;
        state.fresh = true;
        Ok(alive)
    }

    #[tracing::instrument(name = "session.load", level = "debug", skip_all)]
    async fn look_up(&self, id: &SessionId, need: Freshness) -> Result<Found> {
        let inner = &self.sessions.0;
        let at = self.address(id)?;
        stats::count(&inner.counters.loads);
        let found = match inner.noting(inner.store.load(at, need).await) {
            Ok(Loaded::Found { record, expires_in }) => {
                stats::count(&inner.counters.loads_found);
                Found::Live(Live {
                    id: id.clone(),
                    record,
                    expires_in,
                })
            }
            Ok(Loaded::Superseded) => Found::Superseded,
            Ok(Loaded::Ended) => Found::Ended,
            Ok(Loaded::Absent) => Found::Absent(id.clone()),
            Err(error) if self.goes_on_without(error.kind()) => Found::Unreachable,
            Err(error) => return Err(error),
        };
        tracing::debug!(digest = ?at.digest, found = found.name(), "session loaded");
        Ok(found)
    }

    /// The policy is to serve the request all the same.
    pub(super) fn goes_on_without(&self, kind: ErrorKind) -> bool {
        let policy = self.sessions.0.policy.on_unavailable;
        kind == ErrorKind::Unavailable && matches!(policy, OnUnavailable::Anonymous)
    }
}

impl Found {
    fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Unread(_) => "unread",
            Self::Absent(_) => "absent",
            Self::Live(_) => "live",
            Self::Ended => "ended",
            Self::Superseded => "superseded",
            Self::Unreachable => "unreachable",
        }
    }
}
