//! Logging out, rotating, and ending a user's other sessions.

use super::{
    Found, Live, Visit,
    create::{DRAWS, collision},
};
use crate::{Error, Result, stats, transport::Tell};
use cloakroom_core::{Address, Change, Ended, ErrorKind, Rotated, SessionId, Which};
use std::sync::Arc;
use time::Duration;

impl Visit {
    /// Ends the session, without reading it. At most one round trip.
    #[tracing::instrument(name = "session.log_out", level = "debug", skip_all)]
    pub(crate) async fn log_out(&self) -> Result<()> {
        let _turn = self.turn.lock().await;
        let id = {
            let mut state = self.state();
            state.consult_to_change();
            match &state.found {
                Found::Unread(id) | Found::Absent(id) | Found::Live(Live { id, .. }) => id.clone(),
                Found::Nothing | Found::Ended => {
                    state.change = Change::default();
                    return Ok(());
                }
                Found::Superseded => return Err(Error::superseded()),
                Found::Unreachable => {
                    return Err(Error::new(
                        ErrorKind::Unavailable,
                        "the store can't be reached, so the session can't be ended",
                    ));
                }
            }
        };
        let inner = &self.sessions.0;
        let at = self.address(&id)?;
        let ended = inner.noting(inner.store.end(at).await);
        let ended = ended.inspect_err(|error| {
            if error.is_not_replicated() {
                // It has ended all the same; how surely, the handler is told.
                self.state().logged_out();
            }
        })?;
        inner.toucher.forget(at);
        tracing::debug!(digest = ?at.digest, ?ended, "logged out");
        let mut state = self.state();
        match ended {
            Ended::Done => {
                stats::count(&inner.counters.revoked);
                state.logged_out();
            }
            Ended::Absent => state.logged_out(),
            // The client was told so by the request that did it.
            Ended::Already => state.gone(),
            // The session lives on under the newer id: whoever asked must not believe it ended.
            Ended::Superseded => {
                state.superseded();
                return Err(Error::superseded());
            }
        }
        Ok(())
    }

    /// Moves the session to a new id. One round trip beside the load.
    #[tracing::instrument(name = "session.rotate", level = "debug", skip_all)]
    pub(crate) async fn rotate(&self) -> Result<()> {
        let _turn = self.turn.lock().await;
        self.state().consult_to_change();
        self.state().can_issue()?;
        self.load_in_turn().await?;
        let Some(live) = self.state().live()?.cloned() else {
            return Ok(());
        };
        let at = self.address(&live.id)?;
        for _ in 0..DRAWS {
            let id = self.sessions.0.new_id(Some(at.bucket))?;
            if self.rotate_to(&live, at, id).await? {
                return Ok(());
            }
        }
        Err(collision())
    }

    async fn rotate_to(&self, live: &Live, at: Address, id: SessionId) -> Result<bool> {
        let inner = &self.sessions.0;
        let digest = id.digest();
        let rotated = inner.noting(inner.store.rotate(at, digest).await)?;
        tracing::debug!(from = ?at.digest, to = ?digest, ?rotated, "session rotated");
        match rotated {
            Rotated::Done { revision } => {
                stats::count(&inner.counters.rotated);
                inner.toucher.forget(at);
                let mut record = Arc::clone(&live.record);
                let new = Arc::make_mut(&mut record);
                new.digest = digest;
                new.revision = revision;
                self.state().issue(Live {
                    id,
                    record,
                    ..live.clone()
                });
                Ok(true)
            }
            Rotated::Collision => Ok(false),
            Rotated::Superseded => {
                self.state().superseded();
                Err(Error::superseded())
            }
            Rotated::Gone => {
                self.state().gone();
                Err(Error::gone())
            }
        }
    }

    /// Ends the user's other sessions. One round trip.
    pub(crate) async fn revoke_others(&self) -> Result<u64> {
        self.load().await?;
        let live = self.state().live()?.cloned().ok_or_else(Error::gone)?;
        let Some(login) = &live.record.login else {
            return Err(Error::new(
                ErrorKind::Invalid,
                "nobody is logged in on this session, so it has no others",
            ));
        };
        let others = Which::Others(live.record.handle);
        self.sessions.revoke_which(&login.user, others).await
    }
}

impl super::State {
    /// Notes a new id, which the client shall be told.
    pub(super) fn issue(&mut self, live: Live) {
        let remembered = live.record.remembered;
        let keep = remembered.then(|| live.left_for_good());
        self.tell = Tell::Issue {
            id: live.id.clone(),
            revision: live.record.revision,
            keep,
        };
        self.found = Found::Live(live);
    }
}

impl Live {
    /// What was left of the absolute lifetime when the record was read.
    fn left_for_good(&self) -> Duration {
        (self.record.absolute_deadline - self.read_at()).max(Duration::SECOND)
    }
}
