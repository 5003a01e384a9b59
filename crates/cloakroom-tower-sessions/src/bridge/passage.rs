//! What one request's `tower_sessions::Session` does, told to ours.

use super::Wish;
use crate::{
    Users,
    entry::{Data, Entry, Result, Trouble, difference, values},
};
use cloakroom_tower::{Error, LazySession, Session};
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
    /// What it was told that the session holds; `None` before it asked.
    known: Option<Data>,
    /// It has given up its id: `cycle_id`, or a `flush` that can't be told from it yet.
    gave_up: bool,
    /// The response is there: what is saved now goes with it.
    leaving: bool,
    /// How long the session shall live.
    wish: Option<Wish>,
    /// Why something failed, as ours says it.
    failed: Option<Error>,
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

    pub(crate) async fn load(&self) -> Result<Option<Entry>> {
        let session = self.noting(self.session.load().await)?;
        let Some(id) = self.id().filter(|_| session.handle().is_some()) else {
            return Ok(None);
        };
        let data = values(&session.attributes())?;
        self.state().known = Some(data.clone());
        let left = session.expires_in().unwrap_or(Duration::ZERO);
        let expiry_date = OffsetDateTime::now_utc().saturating_add(left);
        Ok(Some(Entry {
            id,
            data,
            expiry_date,
        }))
    }

    pub(crate) async fn save(&self, entry: &Entry) -> Result<()> {
        let session = self.noting(self.session.load().await)?;
        self.bring(&session, entry).await
    }

    /// Of a session that has none yet, or that has given up its id.
    pub(crate) async fn create(&self, entry: &mut Entry) -> Result<()> {
        let session = self.noting(self.session.load().await)?;
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
        {
            let mut state = self.state();
            state.gave_up = false;
            state.known = Some(Data::new());
        }
        self.noting(self.session.log_out().await)
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
        state.failed = None;
    }

    /// Why something failed, as ours says it.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.state().failed.take()
    }

    /// A name of the present id.
    fn id(&self) -> Option<i128> {
        let digest = self.session.digest()?;
        Some(i128::from_le_bytes(*digest.as_bytes()))
    }

    /// Brings over what changed, and who logged in.
    async fn bring(&self, session: &Session, entry: &Entry) -> Result<()> {
        let (cycled, leaving, wish) = {
            let mut state = self.state();
            (
                std::mem::take(&mut state.gave_up),
                state.leaving,
                state.wish,
            )
        };
        // One that was cleared before it was read is to lose all that is there.
        let known = self.state().known.take();
        let known = known.map_or_else(|| values(&session.attributes()), Ok)?;
        let change = difference(&known, &entry.data)?;
        for (name, value) in change.writes() {
            self.noting(session.write_encoded(name, value.cloned()))?;
        }
        self.state().known = Some(entry.data.clone());
        self.move_on(session, &entry.data, cycled, wish).await?;
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
        cycled: bool,
        wish: Option<Wish>,
    ) -> Result<()> {
        let wish = wish
            .filter(|wish| !is_met(session, *wish))
            .map(Wish::limits);
        if wish.is_some_and(|(idle, _)| idle < Duration::MILLISECOND) {
            // An end that lies in the past.
            return self.log_out().await;
        }
        let user = self.users.find(data);
        if let Some(user) = user.filter(|user| session.user().as_deref() != Some(user)) {
            let mut login = session.log_in(user);
            if let Some(label) = self.users.device_of(data) {
                login = login.device(label);
            }
            if let Some((idle, absolute)) = wish {
                login = login.living(idle, absolute);
            }
            return self.noting(login.await);
        }
        match wish {
            Some((idle, absolute)) => self.noting(session.live_for(idle, absolute).await),
            None if cycled => self.noting(session.rotate().await),
            None => Ok(()),
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
fn is_met(session: &Session, wish: Wish) -> bool {
    let same = |a: Duration, b: Duration| (a - b).abs() <= SAME;
    if !session.is_remembered() {
        return false;
    }
    match (wish, session.idle_timeout(), session.expires_in()) {
        (Wish::Inactive(wished), Some(idle), _) => same(wished, idle),
        (Wish::Until(then), _, Some(left)) => same(then - OffsetDateTime::now_utc(), left),
        _ => false,
    }
}

impl std::fmt::Debug for Passage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passage")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
