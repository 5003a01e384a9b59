//! What a case stands on: instances of the store, and how long to wait for what.

use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::time::sleep;

use crate::guard::{Trouble, dropped, guarded};
use crate::outage::Outage;
use crate::subject::{BoxFuture, Entry, Subject};
use crate::verdict::{Stop, Verdict, broken};

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Opens one more instance on the same data.
pub(crate) type Open = Arc<dyn Fn() -> BoxFuture<'static, Arc<dyn Subject>> + Send + Sync>;

/// The store under test and what was said about it.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) open: Open,
    pub(crate) staleness: Duration,
    pub(crate) deadline: Duration,
    pub(crate) recovery: Duration,
    pub(crate) outage: Option<Outage>,
}

impl Ground {
    /// A store may keep whole seconds: so much later, or sooner, a session may expire.
    pub(crate) const RESOLUTION: time::Duration = time::Duration::SECOND;

    /// Opens an instance.
    pub(crate) async fn open(&self) -> Result<Instance, Stop> {
        let opened = guarded(self.deadline, async { Ok((self.open)().await) }).await;
        let subject = opened.map_err(|trouble| broken(format!("opening {trouble}")))?;
        let deadline = self.deadline;
        Ok(Instance { subject, deadline })
    }

    /// Opens two instances.
    pub(crate) async fn pair(&self) -> Result<(Instance, Instance), Stop> {
        Ok((self.open().await?, self.open().await?))
    }

    /// Checks what an instance loads, until it is right or the staleness has passed. What the
    /// instance is to show was done by another before this is called.
    pub(crate) async fn soon(
        &self,
        instance: &Instance,
        id: i128,
        check: impl Fn(Option<&Entry>) -> Verdict,
    ) -> Verdict {
        let since = Instant::now();
        loop {
            // A load that begins within the staleness may still show what was before.
            let over = since.elapsed() >= self.staleness;
            let verdict = check(instance.load(id).await?.as_ref());
            if over || verdict.is_ok() {
                return verdict;
            }
            sleep(PAUSE.min(self.staleness)).await;
        }
    }

    /// Loads until the session has expired. Says whether it has, when it should have.
    ///
    /// That it is gone a second too soon is broken, that it is there a second too late is `false`:
    /// stores may keep whole seconds.
    pub(crate) async fn outlive(
        &self,
        instance: &Instance,
        id: i128,
        expiry: OffsetDateTime,
    ) -> Result<bool, Stop> {
        let late = expiry + Self::RESOLUTION + self.staleness;
        loop {
            let before = OffsetDateTime::now_utc();
            let found = instance.load(id).await?.is_some();
            let after = OffsetDateTime::now_utc();
            match found {
                false if after < expiry - Self::RESOLUTION => {
                    return Err(broken(format!("gone {} too soon", expiry - after)));
                }
                false => return Ok(true),
                true if before > late => return Ok(false),
                true => sleep(PAUSE).await,
            }
        }
    }
}

/// One instance of the store, whose operations end by the deadline.
#[derive(Clone)]
pub(crate) struct Instance {
    subject: Arc<dyn Subject>,
    deadline: Duration,
}

impl Instance {
    /// Makes a session: what its maker now holds, or what went wrong.
    pub(crate) async fn try_create(&self, mut entry: Entry) -> Result<Entry, Trouble> {
        guarded(self.deadline, async move {
            self.subject.create(&mut entry).await.map(|()| entry)
        })
        .await
    }

    pub(crate) async fn try_save(&self, entry: &Entry) -> Result<(), Trouble> {
        let saving = async move { self.subject.save(entry).await };
        guarded(self.deadline, saving).await
    }

    pub(crate) async fn try_load(&self, id: i128) -> Result<Option<Entry>, Trouble> {
        let loading = async move { self.subject.load(id).await };
        guarded(self.deadline, loading).await
    }

    pub(crate) async fn try_delete(&self, id: i128) -> Result<(), Trouble> {
        let deleting = async move { self.subject.delete(id).await };
        guarded(self.deadline, deleting).await
    }

    /// Begins to make a session.
    pub(crate) async fn drop_create(&self, mut entry: Entry, waits: usize) -> Verdict {
        let creating = async move { self.subject.create(&mut entry).await };
        let begun = dropped(self.deadline, waits, creating).await;
        begun.map_err(|t| did("create", &t))
    }

    /// Begins to save.
    pub(crate) async fn drop_save(&self, entry: &Entry, waits: usize) -> Verdict {
        let saving = async move { self.subject.save(entry).await };
        let begun = dropped(self.deadline, waits, saving).await;
        begun.map_err(|t| did("save", &t))
    }

    /// Begins to delete.
    pub(crate) async fn drop_delete(&self, id: i128, waits: usize) -> Verdict {
        let deleting = async move { self.subject.delete(id).await };
        let begun = dropped(self.deadline, waits, deleting).await;
        begun.map_err(|t| did("delete", &t))
    }

    /// Makes a session, which must succeed. Its id may be another afterwards.
    pub(crate) async fn create(&self, entry: Entry) -> Result<Entry, Stop> {
        self.try_create(entry).await.map_err(|t| did("create", &t))
    }

    /// Saves, which must succeed.
    pub(crate) async fn save(&self, entry: &Entry) -> Verdict {
        self.try_save(entry).await.map_err(|t| did("save", &t))
    }

    /// Loads, which must succeed, though there may be nothing.
    pub(crate) async fn load(&self, id: i128) -> Result<Option<Entry>, Stop> {
        let loaded = self.try_load(id).await.map_err(|t| did("load", &t))?;
        match loaded {
            Some(entry) if entry.id != id => Err(broken("load answered with another id's record")),
            loaded => Ok(loaded),
        }
    }

    /// Loads what must be there.
    pub(crate) async fn found(&self, id: i128) -> Result<Entry, Stop> {
        let loaded = self.load(id).await?;
        loaded.ok_or_else(|| broken("no session was loaded where there should be one"))
    }

    /// Deletes, which must succeed.
    pub(crate) async fn delete(&self, id: i128) -> Verdict {
        self.try_delete(id).await.map_err(|t| did("delete", &t))
    }
}

/// What an operation did instead of answering.
pub(crate) fn did(operation: &str, trouble: &Trouble) -> Stop {
    broken(format!("{operation} {trouble}"))
}
