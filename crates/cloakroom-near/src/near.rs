//! The near cache: who may use a copy, who must ask, and what may be kept.

use crate::{
    flight::{Flight, Landing},
    rules::Rules,
    shard::{Arrived, Copied, Copy, Limits, Shard},
    stats::{Counters, NearStats, count},
};
use cloakroom_core::{
    Address, Bucket, Channel, Clock, Freshness, Lease, Listener, Moment, Result, SystemClock, Term,
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic::Ordering::Relaxed},
};
use time::Duration;

/// Locks that keep callers of different keys out of each other's way.
const SHARDS: usize = 16;

/// A bounded cache of immutable copies, coherent with its store to within a stated time.
///
/// Clones share the copies.
pub struct Near<V>(Arc<Inner<V>>);

struct Inner<V> {
    channel: Arc<Channel>,
    clock: Arc<dyn Clock>,
    shards: Box<[Mutex<Shard<V>>]>,
    counters: Counters,
    rules: Rules,
}

/// A value, and when it was read.
pub struct Kept<V> {
    /// The value.
    pub value: Arc<V>,
    /// When its load was sent: it was true then or later.
    pub read: Moment,
}

impl<V: Copied> Near<V> {
    /// An empty near cache that hears of stale copies through this channel.
    #[must_use]
    pub fn new(channel: Arc<Channel>, limits: Limits) -> Self {
        Self::with(channel, limits, Arc::new(SystemClock), Rules::ALL)
    }

    /// The same on another clock: for tests that move time by hand.
    #[must_use]
    pub fn with_clock(channel: Arc<Channel>, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self::with(channel, limits, clock, Rules::ALL)
    }

