//! The embedded store: sessions in this process's memory.

mod state;
mod values;

use crate::{
    Address, BoxFuture, Bucket, Buckets, CacheStore, Change, Channel, Clock, Committed, Created,
    Digest, Ended, Entropy, Fetch, Fetched, Freshness, Health, Listed, LoadLease, Loaded,
    NewSession, NewValue, OsEntropy, Put, Result, Retired, RevocationStore, Revocations, Rotated,
    SessionStore, Slot, Standing, SystemClock, TagVersion, Touch, User, UserHasher, Which,
};
use state::State;
use std::sync::{Arc, Mutex, PoisonError};
use time::{Duration, OffsetDateTime};
use values::Values;

/// How many bytes of cached values are kept, unless the application says otherwise.
const CACHED_BYTES: usize = 64 * 1024 * 1024;

/// Keeps sessions, and cached values, in memory: the default, with nothing to install.
///
/// Clones share the same sessions, so several layers in one process agree; other processes see
/// nothing of them, and a restart forgets all. Expired sessions are swept as others are written.
/// Cached values take at most 64 MiB.
///
/// ```
/// use cloakroom_core::{Health, MemoryStore, SessionStore};
///
/// let store = MemoryStore::new();
/// assert_eq!(store.health(), Health::Up);
/// ```
#[derive(Debug, Clone)]
pub struct MemoryStore {
    buckets: Buckets,
    users: UserHasher,
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
    values: Arc<Mutex<Cached>>,
    channel: Arc<Channel>,
}

/// The cached values, and how many of their changes each bucket has announced.
#[derive(Debug)]
struct Cached {
    values: Values,
    announced: Vec<u64>,
}

impl MemoryStore {
    /// An empty store on the machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store on another clock: for tests that move time by hand.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        let buckets = Buckets::default();
        let channel = Channel::in_process(&buckets);
        for bucket in buckets.iter() {
            channel.counted(bucket, channel.lease(bucket).term, 0);
        }
        Self {
            channel: Arc::new(channel),
            users: UserHasher::default(),
            clock,
            state: Arc::default(),
            values: Arc::new(Mutex::new(Cached {
                values: Values::new(CACHED_BYTES),
                announced: vec![0; usize::from(buckets.len())],
            })),
            buckets,
        }
    }

    /// Lets cached values take this many bytes; those that would expire next make room.
    #[must_use]
    pub fn cached_bytes(self, limit: usize) -> Self {
        self.cached().values = Values::new(limit);
        self
    }

    /// How many sessions live in it, without the expired.
    #[must_use]
    pub fn len(&self) -> usize {
        self.with(|state, now| state.live(now))
    }

    /// Whether no session lives in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn with<T>(&self, act: impl FnOnce(&mut State, OffsetDateTime) -> T) -> T {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sweep(now);
        let result = act(&mut state, now);
        // Still under the lock: who sees the new state has heard of it.
        for news in state.take_news() {
            if news.remembered > Duration::ZERO {
                self.channel.deliver_revoked(news.at, news.remembered);
            } else {
                self.channel.deliver(news.at, news.revision);
            }
        }
        result
    }

    fn cached(&self) -> std::sync::MutexGuard<'_, Cached> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for cached values: each announcement bears a number.
    fn with_cached<T>(&self, act: impl FnOnce(&mut Cached, OffsetDateTime) -> T) -> T {
        let now = self.clock.now();
        let mut cached = self.cached();
        cached.values.sweep(now);
        let result = act(&mut cached, now);
        for (at, revision) in cached.values.take_news() {
            let number = cached.next(at.bucket);
            self.channel.deliver(at, revision);
            let term = self.channel.lease(at.bucket).term;
            self.channel.counted(at.bucket, term, number);
        }
        result
    }

    fn reply_cached<'a, T: 'a>(
        &'a self,
        act: impl FnOnce(&mut Cached, OffsetDateTime) -> T + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        Box::pin(async move { Ok(self.with_cached(act)) })
    }

    fn reply<'a, T: 'a>(
        &'a self,
        act: impl FnOnce(&mut State, OffsetDateTime) -> T + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        Box::pin(async move { Ok(self.with(act)) })
    }
}

impl Cached {
    /// How many announcements of a bucket there were.
    fn announced(&self, bucket: Bucket) -> u64 {
        let announced = self.announced.get(usize::from(bucket.index()));
        announced.copied().unwrap_or_default()
    }

    /// Counts one more announcement of a bucket.
    fn next(&mut self, bucket: Bucket) -> u64 {
        let announced = self.announced.get_mut(usize::from(bucket.index()));
        announced.map_or(0, |count| {
            *count += 1;
            *count
        })
    }
}

