//! Settings of a response cache.

use super::{ResponseCache, entry::Entry, layer::Shared, status::is_token, wire::Wire};
use crate::{Cache, CacheBuilder, Error, ErrorKind, Result};
use bytes::Bytes;
use cloakroom_core::{CacheStore, Clock, SystemClock};
use std::sync::Arc;
use time::Duration;

/// What an entry takes beside its body: the most headers that servers let through, about.
const HEAD: usize = 64 * 1024;
/// For so long after a handler failed, nobody waits for anybody: a run that fails is not shared.
const BACK_OFF: Duration = Duration::SECOND;

/// Settings of a [`ResponseCache`], whatever layers it has.
///
/// ```
/// use cloakroom_cache::http::ResponseCache;
/// use cloakroom_core::MemoryStore;
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cloakroom_cache::Result<()> {
/// let pages = ResponseCache::builder("pages", Arc::new(MemoryStore::new()))
///     .max_body(256 * 1024)
///     .status_name("shop")
///     .build()?;
/// assert_eq!(pages.name(), "pages");
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use]
pub struct ResponseCacheBuilder {
    name: String,
    entries: CacheBuilder<Bytes, Entry>,
    status_name: String,
    max_body: usize,
    body_timeout: Duration,
    pass_for: Duration,
    clock: Arc<dyn Clock>,
}

impl ResponseCacheBuilder {
    pub(super) fn new(name: String, store: Arc<dyn CacheStore>) -> Self {
        let entries = Cache::builder_with(format!("http:{name}"), store, Wire);
        Self {
            name,
            entries: entries.back_off(BACK_OFF),
            status_name: "cloakroom".to_owned(),
            max_body: 1024 * 1024,
            body_timeout: Duration::seconds(5),
            pass_for: Duration::seconds(5),
            clock: Arc::new(SystemClock),
        }
    }

    /// Bodies of more bytes than this go to their client as they come, and are not stored: 1 MiB by
    /// default. So much of a body at most is held in memory before its client gets any.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// A body that is not at its end after this long goes to its client as it comes, and is not
    /// stored: 5 s by default.
    pub fn body_timeout(mut self, limit: Duration) -> Self {
        self.body_timeout = limit;
        self
    }

    /// For this long after an address had a response that may not be stored, its requests go to the
    /// handler each by itself: 5 s by default. Otherwise each would wait for the one before, to
    /// learn that there is nothing to share. Zero remembers nothing.
    pub fn pass_for(mut self, time: Duration) -> Self {
        self.pass_for = time;
        self
    }

    /// What the cache is called in `Cache-Status`: `cloakroom` by default.
    pub fn status_name(mut self, name: impl Into<String>) -> Self {
        self.status_name = name.into();
        self
    }

    /// For this long do other requests wait for a handler that runs for them all: 30 s by default.
    /// Then each runs by itself. A handler is never ended by it.
    pub fn load_timeout(mut self, limit: Duration) -> Self {
        self.entries = self.entries.load_timeout(limit);
        self
    }

    /// As of [`CacheBuilder::lease`].
    pub fn lease(mut self, time: Duration) -> Self {
        self.entries = self.entries.lease(time);
        self
    }

    /// As of [`CacheBuilder::early`]: 1 by default, 0 never.
    pub fn early(mut self, factor: f64) -> Self {
        self.entries = self.entries.early(factor);
        self
    }

    /// As of [`CacheBuilder::jitter`]: 0.1 by default.
    pub fn jitter(mut self, part: f64) -> Self {
        self.entries = self.entries.jitter(part);
        self
    }

    /// As of [`CacheBuilder::max_staleness`]: 1 s by default.
    pub fn max_staleness(mut self, bound: Duration) -> Self {
        self.entries = self.entries.max_staleness(bound);
        self
    }

    /// How many near copies this process keeps at most, and how many bytes they may take: 16,384 and
    /// 64 MiB by default.
    pub fn near(mut self, copies: usize, bytes: usize) -> Self {
        self.entries = self.entries.near(copies, bytes);
        self
    }

    /// Another clock: for tests that move time by hand.
    pub fn clock(mut self, clock: impl Clock + Clone) -> Self {
        self.entries = self.entries.clock(clock.clone());
        self.clock = Arc::new(clock);
        self
    }

    /// Makes the cache. Must be called on a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a time that can't be, without a name, or for a name that can't stand
    /// in `Cache-Status`.
    pub fn build(self) -> Result<ResponseCache> {
        if self.name.is_empty() {
            let message = "a response cache needs a name: its entries are told from others' by it";
            return Err(Error::new(ErrorKind::Config, message));
        }
        if !is_token(&self.status_name) {
            let message = "a cache's name in Cache-Status is a token, like `shop` or `shop/1`";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let most = self.max_body.saturating_add(HEAD);
        Ok(ResponseCache(Arc::new(Shared {
            name: self.name.into(),
            cache: self.entries.max_size(most).build()?,
            says: self.status_name,
            max_body: self.max_body,
            body_timeout: self.body_timeout,
            pass_for: self.pass_for,
            clock: self.clock,
        })))
    }
}
