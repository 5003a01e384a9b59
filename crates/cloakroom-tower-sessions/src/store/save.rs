//! Writing what changed.

use super::{
    Base, Looked, SharedStore,
    base::Expiry,
    create::{too_large, until},
    left,
};
use crate::entry::{Entry, Result, Trouble};
use cloakroom_core::{Address, Change, Committed, Freshness};
use time::{Duration, OffsetDateTime};

impl SharedStore {
    /// Writes what changed since the session was handed over.
    pub(crate) async fn save(&self, entry: &Entry) -> Result<()> {
        let base = self.base_of(entry).await?;
        if base.gone {
            // A login that went nowhere must not look like one.
            return self
                .0
                .users
                .find(&entry.data)
                .map_or(Ok(()), |_| Err(uncycled()));
        }
        let base = self.0.saved.latest(base);
        if base.unmade {
            return self.make_late(entry, base).await;
        }
        self.save_over(entry, base).await
    }

    /// Writes what changed since it was this.
    pub(super) async fn save_over(&self, entry: &Entry, base: Base) -> Result<()> {
        if let Some((before, _)) = &self.0.before
            && base.lies_before()
        {
            return self.save_before(&**before, entry, &base).await;
        }
        if left(entry.expiry_date) < Duration::MILLISECOND {
            return self.delete(entry.id).await;
        }
        self.check_user(entry, &base).await?;
        let own = self.address(entry.id);
        let lies = base.lies(self.0.sessions.store().buckets());
        let change = self.change(entry, &base, lies.unwrap_or(own))?;
        if change.is_empty() {
            return Ok(());
        }
        if let (Some(_), Some(lifetime)) = (lies, change.lifetime()) {
            // What leads to it must not end before it.
            let mut longer = Change::default();
            longer.live(lifetime);
            self.commit(own, &longer).await?;
        }
        self.commit(lies.unwrap_or(own), &change).await?;
        self.0.saved.note(base.after(entry, change.lifetime()));
        Ok(())
    }

    /// What goes with the session; for one that was cleared, or made up from nothing, what the store
    /// holds now: all of it shall be replaced.
    pub(super) async fn base_of(&self, entry: &Entry) -> Result<Base> {
        if let Some(base) = Base::read(entry) {
            return Ok(base);
        }
        let before = match self.look(self.address(entry.id), Freshness::NOW).await? {
            Looked::Found { base, .. } => return Ok(*base),
            Looked::Gone => None,
            Looked::Absent => self.base_before(entry.id).await?,
        };
        Ok(before.unwrap_or_else(Base::gone))
    }

    /// What to write there. Notes what needs no writing.
    fn change(&self, entry: &Entry, base: &Base, at: Address) -> Result<Change> {
        let now = OffsetDateTime::now_utc();
        let mut change = base.changes(&entry.data)?;
        let expiry = base.expiry(entry.expiry_date, now);
        let misplaced = !change.is_empty() && base.misplaces(entry.expiry_date, now);
        match expiry {
            Expiry::Changes => change.live(until(left(entry.expiry_date))),
            _ if misplaced => change.live(until(left(entry.expiry_date))),
            Expiry::Slides { ago } if change.is_empty() => {
                self.0.sessions.used(at, ago, left(entry.expiry_date));
            }
            Expiry::Slides { .. } | Expiry::Stays => {}
        }
        Ok(change)
    }

    pub(super) async fn commit(&self, at: Address, change: &Change) -> Result<()> {
        let sessions = &self.0.sessions;
        let committed = sessions.store().commit(at, change, sessions.max_size());
        match committed.await? {
            Committed::TooLarge { .. } => Err(too_large()),
            Committed::Gone | Committed::Superseded => {
                sessions.ended(at);
                Ok(())
            }
            // Nothing was expected, so nothing can conflict.
            Committed::Done { .. } | Committed::Conflict { .. } => Ok(()),
        }
    }

    /// A session stays with the user that it was made for. Whoever had its id before another logs in
    /// would have that login, too: so it is ended, and the next login gets a new id.
    pub(super) async fn check_user(&self, entry: &Entry, base: &Base) -> Result<()> {
        let user = self.0.users.find(&entry.data);
        if user.is_none() || user == base.user {
            return Ok(());
        }
        if base.user.is_some() {
            self.delete(entry.id).await?;
        }
        Err(uncycled())
    }
}

pub(super) fn uncycled() -> Trouble {
    Trouble::Backend(
        "somebody logs in under an id that was known before; call cycle_id, or log out, first"
            .to_owned(),
    )
}
