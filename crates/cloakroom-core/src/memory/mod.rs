//! The embedded store: sessions in this process's memory.

mod state;

use crate::{
    Address, BoxFuture, Buckets, Change, Channel, Clock, Committed, Created, Digest, Ended,
    Freshness, Health, Listed, Loaded, NewSession, Result, Retired, Rotated, SessionStore,
    SystemClock, Touch, User, UserHasher, Which,
};
use state::State;
use std::sync::{Arc, Mutex, PoisonError};
use time::OffsetDateTime;

/// Keeps sessions in memory: the default, with nothing to install.
///
/// Clones share the same sessions, so several layers in one process agree; other processes see
/// nothing of them, and a restart forgets all. Expired sessions are swept as others are written.
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
    channel: Arc<Channel>,
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
        Self {
            channel: Arc::new(Channel::in_process(&buckets)),
            buckets,
            users: UserHasher::default(),
            clock,
            state: Arc::default(),
        }
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
        for (at, revision) in state.take_news() {
            self.channel.deliver(at, revision);
        }
        result
    }

    fn reply<'a, T: 'a>(
        &'a self,
        act: impl FnOnce(&mut State, OffsetDateTime) -> T + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        Box::pin(async move { Ok(self.with(act)) })
    }
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
        self.reply(move |state, _| state.revoke(user, which))
    }

    fn revoke_everyone(&self) -> BoxFuture<'_, Result<()>> {
        self.reply(|state, _| state.revoke_everyone())
    }

    fn health(&self) -> Health {
        Health::Up
    }

    fn channel(&self) -> Option<Arc<Channel>> {
        Some(Arc::clone(&self.channel))
    }
}
