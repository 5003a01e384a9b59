//! What one request's `tower_sessions::Session` does, told to ours.

use super::{Wish, name_of};
use crate::{
    Users,
    entry::{Data, Entry, Result, Trouble, difference, values},
};
use cloakroom_core::Change;
use cloakroom_tower::{Error, ErrorKind, LazySession, Session};
use std::sync::{Mutex, MutexGuard, PoisonError};
use time::{Duration, OffsetDateTime};

/// Windows that differ by less are the same.
const SAME: Duration = Duration::SECOND;

/// The store behind one request's `tower_sessions::Session`.
pub(crate) struct Passage {
    session: LazySession,
    users: Users,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What it was told of the session; `None` before it asked.
    known: Option<Known>,
    /// It has given up its id: `cycle_id`, or a `flush` that can't be told from it yet.
    gave_up: bool,
    /// It was ended: what is still saved under its id goes nowhere.
    ended: bool,
    /// The response is there: what is saved now goes with it.
    leaving: bool,
    /// How long the session shall live.
    wish: Option<Wish>,
    /// Why something failed, as ours says it.
    failed: Option<Error>,
}

/// What a session was when it was asked for.
#[derive(Clone, Default)]
struct Known {
    data: Data,
    /// Who was logged in.
    user: Option<String>,
    /// When it would have expired, unused.
    expires: Option<OffsetDateTime>,
}

