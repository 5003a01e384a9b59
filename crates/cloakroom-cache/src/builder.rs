//! Settings of a cache.

use crate::{
    Cache, CacheKey, Codec, Error, ErrorKind, Json, OnAbandoned, OnUnavailable, Result,
    inner::{Inner, Parts},
    policy::Policy,
};
use cloakroom_core::{CacheStore, Clock, SystemClock};
use cloakroom_near::Limits;
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt, marker::PhantomData, sync::Arc};
use time::Duration;

/// Settings of a [`Cache`].
#[must_use]
pub struct CacheBuilder<K: ?Sized, V> {
    name: String,
    store: Arc<dyn CacheStore>,
    schema: u32,
    limits: Limits,
    policy: Policy,
    codec: Arc<dyn Codec<V>>,
    clock: Arc<dyn Clock>,
    key: PhantomData<fn(&K)>,
}

impl<K: CacheKey + ?Sized, V: Send + Sync + 'static> Cache<K, V> {
    /// Begins a cache of values that are stored as JSON. All caches of a deployment that share a name
    /// share their entries.
    pub fn builder(name: impl Into<String>, store: Arc<dyn CacheStore>) -> CacheBuilder<K, V>
    where
        V: Serialize + DeserializeOwned,
    {
        Self::builder_with(name, store, Json)
    }

    /// The same for values that are stored in another form.
    pub fn builder_with(
        name: impl Into<String>,
        store: Arc<dyn CacheStore>,
        codec: impl Codec<V>,
    ) -> CacheBuilder<K, V> {
        CacheBuilder {
            name: name.into(),
            store,
            schema: 0,
            limits: Limits::default(),
            policy: Policy::default(),
            codec: Arc::new(codec),
            clock: Arc::new(SystemClock),
            key: PhantomData,
        }
    }
}

impl<K: CacheKey + ?Sized, V: Send + Sync + 'static> CacheBuilder<K, V> {
    /// A value is fresh for this long: a minute by default. An invalidation ends it at any time; this
    /// is for what nobody invalidates.
    pub fn fresh_for(mut self, time: Duration) -> Self {
        self.policy.fresh_for = time;
        self
    }

    /// That something does not exist is believed for this long: 10 s by default. Short, because what
    /// makes it exist may not know that somebody asked.
    pub fn absent_for(mut self, time: Duration) -> Self {
        self.policy.absent_for = time;
        self
    }

    /// For this long after its fresh time, a value is served at once while it is loaded anew. Zero by
    /// default.
    pub fn stale_while_loading(mut self, time: Duration) -> Self {
        self.policy.while_loading = time;
        self
    }

    /// For this long after its fresh time, a value is served if it can't be loaded anew, or not within
    /// the [soft timeout](Self::soft_timeout). Never after it was invalidated. Zero by default: an
    /// application that never shows old values is told of errors.
    pub fn stale_on_error(mut self, time: Duration) -> Self {
        self.policy.on_error = time;
        self
    }

    /// A caller waits this long for a load while there is a stale value that may be served; then it
    /// gets that one, and the load goes on. None by default.
    pub fn soft_timeout(mut self, limit: Duration) -> Self {
        self.policy.soft_timeout = Some(limit);
        self
    }

    /// A loader may take this long: 30 s by default. Then it is dropped and all who wait get an error.
    /// As long does one instance wait for another's load.
    pub fn load_timeout(mut self, limit: Duration) -> Self {
        self.policy.load_timeout = limit;
        self
    }

    /// How long a load lease lasts without being kept: 3 s by default. It is kept for as long as the
    /// loader runs, so this is how long others wait for an instance that has died.
    pub fn lease(mut self, time: Duration) -> Self {
        self.policy.lease = time;
        self
    }

    /// Fresh times are cut short by chance, by up to this part of them: 0.1 by default. So that what
    /// was loaded together does not expire together.
    pub fn jitter(mut self, part: f64) -> Self {
        self.policy.jitter = part;
        self
    }

    /// How early values are loaded anew before their fresh time is over, as a factor of how long their
    /// load took: 1 by default, 0 never. Each read decides by chance (XFetch), so that a busy value is
    /// loaded by one reader a moment before it expires, and nobody waits.
    pub fn early(mut self, factor: f64) -> Self {
        self.policy.early = factor;
        self
    }

    /// For this long after a load failed, its error answers further reads of the key in this process.
    /// Zero by default: each read tries again.
    pub fn back_off(mut self, time: Duration) -> Self {
        self.policy.back_off = time;
        self
    }

    /// The same while a stale value is served instead of the error: 1 s by default.
    pub fn stale_back_off(mut self, time: Duration) -> Self {
        self.policy.stale_back_off = time;
        self
    }

    /// Every read shows what was invalidated longer ago than this, whatever fails: 1 s by default.
    /// Invalidations are usually seen within milliseconds.
    pub fn max_staleness(mut self, bound: Duration) -> Self {
        self.policy.max_staleness = bound;
        self
    }

    /// Values that take more bytes than this are not kept: 1 MiB by default.
    pub fn max_size(mut self, bytes: usize) -> Self {
        self.policy.max_size = bytes;
        self
    }

    /// What reads do while the store can't be reached: [`OnUnavailable::Load`] by default.
    pub fn on_unavailable(mut self, choice: OnUnavailable) -> Self {
        self.policy.on_unavailable = choice;
        self
    }

    /// What becomes of a load that nobody waits for: [`OnAbandoned::Finish`] by default.
    pub fn on_abandoned(mut self, choice: OnAbandoned) -> Self {
        self.policy.on_abandoned = choice;
        self
    }

    /// The form that values have: 0 by default. To be raised when it changes so that the other one
    /// can't be read. Versions of the application with different schemas keep their values side by
    /// side; an invalidation is for all.
    pub fn schema(mut self, schema: u32) -> Self {
        self.schema = schema;
        self
    }

    /// How many near copies this process keeps at most, and how many bytes they may take: 16,384 and
    /// 64 MiB by default.
    pub fn near(mut self, copies: usize, bytes: usize) -> Self {
        self.limits = Limits { copies, bytes };
        self
    }

    /// Another clock: for tests that move time by hand.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Makes the cache. Must be called on a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a time or a factor that can't be, or without a name.
    pub fn build(self) -> Result<Cache<K, V>> {
        if self.name.is_empty() {
            let message = "a cache needs a name: its entries are told from others' by it";
            return Err(Error::new(ErrorKind::Config, message));
        }
        self.policy.check()?;
        Ok(Cache::of(Inner::new(Parts {
            name: self.name,
            store: self.store,
            schema: self.schema,
            limits: self.limits,
            policy: self.policy,
            codec: self.codec,
            clock: self.clock,
        })))
    }
}

impl<K: ?Sized, V> fmt::Debug for CacheBuilder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBuilder")
            .field("name", &self.name)
            .field("schema", &self.schema)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