/// A version that no tag had before.
fn drawn() -> Result<u64> {
    let mut drawn = [0; 8];
    OsEntropy.fill(&mut drawn)?;
    Ok(u64::from_be_bytes(drawn))
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl SessionStore for MemoryStore {
    fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    fn user(&self, id: &str) -> Result<User> {
        self.users.user(id, &self.buckets)
    }

    fn load(&self, at: Address, _: Freshness) -> BoxFuture<'_, Result<Loaded>> {
        self.reply(move |state, now| state.load(at, now))
    }

    fn create<'a>(&'a self, new: &'a NewSession) -> BoxFuture<'a, Result<Created>> {
        self.reply(move |state, now| state.create(new, now))
    }

    fn commit<'a>(
        &'a self,
        at: Address,
        change: &'a Change,
        max_size: usize,
    ) -> BoxFuture<'a, Result<Committed>> {
        self.reply(move |state, now| state.commit(at, change, max_size, now))
    }

    fn retire(&self, at: Address, revision: u64) -> BoxFuture<'_, Result<Retired>> {
        self.reply(move |state, now| state.retire(at, revision, now))
    }

    fn rotate(&self, at: Address, to: Digest) -> BoxFuture<'_, Result<Rotated>> {
        self.reply(move |state, now| state.rotate(at, to, now))
    }

    fn end(&self, at: Address) -> BoxFuture<'_, Result<Ended>> {
        self.reply(move |state, now| state.end(at, now))
    }

    fn touch<'a>(&'a self, touches: &'a [Touch]) -> BoxFuture<'a, Result<()>> {
        self.reply(move |state, now| touches.iter().for_each(|t| state.touch(t, now)))
    }

    fn list<'a>(&'a self, user: &'a User) -> BoxFuture<'a, Result<Vec<Listed>>> {
        self.reply(move |state, _| state.list(user))
    }

    fn revoke<'a>(&'a self, user: &'a User, which: Which) -> BoxFuture<'a, Result<u64>> {
        self.reply(move |state, now| state.revoke(user, which, now))
    }

    fn revoke_everyone(&self) -> BoxFuture<'_, Result<()>> {
        self.reply(|state, now| {
            state.revoke_everyone(now);
            // Of what tokens say of their epoch, listeners know by this alone.
            for bucket in self.buckets.iter() {
                self.channel.deliver_all(bucket);
            }
        })
    }

    fn health(&self) -> Health {
        Health::Up
    }

    fn channel(&self) -> Option<Arc<Channel>> {
        Some(Arc::clone(&self.channel))
    }
}

impl RevocationStore for MemoryStore {
    fn layout(&self) -> &Buckets {
        &self.buckets
    }

    fn announcements(&self) -> Arc<Channel> {
        Arc::clone(&self.channel)
    }

    fn revoke_for(&self, at: Address, lasts: Duration) -> BoxFuture<'_, Result<()>> {
        self.reply(move |state, now| state.revoke_for(at, lasts, now))
    }

    fn revocations(&self, bucket: Bucket) -> BoxFuture<'_, Result<Revocations>> {
        self.reply(move |state, now| state.revocations(bucket, now))
    }

    fn standing(&self, at: Address) -> BoxFuture<'_, Result<Standing>> {
        self.reply(move |state, now| state.standing(at, now))
    }
}

impl CacheStore for MemoryStore {
    fn place(&self, digest: Digest) -> Address {
        Address::of_digest(digest, &self.buckets)
    }

    fn news(&self) -> Arc<Channel> {
        Arc::clone(&self.channel)
    }

    fn reach(&self) -> Health {
        Health::Up
    }

    fn fetch<'a>(&'a self, fetch: &'a Fetch) -> BoxFuture<'a, Result<Fetched>> {
        self.reply_cached(move |cached, now| cached.values.fetch(fetch, now))
    }

    fn extend(&self, slot: Slot, lease: LoadLease, lasts: Duration) -> BoxFuture<'_, Result<bool>> {
        self.reply_cached(move |cached, now| cached.values.extend(slot, lease, lasts, now))
    }

    fn release(&self, slot: Slot, lease: LoadLease) -> BoxFuture<'_, Result<()>> {
        self.reply_cached(move |cached, _| cached.values.release(slot, lease))
    }

    fn put<'a>(
        &'a self,
        slot: Slot,
        lease: LoadLease,
        value: &'a NewValue,
    ) -> BoxFuture<'a, Result<Put>> {
        self.reply_cached(move |cached, now| cached.values.put(slot, lease, value, now))
    }

    fn insert<'a>(&'a self, slot: Slot, value: &'a NewValue) -> BoxFuture<'a, Result<Put>> {
        self.reply_cached(move |cached, now| cached.values.insert(slot, value, now))
    }

    fn invalidate(&self, at: Address) -> BoxFuture<'_, Result<()>> {
        self.reply_cached(move |cached, now| cached.values.invalidate(at, now))
    }

    fn mark(&self, at: Address, mark: LoadLease, lasts: Duration) -> BoxFuture<'_, Result<()>> {
        self.reply_cached(move |cached, now| cached.values.mark(at, mark, lasts, now))
    }

    fn unmark(&self, at: Address, mark: LoadLease) -> BoxFuture<'_, Result<()>> {
        self.reply_cached(move |cached, now| cached.values.unmark(at, mark, now))
    }

    fn tag(&self, at: Address) -> BoxFuture<'_, Result<TagVersion>> {
        Box::pin(async move {
            let drawn = drawn()?;
            Ok(self.with_cached(|cached, _| {
                let number = cached.announced(at.bucket);
                cached.values.tag(at, drawn, number)
            }))
        })
    }

    fn change_tag(&self, at: Address) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let drawn = drawn()?;
            self.with_cached(|cached, _| {
                let number = cached.announced(at.bucket) + 1;
                cached.values.change_tag(at, drawn, number);
            });
            Ok(())
        })
    }
}
