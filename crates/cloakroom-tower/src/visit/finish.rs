//! The end of a request: decide, apply, and what to tell the client.

use super::{Found, Live, Visit, create::Draft, too_large};
use crate::{
    Error, Result,
    decide::{Plan, decide},
    stats,
    transport::Tell,
};
use cloakroom_core::{Attributes, Change, Committed, Handle, SessionId};
use http::StatusCode;
use std::sync::Arc;

/// What the response tells the client, and what went wrong on the way.
#[derive(Debug, Default)]
pub(crate) struct Farewell {
    pub(crate) tell: Tell,
    pub(crate) consulted: bool,
    pub(crate) failure: Option<Error>,
}

impl Visit {
    /// What this response does with the request's changes.
    pub(crate) fn decide(&self, status: StatusCode) -> Plan {
        let state = self.state();
        decide(state.standing(), state.changed(), status)
    }

    /// Carries the plan out. One round trip at most, none for most requests.
    ///
    /// Waits for what is still under way, like a login that its handler gave up: the client is
    /// told of it.
    pub(crate) async fn apply(&self, plan: Plan) -> Farewell {
        let _turn = self.turn.lock().await;
        let result = match plan {
            // What is set from here on is somebody's who outlives the request, and commits it.
            Plan::Nothing => Ok(()),
            Plan::Discard => {
                self.discard();
                Ok(())
            }
            Plan::Create | Plan::Commit | Plan::Refuse => self.commit_in_turn().await,
        };
        let failure = result
            .err()
            .filter(|error| !self.goes_on_without(error.kind()));
        self.farewell(failure)
    }

    /// The same where there is nothing to wait for.
    pub(crate) fn apply_now(&self, plan: Plan) -> Option<Farewell> {
        let _turn = self.turn.try_lock().ok()?;
        match plan {
            Plan::Nothing => Some(self.farewell(None)),
            Plan::Discard => {
                self.discard();
                Some(self.farewell(None))
            }
            Plan::Create | Plan::Commit | Plan::Refuse => None,
        }
    }

    /// Drops the request's changes, because of this.
    pub(crate) async fn refuse(&self, error: Error) -> Farewell {
        let _turn = self.turn.lock().await;
        self.discard();
        let goes_on = self.goes_on_without(error.kind());
        self.farewell((!goes_on).then_some(error))
    }

    fn discard(&self) {
        let mut state = self.state();
        if !state.change.is_empty() {
            tracing::debug!(change = ?state.change, "the request's changes are not kept");
            state.change = Change::default();
        }
    }

    fn farewell(&self, failure: Option<Error>) -> Farewell {
        let mut state = self.state();
        state.answered = true;
        state.fresh = false;
        Farewell {
            tell: std::mem::take(&mut state.tell),
            consulted: state.consulted,
            failure,
        }
    }

    /// Writes the pending changes, making a session if there is none.
    ///
    /// A session that has ended is no error here: what was written to it ended with it.
    pub(crate) async fn commit(&self) -> Result<()> {
        let _turn = self.turn.lock().await;
        self.state().fresh = false;
        self.commit_in_turn().await
    }

    #[tracing::instrument(name = "session.commit", level = "debug", skip_all)]
    async fn commit_in_turn(&self) -> Result<()> {
        let (plan, change, id) = {
            let state = self.state();
            let id = match &state.found {
                Found::Unread(id) | Found::Live(Live { id, .. }) => Some(id.clone()),
                _ => None,
            };
            let plan = decide(state.standing(), state.changed(), StatusCode::OK);
            (plan, state.change.clone(), id)
        };
        match (plan, id) {
            (Plan::Create, _) => self.create_anonymous(&change).await,
            (Plan::Commit, Some(id)) => self.commit_to(&id, &change).await,
            (Plan::Refuse, _) => {
                self.discard();
                Err(Error::superseded())
            }
            _ => {
                self.discard();
                Ok(())
            }
        }
    }

    async fn create_anonymous(&self, change: &Change) -> Result<()> {
        self.state().can_issue()?;
        let inner = &self.sessions.0;
        let mut attributes = Attributes::default();
        attributes.apply(change);
        if attributes.size() > inner.policy.max_size {
            return Err(too_large());
        }
        let lifetime = self.state().lifetime.unwrap_or(inner.policy.lifetime);
        let created = self
            .create(Draft {
                bucket: None,
                handle: Handle::generate(&*inner.entropy)?,
                lifetime,
                revision: 1,
                login: None,
                attributes,
            })
            .await;
        // Sent, so never sent again, though its outcome be unknown.
        self.state().settle(change);
        let (live, _) = created?;
        inner.toucher.written(self.address(&live.id)?);
        self.state().issue(live);
        Ok(())
    }

    async fn commit_to(&self, id: &SessionId, change: &Change) -> Result<()> {
        let inner = &self.sessions.0;
        let at = self.address(id)?;
        let max = inner.policy.max_size;
        let committed = inner.noting(inner.store.commit(at, change, max).await);
        let mut state = self.state();
        if !matches!(committed, Ok(Committed::TooLarge { .. })) {
            // Sent, so never sent again, though its outcome be unknown.
            state.settle(change);
        }
        let committed = committed?;
        tracing::debug!(digest = ?at.digest, ?committed, "session committed");
        match committed {
            Committed::Done { revision } => {
                stats::count(&inner.counters.commits);
                inner.toucher.written(at);
                if let Found::Live(live) = &mut state.found {
                    Arc::make_mut(&mut live.record).attributes.apply(change);
                }
                state.written(id, revision);
            }
            Committed::Gone => {
                stats::count(&inner.counters.gone_writes);
                inner.toucher.forget(at);
                state.gone();
            }
            Committed::Superseded => {
                stats::count(&inner.counters.gone_writes);
                inner.toucher.forget(at);
                state.superseded();
                return Err(Error::superseded());
            }
            Committed::TooLarge { .. } => return Err(too_large()),
            // Nothing was expected, so nothing can conflict.
            Committed::Conflict { .. } => {}
        }
        Ok(())
    }
}
