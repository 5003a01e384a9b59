//! Logging in: a new id in the user's bucket, then the old one retired.

use super::{Found, Live, Visit, create::Draft, lifetime, too_large};
use crate::{Error, Result, stats};
use cloakroom_core::{
    Address, Attributes, Change, Committed, ErrorKind, Handle, Lifetime, NewLogin, Record,
    Replaced, Retired, User,
};
use std::sync::Arc;

/// What a login asks for.
#[derive(Clone)]
pub(crate) struct LogInRequest {
    pub(crate) user: String,
    pub(crate) device: Option<String>,
    pub(crate) remember: bool,
    /// Limits of time of its own, in place of the policy's.
    pub(crate) lifetime: Option<Lifetime>,
}

/// The id that a login replaces.
struct Old {
    at: Address,
    /// Its session, or `None` if it led nowhere.
    live: Option<Live>,
    whose: Whose,
}

/// Who is logged in on the session that a login replaces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Nobodys,
    Own,
    Others,
}

impl Visit {
    /// Two round trips beside the load: the new session, and the old id's retirement. One where
    /// no id was presented, or where the user's own session is replaced.
    #[tracing::instrument(name = "session.log_in", level = "debug", skip_all)]
    pub(crate) async fn log_in(&self, request: LogInRequest) -> Result<()> {
        let _turn = self.turn.lock().await;
        self.state().consult_to_change();
        self.state().can_issue()?;
        self.load_in_turn().await?;
        let user = self.sessions.0.store.user(&request.user)?;
        request.lifetime.map_or(Ok(()), lifetime::check)?;
        let old = self.old_session(&user)?;
        let change = self.state().change.clone();
        let draft = self.draft_login(&user, request, old.as_ref(), &change)?;
        let (mut live, mut late) = self.create(draft).await?;
        if let Some(old) = &old {
            self.sessions.0.toucher.forget(old.at);
            if old.live.is_some() {
                stats::count(&self.sessions.0.counters.rotated);
            }
            if old.whose != Whose::Own {
                late = self.retire_or_undo(old, &live).await?;
            }
        }
        let late = late.and_then(|late| Some(old?.written_late(&late, &change)));
        let lost = match late {
            Some(late) => self.carry(&mut live, late).await,
            None => Change::default(),
        };
        self.sessions.0.toucher.written(self.address(&live.id)?);
        let mut state = self.state();
        state.settle(&change);
        state.change.or(lost);
        state.issue(live);
        Ok(())
    }

    fn old_session(&self, user: &User) -> Result<Option<Old>> {
        let (id, live) = match &self.state().found {
            Found::Live(live) => (live.id.clone(), Some(live.clone())),
            Found::Absent(id) => (id.clone(), None),
            // An id that has its mark already needs no other.
            Found::Nothing | Found::Ended | Found::Superseded => return Ok(None),
            Found::Unread(_) | Found::Unreachable => {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "the store can't be reached, so nobody can log in",
                ));
            }
        };
        let at = self.address(&id)?;
        let login = live.as_ref().and_then(|live| live.record.login.as_ref());
        let whose = match login {
            None => Whose::Nobodys,
            Some(login) if login.user == user.id => Whose::Own,
            Some(_) => Whose::Others,
        };
        Ok(Some(Old { at, live, whose }))
    }

    fn draft_login(
        &self,
        user: &User,
        request: LogInRequest,
        old: Option<&Old>,
        change: &Change,
    ) -> Result<Draft> {
        let inner = &self.sessions.0;
        let record = old.and_then(Old::record);
        let mut attributes = old.and_then(Old::carried).cloned().unwrap_or_default();
        // What the cap let through once is let through again.
        let cap = inner.policy.max_size.max(attributes.size());
        attributes.apply(change);
        if attributes.size() > cap {
            return Err(too_large());
        }
        let lifetime = request.lifetime.unwrap_or(if request.remember {
            inner.policy.remembered
        } else {
            inner.policy.lifetime
        });
        let revision = record.map_or(0, |record| record.revision);
        let login = NewLogin {
            user: user.clone(),
            device: request.device.map(Arc::from),
            limit: inner.policy.limit(),
            replaces: old.map(|old| Replaced {
                digest: old.at.digest,
                revision,
            }),
        };
        let own = old.is_some_and(|old| old.whose == Whose::Own);
        let handle = match record {
            // The same device under a new id keeps its name in the list.
            Some(record) if own => record.handle,
            _ => Handle::generate(&*inner.entropy)?,
        };
        Ok(Draft {
            bucket: Some(user.bucket),
            handle,
            lifetime,
            revision: revision + 1,
            login: Some(login),
            attributes,
        })
    }

    /// Retires the old id, if the store can, and shows what its session held if it was written
    /// meanwhile. One where nobody is logged in may stay until it expires; a login that could not
    /// be replaced undoes the new one, so that no id is left that its user believes ended.
    async fn retire_or_undo(&self, old: &Old, live: &Live) -> Result<Option<Arc<Record>>> {
        let inner = &self.sessions.0;
        let revision = old.record().map_or(0, |record| record.revision);
        match inner.noting(inner.store.retire(old.at, revision).await) {
            Ok(Retired::Late(record)) => Ok(Some(record)),
            Ok(Retired::Done | Retired::Already) => Ok(None),
            Err(error) if old.whose == Whose::Nobodys => {
                tracing::debug!(%error, "an id that nobody is logged in on stays behind a login");
                Ok(None)
            }
            Err(error) => {
                // Best effort: what it leaves behind has an id that nobody knows.
                let _ = inner.store.end(self.address(&live.id)?).await;
                Err(error)
            }
        }
    }

    /// Writes to the new session what was written to the old one late. What could not be written
    /// is returned, to go with the response's commit.
    async fn carry(&self, live: &mut Live, late: Change) -> Change {
        if late.is_empty() {
            return late;
        }
        let inner = &self.sessions.0;
        let Ok(at) = self.address(&live.id) else {
            return late;
        };
        // Acknowledged before, so the cap has let it through.
        match inner.noting(inner.store.commit(at, &late, usize::MAX).await) {
            Ok(Committed::Done { revision }) => {
                let record = Arc::make_mut(&mut live.record);
                record.attributes.apply(&late);
                record.revision = revision;
                Change::default()
            }
            // Revoked already.
            Ok(_) => Change::default(),
            Err(_) => late,
        }
    }
}

impl Old {
    fn record(&self) -> Option<&Record> {
        self.live.as_ref().map(|live| &*live.record)
    }

    /// The attributes that go with the user: those of an anonymous session, and the user's own.
    fn carried(&self) -> Option<&Attributes> {
        let record = self.record()?;
        (self.whose != Whose::Others).then_some(&record.attributes)
    }

    /// What others wrote since the session was read, but for what this request writes itself.
    fn written_late(&self, late: &Record, own: &Change) -> Change {
        let Some(known) = self.carried() else {
            return Change::default();
        };
        let mut change = late.attributes.changes_since(known);
        for (name, _) in own.writes() {
            change.forget(name);
        }
        change
    }
}

impl std::fmt::Debug for LogInRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogInRequest")
            .field("remember", &self.remember)
            .finish_non_exhaustive()
    }
}
