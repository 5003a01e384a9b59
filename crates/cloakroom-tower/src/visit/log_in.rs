//! Logging in: a new id in the user's bucket, then the old one retired.

use super::{
    Found, Live, Visit,
    create::{Draft, collision},
};
use crate::{Error, Result, stats};
use cloakroom_core::{
    Address, Attributes, Change, Committed, ErrorKind, Handle, Loaded, NewLogin, Record, Retired,
    Rotated, User,
};
use std::sync::Arc;

/// How often an old session that keeps being written is carried over before it is set aside.
const CARRIES: usize = 8;

/// What a login asks for.
#[derive(Debug, Clone)]
pub(crate) struct LogInRequest {
    pub(crate) user: String,
    pub(crate) device: Option<String>,
    pub(crate) remember: bool,
}

/// The session that a login replaces.
struct Old {
    live: Live,
    at: Address,
    /// Its attributes go with the user: it was anonymous, or the user's own.
    carried: bool,
}

impl Visit {
    /// Two round trips beside the load, or one without an old session.
    #[tracing::instrument(name = "session.log_in", level = "debug", skip_all)]
    pub(crate) async fn log_in(&self, request: LogInRequest) -> Result<()> {
        let _turn = self.turn.lock().await;
        self.state().can_issue()?;
        self.load_in_turn().await?;
        let user = self.sessions.0.store.user(&request.user)?;
        let old = self.old_session(&user)?;
        let change = self.state().change.clone();
        let login = self.create_login(&user, request, old.as_ref(), &change);
        let mut live = login.await?;
        if let Some(old) = old {
            self.replace_or_undo(old, &mut live).await?;
        }
        self.sessions.0.toucher.written(self.address(&live.id)?);
        let mut state = self.state();
        state.settle(&change);
        state.issue(live);
        Ok(())
    }

    fn old_session(&self, user: &User) -> Result<Option<Old>> {
        let live = match &self.state().found {
            Found::Live(live) => live.clone(),
            Found::Nothing | Found::Ended | Found::Superseded => return Ok(None),
            Found::Unread(_) | Found::Unreachable => {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "the store can't be reached, so nobody can log in",
                ));
            }
        };
        let at = self.address(&live.id)?;
        let login = live.record.login.as_ref();
        let carried = login.is_none_or(|login| login.user == user.id);
        Ok(Some(Old { live, at, carried }))
    }

    async fn create_login(
        &self,
        user: &User,
        request: LogInRequest,
        old: Option<&Old>,
        change: &Change,
    ) -> Result<Live> {
        let inner = &self.sessions.0;
        let mut attributes = match old {
            Some(old) if old.carried => old.live.record.attributes.clone(),
            _ => Attributes::default(),
        };
        attributes.apply(change);
        let lifetime = if request.remember {
            inner.policy.remembered
        } else {
            inner.policy.lifetime
        };
        let login = NewLogin {
            user: user.clone(),
            device: request.device.filter(|d| !d.is_empty()).map(Arc::from),
            limit: inner.policy.limit(),
            replaces: old.map(|old| old.at.digest),
        };
        let handle = match old {
            // The same device under a new id keeps its name in the list.
            Some(old) if old.carried && old.live.record.login.is_some() => old.live.record.handle,
            _ => Handle::generate(&*inner.entropy)?,
        };
        self.create(Draft {
            bucket: Some(user.bucket),
            handle,
            lifetime,
            revision: old.map_or(1, |old| old.live.record.revision + 1),
            login: Some(login),
            attributes,
        })
        .await
    }

    /// Retires the old session, if the store can. One that was anonymous may stay until it
    /// expires, for nobody is logged in on it; a login that could not be replaced undoes the new
    /// one, so that no id is left that its user believes ended.
    async fn replace_or_undo(&self, old: Old, live: &mut Live) -> Result<()> {
        let anonymous = old.live.record.login.is_none();
        match self.replace(old, live).await {
            Err(error) if anonymous => {
                tracing::debug!(%error, "an anonymous session stays behind a login");
                Ok(())
            }
            Err(error) => {
                // Best effort: what it leaves behind has an id that nobody knows.
                let _ = self.sessions.0.store.end(self.address(&live.id)?).await;
                Err(error)
            }
            done => done,
        }
    }

    /// Retires the old id. What others wrote to the old session meanwhile is carried over, so
    /// that no acknowledged write is lost.
    async fn replace(&self, mut old: Old, live: &mut Live) -> Result<()> {
        let inner = &self.sessions.0;
        inner.toucher.forget(old.at);
        stats::count(&inner.counters.rotated);
        for _ in 0..CARRIES {
            let revision = old.live.record.revision;
            match inner.noting(inner.store.retire(old.at, Some(revision)).await)? {
                Retired::Done | Retired::Already => return Ok(()),
                Retired::Changed(record) => {
                    if old.carried {
                        let late = record.attributes.changes_since(&old.live.record.attributes);
                        self.carry(live, &late).await?;
                    }
                    old.live.record = record;
                }
            }
        }
        // Somebody writes without pause; the login must not wait for them to stop.
        if let Some(record) = self.set_aside(old.at).await?
            && old.carried
        {
            let late = record.attributes.changes_since(&old.live.record.attributes);
            self.carry(live, &late).await?;
        }
        Ok(())
    }

    /// Retires the old id at once and shows how its session stood: under another id, which nobody
    /// holds, it stands still. `None` if it was superseded or had ended before.
    async fn set_aside(&self, old: Address) -> Result<Option<Arc<Record>>> {
        let inner = &self.sessions.0;
        let aside = self.address(&inner.new_id(Some(old.bucket))?)?;
        match inner.noting(inner.store.rotate(old, aside.digest).await)? {
            Rotated::Done { .. } => {}
            Rotated::Superseded | Rotated::Gone => return Ok(None),
            Rotated::Collision => return Err(collision()),
        }
        let loaded = inner.noting(inner.store.load(aside).await)?;
        inner.noting(inner.store.end(aside).await)?;
        Ok(match loaded {
            Loaded::Found { record, .. } => Some(record),
            Loaded::Superseded | Loaded::Absent => None,
        })
    }

    async fn carry(&self, live: &mut Live, late: &Change) -> Result<()> {
        let inner = &self.sessions.0;
        let at = self.address(&live.id)?;
        let max = inner.policy.max_size;
        let committed = inner.noting(inner.store.commit(at, late, max).await)?;
        if let Committed::Done { revision } = committed {
            let record = Arc::make_mut(&mut live.record);
            record.attributes.apply(late);
            record.revision = revision;
        }
        Ok(())
    }
}