    /// The same with other rules: for tests of tests.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn with_rules(
        channel: Arc<Channel>,
        limits: Limits,
        clock: Arc<dyn Clock>,
        rules: Rules,
    ) -> Self {
        Self::with(channel, limits, clock, rules)
    }

    fn with(channel: Arc<Channel>, limits: Limits, clock: Arc<dyn Clock>, rules: Rules) -> Self {
        let limits = Limits {
            copies: limits.copies.div_ceil(SHARDS),
            bytes: limits.bytes.div_ceil(SHARDS),
        };
        let inner = Arc::new(Inner {
            channel,
            clock,
            shards: (0..SHARDS)
                .map(|_| Mutex::new(Shard::new(limits)))
                .collect(),
            counters: Counters::default(),
            rules,
        });
        let listener: Weak<dyn Listener> = Arc::downgrade(&inner) as _;
        inner.channel.listen(listener);
        Self(inner)
    }

    /// The value of a key: from its copy, if that is fresh enough, or from the store.
    ///
    /// # Consistency
    ///
    /// Shows all that happened longer than `need.within` before the call, and `need.revision` or a
    /// later one if there is one.
    ///
    /// # Errors
    ///
    /// Those of the load, which all who wait for it share. Where the store can't be asked, a copy
    /// that is fresh to within `need.at_worst` serves instead.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the load to the others who wait for it, and to the copy.
    pub async fn get<F>(
        &self,
        at: Address,
        need: Freshness,
        load: impl Fn() -> F,
    ) -> Result<Kept<V>>
    where
        F: Future<Output = Result<V>> + Send + 'static,
    {
        let now = self.0.clock.moment();
        if let Some(kept) = self.0.fresh(at, need, now, Kept::clone) {
            return Ok(kept);
        }
        count(&self.0.counters.misses);
        let brought = match self.0.joinable(at, need, now) {
            Some(flight) => {
                count(&self.0.counters.joined);
                let brought = flight.landed().await;
                match brought {
                    // It set out before the client saw what it has seen.
                    Ok(kept) if kept.value.revision() < need.revision => {
                        self.0.fly(at, now, &load).landed().await
                    }
                    brought => brought,
                }
            }
            None => self.0.fly(at, now, &load).landed().await,
        };
        brought.or_else(|error| {
            let will_do = error
                .is_unavailable()
                .then(|| self.0.at_worst(at, need))
                .flatten();
            will_do.ok_or(error)
        })
    }

    /// The copy of a key, if it is fresh enough; asks nobody.
    ///
    /// # Consistency
    ///
    /// As [`get`](Self::get).
    #[must_use]
    pub fn find(&self, at: Address, need: Freshness) -> Option<Kept<V>> {
        self.find_with(at, need, self.moment(), Kept::clone)
    }

    /// What is made of the copy of a key, if it is fresh enough at this moment, which has just been;
    /// asks nobody. Made under a lock: it must be quick.
    ///
    /// # Consistency
    ///
    /// As [`get`](Self::get).
    pub fn find_with<T>(
        &self,
        at: Address,
        need: Freshness,
        now: Moment,
        made: impl FnOnce(&Kept<V>) -> T,
    ) -> Option<T> {
        let found = self.0.fresh(at, need, now, made);
        if found.is_none() {
            count(&self.0.counters.misses);
        }
        found
    }

    /// Sets out for a value by a way of the caller's own. What is announced of the key until it is
    /// [kept](Fill::keep) keeps older values out.
    #[must_use]
    pub fn fill(&self, at: Address) -> Fill<V> {
        let inner = Arc::clone(&self.0);
        let term = {
            let mut shard = inner.shard(at);
            shard.set_out(at);
            inner.channel.lease(at.bucket).term
        };
        let read = inner.clock.moment();
        Fill {
            inner,
            at,
            term,
            read,
            open: true,
        }
    }

    /// Now, on the clock that copies are measured by.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.0.clock.moment()
    }

    /// Begins a write of this process's own. What is announced of the key meanwhile is remembered,
    /// so that its result can be kept.
    #[must_use]
    pub fn write(&self, at: Address) -> OwnWrite<V> {
        let inner = Arc::clone(&self.0);
        let (term, base) = {
            let mut shard = inner.shard(at);
            shard.set_out(at);
            let term = inner.channel.lease(at.bucket).term;
            // In another term the same number may stand for something else: a failover loses
            // writes.
            let base = shard.copy(at).filter(|copy| copy.term == term);
            (term, base.map(|copy| (copy.revision, copy.kept.clone())))
        };
        OwnWrite {
            inner,
            at,
            term,
            base,
            open: true,
        }
    }

    /// Drops the copy of a key.
    pub fn forget(&self, at: Address) {
        self.0.shard(at).forget(at);
    }

    /// How long ago a value was read.
    #[must_use]
    pub fn since(&self, read: Moment) -> Duration {
        self.0.clock.moment().since(read)
    }

    /// What it has done, and what it holds.
    #[must_use]
    pub fn stats(&self) -> NearStats {
        let mut stats = self.0.counters.snapshot();
        for shard in &self.0.shards {
            let shard = locked(shard);
            let (copies, bytes) = shard.size();
            stats.hits += shard.hits;
            stats.copies += copies as u64;
            stats.bytes += bytes as u64;
        }
        stats
    }
}

