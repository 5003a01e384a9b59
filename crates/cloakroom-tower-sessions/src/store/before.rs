//! Sessions that another store still has.

use super::{Base, Looked, SharedStore, base::attributes, create::Draft, detach, left, to};
use crate::entry::{Data, Entry, Result, difference};
use cloakroom_core::{Address, BoxFuture, Freshness, User};
use std::fmt;
use time::Duration;

/// How often, and how long after each other, it is tried to end a session where it was.
const TRIES: u32 = 120;
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// A tower-sessions store, whichever its version.
pub(crate) trait Before: fmt::Debug + Send + Sync {
    fn create<'a>(&'a self, entry: &'a mut Entry) -> BoxFuture<'a, Result<()>>;
    fn save<'a>(&'a self, entry: &'a Entry) -> BoxFuture<'a, Result<()>>;
    fn load(&self, id: i128) -> BoxFuture<'_, Result<Option<Entry>>>;
    fn delete(&self, id: i128) -> BoxFuture<'_, Result<()>>;
}

/// How far the way from another store has been gone.
///
/// | | instances with the other store alone | with `Alongside` | with `TakeOver` |
/// |---|---|---|---|
/// | may run beside `Alongside` | yes | yes | yes |
/// | may run beside `TakeOver` | no | yes | yes |
///
/// So a rolling deploy that logs nobody out has two steps: the first brings `Alongside` to all
/// instances, the second `TakeOver`. Either may be rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migration {
    /// Instances that know the other store alone still run. Sessions are made, and stay, there; what
    /// others took over is found here.
    Alongside,
    /// All instances know both. A session is taken over when it is first used, and new ones are made
    /// here.
    TakeOver,
}

impl SharedStore {
    /// Looks for a session that is not here.
    pub(super) async fn look_before(
        &self,
        before: &dyn Before,
        how: Migration,
        id: i128,
    ) -> Result<Option<Entry>> {
        let Some(found) = before.load(id).await? else {
            // Another instance may have taken it over between the two looks.
            return self.look_once_more(id).await;
        };
        if left(found.expiry_date) < Duration::MILLISECOND {
            return Ok(None);
        }
        match how {
            Migration::Alongside => Ok(Some(self.lent(found))),
            Migration::TakeOver => self.take_over(found).await,
        }
    }

    async fn look_once_more(&self, id: i128) -> Result<Option<Entry>> {
        let now = Freshness::NOW;
        Ok(match self.look(self.address(id), now).await? {
            Looked::Found { data, base, .. } => Some(self.shown(id, data, *base)),
            Looked::Gone => self.gone(id),
            Looked::Absent => None,
        })
    }

    /// Makes the session here, then ends it there, though its caller goes away. Of several that do so
    /// at once one makes it.
    async fn take_over(&self, found: Entry) -> Result<Option<Entry>> {
        let own = self.clone();
        let id = found.id;
        detach(async move { own.take_all_over(found).await }).await?;
        self.look_once_more(id).await
    }

    async fn take_all_over(&self, found: Entry) -> Result<()> {
        let Some((before, _)) = &self.0.before else {
            return Ok(());
        };
        // What goes with a session of another store is not the session's.
        let own = without_base(&found);
        let Some(draft) = self.draft(&own)?.map(Draft::without_limit) else {
            return Ok(());
        };
        let (id, at) = (found.id, self.address(found.id));
        let there = match &draft.user {
            // All sessions of a user lie in one bucket, and the client keeps its id.
            Some(user) if user.bucket != at.bucket => self.pointed(at, user, &draft).await?,
            _ => Some(at),
        };
        let Some(there) = there else {
            // It ended meanwhile.
            return Ok(());
        };
        let caught_up = if self.made(there, &draft).await? {
            self.catch_up(&**before, &found, there).await
        } else {
            Ok(())
        };
        if there != at && self.record_at(at, Freshness::NOW).await?.is_none() {
            // It ended meanwhile, and nothing leads there.
            self.end(there).await?;
        }
        if before.delete(id).await.is_err() {
            self.forget_before(id);
        }
        caught_up
    }