impl Passage {
    pub(crate) fn new(session: LazySession, users: Users) -> Self {
        Self {
            session,
            users,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows the session that was asked for. One whose id leads nowhere is none; one that has ended, has
    /// a newer id, or can't be asked for, is empty: were it none, tower-sessions would forget its id,
    /// and a later `flush` would not come here to be told.
    pub(crate) async fn load(&self, asked: i128) -> Result<Option<Entry>> {
        let session = self.noting(self.session.load().await)?;
        if self.id().is_some() && session.handle().is_none() {
            return Ok(None);
        }
        let id = self.id().unwrap_or(asked);
        let known = self.known(&session)?;
        let data = known.data.clone();
        let expiry_date = known.expires.unwrap_or_else(OffsetDateTime::now_utc);
        self.state().known = Some(known);
        Ok(Some(Entry {
            id,
            data,
            expiry_date,
        }))
    }

    /// What the session is now. A user who is in the data alone was there before somebody asked for
    /// users, and is nobody who logs in.
    fn known(&self, session: &Session) -> Result<Known> {
        let data = values(&session.attributes())?;
        let user = session.user().map(|user| user.to_string());
        let left = session.expires_in();
        Ok(Known {
            user: user.or_else(|| self.users.find(&data)),
            expires: left.map(|left| OffsetDateTime::now_utc().saturating_add(left)),
            data,
        })
    }

    pub(crate) async fn save(&self, entry: &Entry) -> Result<()> {
        if self.state().ended {
            return Ok(());
        }
        let session = self.noting(self.session.load().await)?;
        self.bring(&session, entry).await
    }

    /// Of a session that has none yet, or that has given up its id.
    pub(crate) async fn create(&self, entry: &mut Entry) -> Result<()> {
        let session = self.noting(self.session.load().await)?;
        self.state().ended = false;
        self.bring(&session, entry).await?;
        if let Some(id) = self.id() {
            entry.id = id;
        }
        Ok(())
    }

    /// Ends the session, unless it may be that it only wants another id.
    pub(crate) async fn delete(&self, perhaps_cycled: bool) -> Result<()> {
        if perhaps_cycled {
            self.state().gave_up = true;
            return Ok(());
        }
        self.log_out().await
    }

    pub(crate) async fn log_out(&self) -> Result<()> {
        self.noting(self.session.log_out().await)?;
        let mut state = self.state();
        state.gave_up = false;
        state.ended = true;
        state.known = Some(Known::default());
        Ok(())
    }

    /// Whether anything is left to do, whatever was changed.
    pub(crate) fn is_unsettled(&self) -> bool {
        let state = self.state();
        state.gave_up || state.failed.is_some()
    }

    /// Whether it has given up its id, and nothing was saved since.
    pub(crate) fn gave_up(&self) -> bool {
        self.state().gave_up
    }

    /// From now on what is saved goes with the response.
    pub(crate) fn leaving(&self, wish: Option<Wish>) {
        let mut state = self.state();
        state.leaving = true;
        state.wish = wish;
    }

    /// The response is on its way: what is saved from now on is written at once.
    pub(crate) fn left(&self) {
        let mut state = self.state();
        state.leaving = false;
        state.wish = None;
    }

    /// Why something failed, as ours says it, since the last time.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.state().failed.take()
    }

    /// A name of the present id.
    fn id(&self) -> Option<i128> {
        self.session.digest().map(name_of)
    }

    /// Brings over what changed, and who logged in. What fails is as it was before, and may be tried
    /// again.
    async fn bring(&self, session: &Session, entry: &Entry) -> Result<()> {
        // One that was cleared before it was read is to lose all that is there.
        let known = self.state().known.clone();
        let known = known.map_or_else(|| self.known(session), Ok)?;
        let change = difference(&known.data, &entry.data)?;
        let brought = self.try_to_bring(session, entry, &known, &change).await;
        if brought.is_err() {
            change
                .writes()
                .for_each(|(name, _)| session.take_back(name));
            if let Some(now) = &mut self.state().known {
                now.data = known.data;
            }
        }
        brought
    }

    async fn try_to_bring(
        &self,
        session: &Session,
        entry: &Entry,
        known: &Known,
        change: &Change,
    ) -> Result<()> {
        // What is removed makes room.
        for (name, _) in change.writes() {
            self.noting(session.write_encoded(name, None))?;
        }
        for (name, value) in change.writes().filter(|(_, value)| value.is_some()) {
            self.noting(session.write_encoded(name, value.cloned()))?;
        }
        let user = self.users.find(&entry.data);
        self.move_on(session, &entry.data, known, change.is_empty())
            .await?;
        let leaving = {
            let mut state = self.state();
            state.gave_up = false;
            state.known = Some(Known {
                data: entry.data.clone(),
                user: user.or(known.user.clone()),
                expires: known.expires,
            });
            state.leaving || state.ended
        };
        if !leaving {
            self.noting(session.commit().await)?;
        }
        Ok(())
    }

    /// A login, a new id, other limits of time: whatever of them is asked for.
    async fn move_on(
        &self,
        session: &Session,
        data: &Data,
        known: &Known,
        unchanged: bool,
    ) -> Result<()> {
        let (cycled, wish) = {
            let state = self.state();
            (state.gave_up, state.wish)
        };
        let wish = wish
            .filter(|wish| !is_met(session, known, *wish))
            .map(Wish::limits);
        if wish.is_some_and(|(idle, _)| idle < Duration::MILLISECOND) {
            // An end that lies in the past.
            return self.log_out().await;
        }
        let user = self.users.find(data);
        if let Some(user) = user.filter(|user| known.user.as_ref() != Some(user)) {
            let mut login = session.log_in(user);
            if let Some(label) = self.users.device_of(data) {
                login = login.device(label);
            }
            if let Some((idle, absolute)) = wish {
                login = login.living(idle, absolute);
            }
            return self.noting(login.await);
        }
        let moved = match wish {
            Some((idle, absolute)) => session.live_for(idle, absolute).await,
            None if cycled => session.rotate().await,
            None => Ok(()),
        };
        match moved {
            // What ended meanwhile needs no new id, unless somebody means to stay logged in by it; and
            // nothing is lost with one that has it already.
            Err(error) if error.kind() == ErrorKind::Gone && !(cycled && known.user.is_some()) => {
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Superseded && unchanged => Ok(()),
            moved => self.noting(moved),
        }
    }

    /// Keeps the reason, which tower-sessions knows only as text.
    fn noting<T>(&self, result: cloakroom_tower::Result<T>) -> Result<T> {
        result.map_err(|error| {
            let trouble = Trouble::Backend(error.to_string());
            self.state().failed = Some(error);
            trouble
        })
    }
}

/// Whether the session lives so already.
fn is_met(session: &Session, known: &Known, wish: Wish) -> bool {
    let same = |a: Duration, b: Duration| a.saturating_sub(b).abs() <= SAME;
    if !session.is_remembered() {
        return false;
    }
    match wish {
        Wish::Inactive(wished) => session
            .idle_timeout()
            .is_some_and(|idle| same(wished, idle)),
        Wish::Until(then) => known
            .expires
            .is_some_and(|expires| (then - expires).abs() <= SAME),
    }
}

impl std::fmt::Debug for Passage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passage")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