impl<V: Copied> Inner<V> {
    fn shard(&self, at: Address) -> MutexGuard<'_, Shard<V>> {
        locked(&self.shards[usize::from(at.digest.as_bytes()[0]) % SHARDS])
    }

    /// What is made of the copy, if it is fresh enough.
    fn fresh<T>(
        &self,
        at: Address,
        need: Freshness,
        now: Moment,
        made: impl FnOnce(&Kept<V>) -> T,
    ) -> Option<T> {
        if need.is_now() {
            return None;
        }
        let mut shard = self.shard(at);
        let copy = shard.copy(at)?;
        // Read under the lock: what was delivered before the lease was proven has been heard here.
        let lease = self.channel.lease(at.bucket);
        let seen = copy.revision >= need.revision;
        if seen && self.holds(copy, lease, now, need.within) {
            let made = made(&copy.kept);
            shard.hits += 1;
            return Some(made);
        }
        count(&self.counters.doubted);
        None
    }

    /// Whether a copy shows all that happened longer ago than this.
    fn holds(&self, copy: &Copy<V>, lease: Lease, now: Moment, within: Duration) -> bool {
        let read = now.since(copy.kept.read);
        if read >= copy.kept.value.good_for() {
            return false;
        }
        if !self.rules.trust {
            return true;
        }
        let term = if self.rules.terms {
            copy.term
        } else {
            lease.term
        };
        let proven = lease
            .age(term, now)
            .filter(|_| copy.kept.value.is_announced());
        proven.map_or(read, |proven| proven.min(read)) < within
    }

    /// The load under way that a caller may share.
    fn joinable(&self, at: Address, need: Freshness, now: Moment) -> Option<Flight<V>> {
        if need.is_now() {
            return None;
        }
        let shard = self.shard(at);
        let flight = shard.flight(at)?;
        let term = self.channel.lease(at.bucket).term;
        let early = flight.term != term || now.since(flight.began) >= need.within;
        (!early || !self.rules.late_joining).then(|| flight.clone())
    }

    /// Begins a load, in a task of its own.
    fn fly<F>(self: &Arc<Self>, at: Address, began: Moment, load: &impl Fn() -> F) -> Flight<V>
    where
        F: Future<Output = Result<V>> + Send + 'static,
    {
        // The term before the load is sent: should it end meanwhile, the copy is of the old one.
        let term = self.channel.lease(at.bucket).term;
        let (landing, flight) = {
            let mut shard = self.shard(at);
            let (landing, flight) = Flight::new(shard.number(), term, began);
            shard.set_out(at);
            shard.offer(at, flight.clone());
            (landing, flight)
        };
        let way = Way {
            inner: Arc::clone(self),
            at,
            number: flight.number,
            value: None,
        };
        // Made only now, after it has set out: it may begin at once.
        tokio::spawn(way.carry(term, began, load(), landing));
        flight
    }

    /// The copy that will do while the store can't be asked.
    fn at_worst(&self, at: Address, need: Freshness) -> Option<Kept<V>> {
        let now = self.clock.moment();
        let mut shard = self.shard(at);
        let copy = shard.copy(at)?;
        let lease = self.channel.lease(at.bucket);
        if copy.revision < need.revision || !self.holds(copy, lease, now, need.at_worst) {
            return None;
        }
        count(&self.counters.at_worst);
        Some(copy.kept.clone())
    }

    fn noting(&self, arrived: Option<&Arrived>) {
        match arrived {
            Some(Arrived::Kept { evicted }) => {
                self.counters.evicted.fetch_add(*evicted, Relaxed);
            }
            Some(Arrived::Fenced) => count(&self.counters.fenced),
            Some(Arrived::Older) | None => {}
        }
    }
}

/// A load on its way. Whatever happens to it, even a panic, it arrives: with a value or without.
struct Way<V: Copied> {
    inner: Arc<Inner<V>>,
    at: Address,
    number: u64,
    value: Option<(Kept<V>, Term)>,
}

impl<V: Copied> Way<V> {
    async fn carry<F>(mut self, term: Term, read: Moment, load: F, landing: Landing<V>)
    where
        F: Future<Output = Result<V>> + Send + 'static,
    {
        let brought = load.await.map(|value| Kept {
            value: Arc::new(value),
            read,
        });
        self.value = brought.as_ref().ok().map(|kept| (kept.clone(), term));
        // Kept before it is told, so that who was told finds it.
        drop(self);
        landing.send_replace(Some(brought));
    }
}

impl<V: Copied> Drop for Way<V> {
    fn drop(&mut self) {
        let arrived = {
            let mut shard = self.inner.shard(self.at);
            shard.land(self.at, self.number);
            shard.arrive(self.at, self.value.take())
        };
        self.inner.noting(arrived.as_ref());
    }
}