    /// Where the session's id leads, which is told before anything lies there; `None` if it has ended.
    async fn pointed(&self, at: Address, user: &User, draft: &Draft) -> Result<Option<Address>> {
        let there = self.address(self.draw(Some(user))?);
        let pointer = Draft::pointer(draft.lifetime, to(there)?);
        if self.made(at, &pointer).await? {
            return Ok(Some(there));
        }
        let other = self.record_at(at, Freshness::NOW).await?;
        Ok(other.map(|record| self.elsewhere(&record).unwrap_or(at)))
    }

    /// Brings over what was still written there after it was read.
    async fn catch_up(&self, before: &dyn Before, found: &Entry, there: Address) -> Result<()> {
        let Some(now) = before.load(found.id).await? else {
            return Ok(());
        };
        let change = difference(&without_base(found).data, &without_base(&now).data)?;
        if change.is_empty() {
            return Ok(());
        }
        self.commit(there, &change).await
    }

    /// Ends a session in the other store, which is here by now, as soon as that can be reached: what
    /// stayed there would come back after it has ended here.
    pub(super) fn forget_before(&self, id: i128) {
        let Some((before, _)) = self.0.before.clone() else {
            return;
        };
        tracing::warn!(
            "a session could not be ended in the store before this one; it is tried again"
        );
        tokio::spawn(async move {
            for _ in 0..TRIES {
                tokio::time::sleep(PAUSE).await;
                if before.delete(id).await.is_ok() {
                    return;
                }
            }
            tracing::error!(
                "a session is still in the store before this one; end it there by hand"
            );
        });
    }

    pub(super) async fn create_before(&self, before: &dyn Before, entry: &mut Entry) -> Result<()> {
        let mut made = without_base(entry);
        before.create(&mut made).await?;
        *entry = self.lent(made);
        Ok(())
    }

    /// A session that stays in the other store.
    fn lent(&self, mut found: Entry) -> Entry {
        let base = Base::before(&found).numbered(self.0.saved.number());
        base.put(&mut found.data);
        found
    }

    /// Writes what changed to what the other store has now, unless it has nothing any more.
    pub(super) async fn save_before(
        &self,
        before: &dyn Before,
        entry: &Entry,
        base: &Base,
    ) -> Result<()> {
        let Some(mut now) = before.load(entry.id).await? else {
            // It ended, or was taken over since.
            return self.save_taken_over(entry, base).await;
        };
        for (name, value) in base.changes(&entry.data)?.writes() {
            match value {
                Some(value) => {
                    let value = cloakroom_core::Attributes::decode(name, value)?;
                    now.data.insert(name.to_owned(), value);
                }
                None => drop(now.data.remove(name)),
            }
        }
        now.expiry_date = entry.expiry_date;
        let saved = before.save(&now).await;
        if self.is_here(entry.id).await? {
            // Taken over in between. What a store that inserts has put back there must go again.
            if before.delete(entry.id).await.is_err() {
                self.forget_before(entry.id);
            }
            return self.save_taken_over(entry, base).await;
        }
        saved?;
        self.0.saved.note(base.clone().after(entry, None));
        Ok(())
    }

    async fn is_here(&self, id: i128) -> Result<bool> {
        let looked = self.look(self.address(id), Freshness::NOW).await?;
        Ok(!matches!(looked, Looked::Absent))
    }

    async fn save_taken_over(&self, entry: &Entry, base: &Base) -> Result<()> {
        let own = self.address(entry.id);
        let looked = self.look(own, Freshness::NOW).await?;
        let Looked::Found {
            lies, base: here, ..
        } = looked
        else {
            return Ok(());
        };
        self.check_user(entry, &here).await?;
        let change = base.changes(&entry.data)?;
        if !change.is_empty() {
            self.commit(lies.unwrap_or(own), &change).await?;
        }
        self.0.saved.note(base.clone().after(entry, None));
        Ok(())
    }

    /// What the other store holds now of a session that was cleared.
    pub(super) async fn base_before(&self, id: i128) -> Result<Option<Base>> {
        let Some((before, _)) = &self.0.before else {
            return Ok(None);
        };
        let found = before.load(id).await?;
        Ok(found.map(|found| Base::before(&found)))
    }
}

fn without_base(entry: &Entry) -> Entry {
    let own = attributes(&entry.data).filter(|(name, _)| !name.starts_with('\0'));
    let own = own.map(|(name, value)| (name.clone(), value.clone()));
    Entry {
        id: entry.id,
        data: own.collect::<Data>(),
        expiry_date: entry.expiry_date,
    }
}
