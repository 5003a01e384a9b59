//! What was revoked, in this process's memory.

mod check;
mod set;

pub(crate) use check::{place, session_name};
use cloakroom_core::{
    Address, Bucket, Channel, Clock, Error, ErrorKind, Listener, Moment, Result, RevocationStore,
    SystemClock, Term,
};
use set::{BucketSet, Known};
use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicIsize, AtomicU64, Ordering::Relaxed},
    },
    time::Duration as Pause,
};
use time::Duration;
use tokio::{sync::Notify, task::AbortHandle};

/// So many entries are held when the application says nothing: 53 MB, as `jwt-comparison` measured.
const ENTRIES: usize = 1_000_000;
/// Between attempts to read what the store remembers.
const PAUSE: Pause = Pause::from_millis(100);

/// How often it is looked whether what had no room has it.
const LOOK_AGAIN: Pause = Pause::from_secs(10);

/// What a check does when nothing proves that all revocations were heard, and the store can't be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnUnavailable {
    /// Refuses. The default.
    Refuse,
    /// Accepts what had not been revoked this long ago.
    AcceptAsOf(Duration),
}

/// The set of what was revoked, whole and current: a check asks nobody.
///
/// Filled from the store when it is made, and kept by the store's channel. It answers for as long as
/// the channel proves that nothing was missed; otherwise the store is asked. What was heard to be
/// revoked stays revoked, whatever the store says later.
///
/// Cheap to clone; clones are the same set.
#[derive(Clone)]
pub struct Revoked(Arc<Inner>);

struct Inner {
    store: Arc<dyn RevocationStore>,
    heard: Arc<Heard>,
    within: Duration,
    on_unavailable: OnUnavailable,
    without_login: bool,
    counters: Counters,
    _filling: Filling,
}

/// What listens, and what is heard.
struct Heard {
    channel: Arc<Channel>,
    clock: Arc<dyn Clock>,
    origin: Moment,
    buckets: Box<[Mutex<BucketSet>]>,
    entries: AtomicIsize,
    most: usize,
    due: Notify,
}

struct Filling(AbortHandle);

#[derive(Default)]
struct Counters {
    near: AtomicU64,
    asked: AtomicU64,
    refused: AtomicU64,
}

/// What a set has done, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RevokedStats {
    /// Checks that were answered here.
    pub near: u64,
    /// Checks that had to ask the store.
    pub asked: u64,
    /// Checks that found something revoked.
    pub refused: u64,
    /// Entries now.
    pub entries: u64,
}

/// Settings of a [`Revoked`].
#[derive(Debug, Clone)]
#[must_use]
pub struct RevokedBuilder {
    store: Arc<dyn RevocationStore>,
    clock: Arc<dyn Clock>,
    within: Duration,
    most: usize,
    on_unavailable: OnUnavailable,
    without_login: bool,
}

/// What a token says of itself, as far as revocations go.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Where its session lies, if it has one.
    pub session: Option<Address>,
    /// Where its own id would be remembered.
    pub token: Address,
    /// The epoch of its session's bucket, when it was made.
    pub epoch: Option<&'a str>,
}

impl Revoked {
    /// Begins a set over a store.
    pub fn builder(store: Arc<dyn RevocationStore>) -> RevokedBuilder {
        RevokedBuilder {
            store,
            clock: Arc::new(SystemClock),
            within: Duration::SECOND,
            most: ENTRIES,
            on_unavailable: OnUnavailable::Refuse,
            without_login: false,
        }
    }

