//! Stores for tests.

use cloakroom_core::{Clock as _, MemoryStore, Store, SystemClock};
use cloakroom_driver_redis::RedisDriver;
use cloakroom_redis::RedisStore;
use cloakroom_testkit::{RedisServer, eventually};
use std::{sync::Arc, time::Duration};

pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Runs a test on the memory store, and on two connections to a server.
pub(crate) async fn everywhere<F: Future<Output = ()>>(
    test: impl Fn(Arc<dyn Store>, Arc<dyn Store>) -> F,
) {
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::new());
    test(Arc::clone(&memory), memory).await;
    let server = RedisServer::start().await;
    test(connect(&server.url()).await, connect(&server.url()).await).await;
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
    let news = store.announcements();
    let all = || async {
        let now = SystemClock.moment();
        let mut leases = news.leases().into_iter();
        leases.all(|lease| lease.age(lease.term, now).is_some())
    };
    assert!(eventually(LIMIT, all).await);
}