/// A value on its way, begun by [`Near::fill`]. Dropped, it leaves the copy as it is.
pub struct Fill<V: Copied> {
    inner: Arc<Inner<V>>,
    at: Address,
    term: Term,
    read: Moment,
    open: bool,
}

impl<V: Copied> Fill<V> {
    /// When it set out.
    #[must_use]
    pub fn read(&self) -> Moment {
        self.read
    }

    /// The value arrived, and was true at this moment or later: never before it set out. Keeps it,
    /// unless something newer was announced meanwhile or is there.
    pub fn keep(mut self, value: Arc<V>, read: Moment) -> Kept<V> {
        self.open = false;
        let kept = Kept { value, read };
        let arriving = Some((kept.clone(), self.term));
        let arrived = self.inner.shard(self.at).arrive(self.at, arriving);
        self.inner.noting(arrived.as_ref());
        kept
    }
}

impl<V: Copied> Drop for Fill<V> {
    fn drop(&mut self) {
        if self.open {
            self.inner.shard(self.at).arrive(self.at, None);
        }
    }
}

impl<V: Copied> fmt::Debug for Fill<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fill")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// A write of this process's own, under way. Dropped, it leaves the copy as it is.
pub struct OwnWrite<V: Copied> {
    inner: Arc<Inner<V>>,
    at: Address,
    term: Term,
    /// The copy that there was, and its revision.
    base: Option<(u64, Kept<V>)>,
    open: bool,
}

impl<V: Copied> OwnWrite<V> {
    /// The write made this revision out of the one before. If that one's copy was at hand, a copy
    /// of the new one is made from it, and is as fresh as that one was: after a failover that lost
    /// writes, the same number may stand for something else. Without it there is none.
    pub fn made(mut self, revision: u64, new: impl FnOnce(&V) -> V) {
        self.open = false;
        let base = self
            .base
            .take()
            .filter(|(before, _)| before + 1 == revision);
        let value = base.map(|(_, before)| {
            let value = Arc::new(new(&before.value));
            let read = before.read;
            (Kept { value, read }, self.term)
        });
        let arrived = {
            let mut shard = self.inner.shard(self.at);
            // Its own news, which may not have been heard yet.
            shard.stale(self.at, Some(revision), true);
            shard.arrive(self.at, value)
        };
        self.inner.noting(arrived.as_ref());
    }

    /// The write found another revision there, or none: an older copy is stale.
    pub fn found(mut self, revision: Option<u64>) {
        self.open = false;
        let mut shard = self.inner.shard(self.at);
        shard.stale(self.at, revision, true);
        shard.arrive(self.at, None);
    }
}

impl<V: Copied> Drop for OwnWrite<V> {
    fn drop(&mut self) {
        if self.open {
            self.inner.shard(self.at).arrive(self.at, None);
        }
    }
}

impl<V: Copied> Listener for Inner<V> {
    fn stale(&self, at: Address, revision: Option<u64>) {
        if self.shard(at).stale(at, revision, self.rules.fence) {
            count(&self.counters.stale);
        }
    }

    fn all_stale(&self, bucket: Bucket) {
        for shard in &self.shards {
            let dropped = locked(shard).all_stale(bucket, self.rules.fence);
            self.counters.stale.fetch_add(dropped, Relaxed);
        }
    }

    /// Nothing to do: a copy of an ended term is only as fresh as its load, or as the term was
    /// proven, and makes room when it is needed.
    fn lost(&self, _: Bucket) {}
}

fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<V> Clone for Kept<V> {
    fn clone(&self) -> Self {
        Self {
            value: Arc::clone(&self.value),
            read: self.read,
        }
    }
}

impl<V> Clone for Near<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V> fmt::Debug for Kept<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("read", &self.read)
            .finish_non_exhaustive()
    }
}

impl<V: Copied> fmt::Debug for OwnWrite<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnWrite")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl<V> fmt::Debug for Near<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Near").finish_non_exhaustive()
    }
}