    /// Whether a token, its session or everything of its epoch was revoked.
    ///
    /// No round trip while the channel is trusted; one otherwise.
    ///
    /// # Consistency
    ///
    /// Shows all that was revoked longer before the call than the
    /// [bound](RevokedBuilder::max_staleness), and never accepts what it refused before; except that
    /// the end of everyone's logins is undone here too, should the store lose it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] if the store must be asked and can't be.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up.
    pub async fn is_revoked(&self, subject: Subject<'_>) -> Result<bool> {
        let session = subject.session.map(|at| (at, subject.epoch));
        for (at, epoch) in session.into_iter().chain([(subject.token, None)]) {
            if self.is_one_revoked(at, epoch).await? {
                self.0.counters.refused.fetch_add(1, Relaxed);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The same where nobody needs to be asked; `None` if the store must be.
    #[must_use]
    pub fn known(&self, subject: Subject<'_>) -> Option<bool> {
        let inner = &self.0;
        let session = subject.session.map(|at| (at, subject.epoch));
        for (at, epoch) in session.into_iter().chain([(subject.token, None)]) {
            if inner.heard.ask(at, epoch, inner.within)? {
                inner.counters.refused.fetch_add(1, Relaxed);
                return Some(true);
            }
        }
        inner.counters.near.fetch_add(1, Relaxed);
        Some(false)
    }

    async fn is_one_revoked(&self, at: Address, epoch: Option<&str>) -> Result<bool> {
        let inner = &self.0;
        if let Some(known) = inner.heard.ask(at, epoch, inner.within) {
            inner.counters.near.fetch_add(1, Relaxed);
            return Ok(known);
        }
        inner.counters.asked.fetch_add(1, Relaxed);
        match inner.store.standing(at).await {
            Ok(standing) => {
                if let Some(left) = standing.revoked {
                    // Remembered here, too: what was refused once is refused again.
                    Listener::revoked(&*inner.heard, at, left);
                }
                let over = epoch.filter(|epoch| *epoch != standing.epoch);
                if let Some(over) = over {
                    inner.heard.of(at.bucket).end_epoch(over);
                }
                Ok(standing.revoked.is_some() || over.is_some())
            }
            Err(error) if error.is_unavailable() => match inner.on_unavailable {
                OnUnavailable::AcceptAsOf(within) => {
                    inner.heard.ask(at, epoch, within).ok_or(error)
                }
                OnUnavailable::Refuse => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// The epoch of a bucket, for a token that is being made: as it is known here, or as the store
    /// says.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] if the store must be asked and can't be.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up.
    pub async fn epoch(&self, at: Address) -> Result<String> {
        match self.0.heard.epoch(at.bucket, self.0.within) {
            Some(epoch) => Ok(epoch),
            None => Ok(self.0.store.standing(at).await?.epoch),
        }
    }

    /// What it has done, and what it holds.
    #[must_use]
    pub fn stats(&self) -> RevokedStats {
        let inner = &self.0;
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        RevokedStats {
            near: read(&inner.counters.near),
            asked: read(&inner.counters.asked),
            refused: read(&inner.counters.refused),
            entries: u64::try_from(inner.heard.entries.load(Relaxed)).unwrap_or_default(),
        }
    }
}

impl RevokedBuilder {
    /// Every check shows what was revoked longer ago than this: 1 s by default.
    pub fn max_staleness(mut self, bound: Duration) -> Self {
        self.within = bound;
        self
    }

    /// How many entries are held at most, 1,000,000 by default. Each takes 29 to 57 bytes, as their
    /// tables are fuller or emptier. Of what does not fit the store is asked.
    pub fn max_entries(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// What checks do while the store can't be asked and must be: [`OnUnavailable::Refuse`] by
    /// default.
    pub fn on_unavailable(mut self, choice: OnUnavailable) -> Self {
        self.on_unavailable = choice;
        self
    }

    /// Accepts tokens that belong to no login: refused by default, because neither a user's nor
    /// everyone's revocation reaches them, but only [one of their
    /// own](crate::LoginService::revoke_token).
    pub fn tokens_without_login(mut self, accepted: bool) -> Self {
        self.without_login = accepted;
        self
    }

    /// Another clock: for tests that move time by hand.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Makes the set, and reads what the store remembers. Must be called on a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a bound that can't be; those of the store, which must be reachable.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up.
    pub async fn build(self) -> Result<Revoked> {
        if self.within <= Duration::ZERO {
            let message = "the greatest staleness must be longer than 0 s";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let channel = self.store.announcements();
        let heard = Arc::new(Heard {
            origin: self.clock.moment(),
            clock: self.clock,
            buckets: self
                .store
                .layout()
                .iter()
                .map(|_| Mutex::default())
                .collect(),
            entries: AtomicIsize::new(0),
            most: self.most,
            due: Notify::new(),
            channel: Arc::clone(&channel),
        });
        let listener: Weak<dyn Listener> = Arc::downgrade(&heard) as _;
        channel.listen(listener);
        fill(&heard, &*self.store).await?;
        let keep = keep_filled(Arc::downgrade(&heard), Arc::clone(&self.store));
        Ok(Revoked(Arc::new(Inner {
            store: self.store,
            heard,
            within: self.within,
            on_unavailable: self.on_unavailable,
            without_login: self.without_login,
            counters: Counters::default(),
            _filling: Filling(tokio::spawn(keep).abort_handle()),
        })))
    }
}

impl Heard {
    /// What is known of one thing; `None` if the store must be asked.
    fn ask(&self, at: Address, epoch: Option<&str>, within: Duration) -> Option<bool> {
        let now = self.clock.moment();
        let set = self.of(at.bucket);
        match set.ask(at.digest, epoch, self.milliseconds(now)) {
            Known::Revoked => Some(true),
            Known::Unknown => None,
            // Read under the lock: what was delivered before it was proven has been heard here.
            Known::Not(term) => self
                .is_proven(at.bucket, term, now, within)
                .then_some(false),
            Known::OtherEpoch(term) => self.is_proven(at.bucket, term, now, within).then_some(true),
        }
    }

    /// The epoch of a bucket, if it is known to be that.
    fn epoch(&self, bucket: Bucket, within: Duration) -> Option<String> {
        let now = self.clock.moment();
        let set = self.of(bucket);
        let (term, epoch) = set.epoch()?;
        let proven = self.is_proven(bucket, term, now, within);
        proven.then(|| epoch.to_owned())
    }

    fn is_proven(&self, bucket: Bucket, term: Term, now: Moment, within: Duration) -> bool {
        let age = self.channel.lease(bucket).age(term, now);
        age.is_some_and(|age| age < within)
    }

    fn of(&self, bucket: Bucket) -> MutexGuard<'_, BucketSet> {
        let index = usize::from(bucket.index()) % self.buckets.len();
        let set = self.buckets[index].lock();
        set.unwrap_or_else(PoisonError::into_inner)
    }

    /// Since the set was made. Rather too short than too long: nothing is forgotten before its time.
    fn milliseconds(&self, now: Moment) -> u64 {
        let passed = now.since_at_least(self.origin).whole_milliseconds();
        u64::try_from(passed).unwrap_or(u64::MAX)
    }

    fn until(&self, now: u64, lasts: Duration) -> u64 {
        let lasts = u64::try_from(lasts.whole_milliseconds()).unwrap_or_default();
        now.saturating_add(lasts).saturating_add(1)
    }

    fn room(&self) -> usize {
        let entries = usize::try_from(self.entries.load(Relaxed)).unwrap_or_default();
        self.most.saturating_sub(entries)
    }
}

/// Reads what the store remembers of each bucket of which that is not known.
async fn fill(heard: &Heard, store: &dyn RevocationStore) -> Result<()> {
    let layout = store.layout().clone();
    let due = layout.iter().filter(|bucket| {
        let term = heard.channel.lease(*bucket).term;
        let set = heard.of(*bucket);
        set.needs(term) || set.is_overflown()
    });
    let fill_one = |bucket: Bucket| async move {
        // The term before the question: should it end meanwhile, the answer is of the old one.
        let as_of = {
            let set = heard.of(bucket);
            (heard.channel.lease(bucket).term, set.doubts())
        };
        let read = store.revocations(bucket).await?;
        let now = heard.milliseconds(heard.clock.moment());
        let mut set = heard.of(bucket);
        let room = heard.room();
        let until = |left| heard.until(now, left);
        let more = set.fill(&read, as_of, until, now, room);
        heard.entries.fetch_add(more, Relaxed);
        Ok(())
    };
    let all = due.collect::<Vec<_>>().into_iter().map(fill_one);
    // Each by itself: one server that is away keeps nobody from hearing the others.
    let all: Vec<Result<()>> = futures_util::future::join_all(all).await;
    all.into_iter().collect()
}

/// Fills whatever comes into doubt, for as long as the set lives.
async fn keep_filled(heard: Weak<Heard>, store: Arc<dyn RevocationStore>) {
    loop {
        let Some(set) = heard.upgrade() else {
            return;
        };
        if let Err(error) = fill(&set, &*store).await {
            tracing::debug!(%error, "what was revoked can't be read yet");
        }
        // Doubts come in bursts, one for each bucket; and what failed is tried again.
        tokio::time::sleep(PAUSE).await;
        let layout = store.layout().clone();
        let is_due = layout.iter().any(|bucket| {
            let term = set.channel.lease(bucket).term;
            set.of(bucket).needs(term)
        });
        if !is_due {
            // What had no room may have it by then.
            let _ = tokio::time::timeout(LOOK_AGAIN, set.due.notified()).await;
        }
    }
}

impl Listener for Heard {
    fn stale(&self, _: Address, _: Option<u64>) {}

    fn revoked(&self, at: Address, lasts: Duration) {
        let now = self.milliseconds(self.clock.moment());
        let until = self.until(now, lasts);
        let mut set = self.of(at.bucket);
        let more = set.revoke(at.digest, until, now, self.room());
        self.entries.fetch_add(more, Relaxed);
    }

    fn all_stale(&self, bucket: Bucket) {
        self.of(bucket).doubt_epoch();
        self.due.notify_one();
    }

    fn lost(&self, _: Bucket) {
        self.due.notify_one();
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revoked")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
