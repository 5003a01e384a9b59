//! A session store with copies in front.

use crate::{
    near::{Near, OwnWrite},
    shard::{Copied, Limits},
    stats::NearStats,
};
use cloakroom_core::{
    Address, BoxFuture, Buckets, Change, Channel, Clock, Committed, Created, Digest, Ended, Error,
    Freshness, Health, Listed, Loaded, NewSession, Record, Result, Retired, Rotated, SessionStore,
    SystemClock, Touch, User, Which,
};
use std::sync::Arc;
use time::Duration;

/// How long it is remembered that an id leads nowhere any more: its mark fades without a word.
const NOTHING_FOR: Duration = Duration::seconds(10);
/// About what a copy takes beside its attributes.
const OVERHEAD: usize = 512;

/// A [`SessionStore`] whose reads are answered from copies that are fresh enough.
///
/// Everything but reads goes to the store behind it. Of a store without a channel it knows only
/// how old a copy is, which still keeps every read within its limit.
#[derive(Debug, Clone)]
pub struct NearStore {
    store: Arc<dyn SessionStore>,
    near: Near<Seen>,
}

/// What a load saw.
struct Seen(Loaded);

impl Copied for Seen {
    fn revision(&self) -> u64 {
        match &self.0 {
            Loaded::Found { record, .. } => record.revision,
            Loaded::Superseded | Loaded::Ended | Loaded::Absent => 0,
        }
    }

    fn weight(&self) -> usize {
        match &self.0 {
            Loaded::Found { record, .. } => OVERHEAD + record.attributes.size(),
            Loaded::Superseded | Loaded::Ended | Loaded::Absent => OVERHEAD,
        }
    }

    fn good_for(&self) -> Duration {
        match &self.0 {
            Loaded::Found { expires_in, .. } => *expires_in,
            Loaded::Superseded | Loaded::Ended | Loaded::Absent => NOTHING_FOR,
        }
    }

    /// That a session was made is not: nobody knows its id before. But a bridge may make one under
    /// an id that was asked for; and marks fade without a word.
    fn is_announced(&self) -> bool {
        matches!(self.0, Loaded::Found { .. })
    }
}

impl NearStore {
    /// Puts copies in front of a store.
    #[must_use]
    pub fn new(store: Arc<dyn SessionStore>, limits: Limits) -> Self {
        Self::with_clock(store, limits, Arc::new(SystemClock))
    }

    /// The same on another clock: for tests that move time by hand.
    #[must_use]
    pub fn with_clock(store: Arc<dyn SessionStore>, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let near = Near::with_clock(channel(&*store), limits, clock);
        Self { store, near }
    }

    /// The same with other rules: for tests of tests.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn with_rules(store: Arc<dyn SessionStore>, rules: crate::Rules) -> Self {
        let clock = Arc::new(SystemClock);
        let near = Near::with_rules(channel(&*store), Limits::default(), clock, rules);
        Self { store, near }
    }

    /// What the copies have saved.
    #[must_use]
    pub fn stats(&self) -> NearStats {
        self.near.stats()
    }

    async fn load_near(&self, at: Address, need: Freshness) -> Result<Loaded> {
        let load = || {
            let store = Arc::clone(&self.store);
            async move { store.load(at, Freshness::NOW).await.map(Seen) }
        };
        let kept = self.near.get(at, need, load).await?;
        Ok(match &kept.value.0 {
            Loaded::Found { record, expires_in } => Loaded::Found {
                record: Arc::clone(record),
                expires_in: (*expires_in - self.near.since(kept.read)).max(Duration::ZERO),
            },
            nothing => nothing.clone(),
        })
    }

    async fn commit_through(&self, at: Address, change: &Change, max: usize) -> Result<Committed> {
        let write = self.near.write(at);
        let committed = self.store.commit(at, change, max).await?;
        match &committed {
            // When its new limits end, the store's clock alone says.
            Committed::Done { revision } if change.lifetime().is_some() => {
                write.found(Some(*revision));
            }
            Committed::Done { revision } => {
                write.made(*revision, |seen| seen.with(change, *revision));
            }
            Committed::Conflict { revision, .. } => write.found(Some(*revision)),
            Committed::Superseded | Committed::Gone => write.found(None),
            Committed::TooLarge { .. } => drop(write),
        }
        Ok(committed)
    }

    /// What an operation ended, this process needs no message to know of.
    async fn ending<T>(
        &self,
        at: Address,
        operation: BoxFuture<'_, Result<T>>,
        ended: impl FnOnce(&T) -> bool,
    ) -> Result<T> {
        let write: OwnWrite<Seen> = self.near.write(at);
        let result = operation.await;
        if result.as_ref().map_or_else(Error::is_not_replicated, ended) {
            write.found(None);
        }
        result
    }
}

