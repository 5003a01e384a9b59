//! Stores and caches for tests.

use cloakroom_cache::Cache;
use cloakroom_core::{MemoryStore, Store};
use cloakroom_driver_redis::RedisDriver;
use cloakroom_redis::RedisStore;
use cloakroom_testkit::RedisServer;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

/// A store, and the server that it is on.
pub(crate) struct Ground {
    pub(crate) server: Option<RedisServer>,
}

impl Ground {
    pub(crate) fn memory() -> (Self, Arc<dyn Store>) {
        (Self { server: None }, Arc::new(MemoryStore::new()))
    }

    pub(crate) async fn redis() -> (Self, Arc<dyn Store>) {
        let server = RedisServer::start().await;
        let store = connect(&server.url()).await;
        let server = Some(server);
        (Self { server }, store)
    }

    /// Another instance's connection to the same store.
    pub(crate) async fn another(&self) -> Arc<dyn Store> {
        connect(&self.server.as_ref().unwrap().url()).await
    }
}

/// A store whose channel is proven.
pub(crate) async fn connect(url: &str) -> Arc<dyn Store> {
    let store = RedisStore::builder(RedisDriver, url);
    let store = store.renewal_interval(time::Duration::milliseconds(100));
    let store: Arc<dyn Store> = Arc::new(store.connect().await.unwrap());
    proven(&store).await;
    store
}

/// Waits until the store's channel is proven of all buckets.
pub(crate) async fn proven(store: &Arc<dyn Store>) {
    use cloakroom_core::Clock as _;
    let news = store.news();
    let all = || {
        let now = cloakroom_core::SystemClock.moment();
        let mut leases = news.leases().into_iter();
        leases.all(|lease| lease.age(lease.term, now).is_some())
    };
    let all = || async { all() };
    assert!(cloakroom_testkit::eventually(Duration::from_secs(10), all).await);
}

pub(crate) fn cache(store: &Arc<dyn Store>) -> Cache<String, String> {
    Cache::builder("test", Arc::clone(store) as _)
        .build()
        .unwrap()
}

/// Counts loads.
#[derive(Clone, Default)]
pub(crate) struct Loads(Arc<AtomicUsize>);

impl Loads {
    pub(crate) fn count(&self) -> usize {
        self.0.load(SeqCst)
    }

    pub(crate) async fn load(
        &self,
        value: &str,
        takes: Duration,
    ) -> Result<String, std::io::Error> {
        self.0.fetch_add(1, SeqCst);
        tokio::time::sleep(takes).await;
        Ok(value.to_owned())
    }
}

pub(crate) const SOON: Duration = Duration::from_secs(10);

/// Fails the test that waits for ever.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(SOON, what).await;
    waited.expect("it takes less than ten seconds")
}

/// Settings of a cache in this process's memory.
pub(crate) fn builder(
    store: &Arc<impl cloakroom_core::CacheStore>,
) -> cloakroom_cache::CacheBuilder<String, String> {
    let store: Arc<dyn cloakroom_core::CacheStore> = Arc::clone(store) as _;
    Cache::builder("test", store)
}

/// A loader that waits: says that it has begun, and goes on when it is told to.
#[derive(Clone, Default)]
pub(crate) struct Held(Arc<Gate>);

#[derive(Default)]
struct Gate {
    begun: AtomicUsize,
    came: tokio::sync::Notify,
    go: tokio::sync::Notify,
}

impl Held {
    /// Begins, and waits.
    pub(crate) async fn load(&self, value: &str) -> Result<String, std::io::Error> {
        self.0.begun.fetch_add(1, SeqCst);
        self.0.came.notify_one();
        self.0.go.notified().await;
        Ok(value.to_owned())
    }

    /// How many loads have begun.
    pub(crate) fn count(&self) -> usize {
        self.0.begun.load(SeqCst)
    }

    /// Waits until a load has begun.
    pub(crate) async fn begun(&self) {
        within(self.0.came.notified()).await;
    }

    /// Lets a load go on.
    pub(crate) fn go(&self) {
        self.0.go.notify_one();
    }
}

/// A value that is loaded at once.
pub(crate) async fn value(value: &'static str) -> Result<String, std::io::Error> {
    Ok(value.to_owned())
}

/// A loader that fails.
pub(crate) async fn failing(text: &'static str) -> Result<String, std::io::Error> {
    Err(std::io::Error::other(text))
}

/// A loader that must not run.
pub(crate) async fn never() -> Result<String, std::io::Error> {
    panic!("loaded again")
}
