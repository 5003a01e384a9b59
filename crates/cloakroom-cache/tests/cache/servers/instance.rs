//! One instance of an application: a store of its own, and a cache on it.

use crate::support::proven;
use cloakroom_cache::{Cache, CacheBuilder};
use cloakroom_core::Store;
use cloakroom_driver_fred::FredDriver;
use cloakroom_driver_redis::RedisDriver;
use cloakroom_redis::{RedisStore, RedisStoreBuilder};
use cloakroom_testkit::eventually;
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

/// Longer than anything takes that ends.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// The bound on staleness that is tested.
pub(crate) const BOUND: Duration = Duration::from_millis(500);

/// Which client crate.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    Redis,
    Fred,
}

/// A store's settings: it proves what it heard ten times a second.
pub(crate) fn store(by: By, url: &str) -> RedisStoreBuilder {
    let store = match by {
        By::Redis => RedisStore::builder(RedisDriver, url),
        By::Fred => RedisStore::builder(FredDriver, url),
    };
    store.renewal_interval(time::Duration::milliseconds(100))
}

/// Connects, and waits until the channel is proven.
pub(crate) async fn connected(store: RedisStoreBuilder) -> Arc<dyn Store> {
    let store: Arc<dyn Store> = Arc::new(store.connect().await.unwrap());
    proven(&store).await;
    store
}

/// A cache's settings: no chance in them, and the tested bound.
pub(crate) fn settings(store: &Arc<dyn Store>) -> CacheBuilder<String, String> {
    Cache::builder("test", Arc::clone(store) as _)
        .jitter(0.0)
        .early(0.0)
        .max_staleness(BOUND.try_into().unwrap())
}

/// An instance that knows nothing special.
pub(crate) async fn instance(url: &str) -> Cache<String, String> {
    let store = connected(store(By::Redis, url)).await;
    settings(&store).build().unwrap()
}

/// What values are loaded from: a version of each key.
#[derive(Clone, Default)]
pub(crate) struct Database(Arc<Content>);

#[derive(Default)]
struct Content {
    version: AtomicU64,
    loads: AtomicU64,
}

impl Database {
    pub(crate) fn change(&self) -> u64 {
        self.0.version.fetch_add(1, SeqCst) + 1
    }

    pub(crate) fn loads(&self) -> u64 {
        self.0.loads.load(SeqCst)
    }

    /// Reads the version, and takes so long to answer.
    pub(crate) async fn load(self, takes: Duration) -> Result<String, Infallible> {
        self.0.loads.fetch_add(1, SeqCst);
        let version = self.0.version.load(SeqCst);
        tokio::time::sleep(takes).await;
        Ok(version.to_string())
    }

    /// What a cache answers of the key that is loaded from here.
    pub(crate) async fn read(
        &self,
        cache: &Cache<String, String>,
        key: &str,
        takes: Duration,
    ) -> cloakroom_cache::Result<u64> {
        let database = self.clone();
        let read = cache.get_or_load(key, move || database.load(takes)).await?;
        Ok(read.parse().unwrap())
    }
}

/// Waits for something that needs no asking.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let holds = || std::future::ready(holds());
    assert!(eventually(LIMIT, holds).await, "{what}");
}

/// What clients asked of a server, and not what scripts did, nor what keeps connections.
pub(crate) fn asked(all: &BTreeMap<String, u64>) -> u64 {
    let scripts = ["evalsha", "eval", "fcall"];
    scripts.iter().filter_map(|name| all.get(*name)).sum()
}
