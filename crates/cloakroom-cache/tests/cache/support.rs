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