impl Seen {
    /// The session after a change. Its idle window is not known to have moved.
    fn with(&self, change: &Change, revision: u64) -> Self {
        Self(match &self.0 {
            Loaded::Found { record, expires_in } => {
                let mut record = Record::clone(record);
                record.attributes.apply(change);
                record.revision = revision;
                Loaded::Found {
                    record: Arc::new(record),
                    expires_in: *expires_in,
                }
            }
            nothing => nothing.clone(),
        })
    }
}

/// The store's channel, or one that never proves anything.
fn channel(store: &dyn SessionStore) -> Arc<Channel> {
    let silent = || Arc::new(Channel::new(store.buckets(), Duration::MAX));
    store.channel().unwrap_or_else(silent)
}

impl SessionStore for NearStore {
    fn buckets(&self) -> &Buckets {
        self.store.buckets()
    }

    fn user(&self, id: &str) -> Result<User> {
        self.store.user(id)
    }

    fn load(&self, at: Address, need: Freshness) -> BoxFuture<'_, Result<Loaded>> {
        Box::pin(self.load_near(at, need))
    }

    fn create<'a>(&'a self, new: &'a NewSession) -> BoxFuture<'a, Result<Created>> {
        let replaced = new.login.as_ref().and_then(|login| login.replaces);
        let replaced = replaced.map_or(new.at, |replaced| Address {
            digest: replaced.digest,
            ..new.at
        });
        let done = |created: &Created| matches!(created, Created::Done { .. });
        Box::pin(self.ending(replaced, self.store.create(new), done))
    }

    fn commit<'a>(
        &'a self,
        at: Address,
        change: &'a Change,
        max_size: usize,
    ) -> BoxFuture<'a, Result<Committed>> {
        Box::pin(self.commit_through(at, change, max_size))
    }

    fn retire(&self, at: Address, revision: u64) -> BoxFuture<'_, Result<Retired>> {
        Box::pin(self.ending(at, self.store.retire(at, revision), |_| true))
    }

    fn rotate(&self, at: Address, to: Digest) -> BoxFuture<'_, Result<Rotated>> {
        let over = |rotated: &Rotated| !matches!(rotated, Rotated::Collision);
        Box::pin(self.ending(at, self.store.rotate(at, to), over))
    }

    fn end(&self, at: Address) -> BoxFuture<'_, Result<Ended>> {
        Box::pin(self.ending(at, self.store.end(at), |_| true))
    }

    fn touch<'a>(&'a self, touches: &'a [Touch]) -> BoxFuture<'a, Result<()>> {
        self.store.touch(touches)
    }

    fn list<'a>(&'a self, user: &'a User) -> BoxFuture<'a, Result<Vec<Listed>>> {
        self.store.list(user)
    }

    fn revoke<'a>(&'a self, user: &'a User, which: Which) -> BoxFuture<'a, Result<u64>> {
        self.store.revoke(user, which)
    }

    fn revoke_everyone(&self) -> BoxFuture<'_, Result<()>> {
        self.store.revoke_everyone()
    }

    fn health(&self) -> Health {
        self.store.health()
    }

    fn channel(&self) -> Option<Arc<Channel>> {
        self.store.channel()
    }
}
