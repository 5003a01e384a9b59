//! The same on each driver, on one server and on a cluster.

use super::instance::{By, Database, LIMIT, connected, settings, store, until};
use cloakroom_cache::{Cache, Load};
use cloakroom_core::{
    Address, Bucket, Fetch, Fetched, Listener, LoadLease, OsEntropy, Slot, Store, Want,
};
use cloakroom_testkit::{RedisCluster, RedisServer, eventually};
use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, Weak},
    time::{Duration, Instant},
};

type Strings = Cache<String, String>;

const NOW: Duration = Duration::ZERO;

/// As a URL has them.
pub(crate) fn hosts<'a>(servers: impl IntoIterator<Item = &'a RedisServer>) -> String {
    let host = |server: &RedisServer| format!("127.0.0.1:{}", server.port());
    let hosts: Vec<_> = servers.into_iter().map(host).collect();
    hosts.join(",")
}

/// A cluster, by all of its nodes.
pub(crate) fn cluster_url(cluster: &RedisCluster) -> String {
    let nodes = cluster.nodes().iter();
    format!("redis-cluster://{}", hosts(nodes.map(|node| &**node)))
}

/// An instance on whatever servers.
pub(crate) async fn joined(by: By, url: &str) -> Strings {
    let store = connected(store(by, url)).await;
    settings(&store).build().unwrap()
}

/// What any two instances do on any servers.
async fn suite(by: By, url: &str) {
    let (a, b) = (joined(by, url).await, joined(by, url).await);
    loads_once_and_invalidates(&a, &b).await;
    tags_and_inserts(&a, &b).await;
    writes_and_many(&a, &b).await;
    takes_over(by, url).await;
}

/// Waits until an instance shows a version.
pub(crate) async fn sees(data: &Database, cache: &Strings, key: &str, version: u64) {
    let seen = || async { data.read(cache, key, NOW).await.unwrap() == version };
    assert!(eventually(LIMIT, seen).await, "{key}: {version}");
}

/// Twenty keys, so that all masters have some.
async fn loads_once_and_invalidates(a: &Strings, b: &Strings) {
    let data = Database::default();
    let keys: Vec<_> = (0..20).map(|key| format!("k{key}")).collect();
    let read = |n: usize| {
        let (cache, key) = (if n.is_multiple_of(2) { a } else { b }, &keys[n / 5]);
        data.read(cache, key, Duration::from_millis(50))
    };
    let all = futures_util::future::join_all((0..100).map(read)).await;
    assert!(all.into_iter().all(|read| read.unwrap() == 0));
    assert_eq!(data.loads(), 20);
    let version = data.change();
    for key in &keys {
        a.invalidate(key).await.unwrap();
        assert_eq!(data.read(a, key, NOW).await.unwrap(), version);
        sees(&data, b, key, version).await;
    }
    assert_eq!(data.loads(), 40);
}

async fn tags_and_inserts(a: &Strings, b: &Strings) {
    let load = async |cache: &Strings, key: &str, value: &'static str| {
        let load = move || async move {
            Ok::<_, Infallible>(Load::new(value.to_owned()).tag("t").tag("u"))
        };
        cache.get_or_load(key, load).await.unwrap().to_string()
    };
    // The tags are there before: the first load of one might be refused for that alone.
    load(a, "first", "first").await;
    for key in ["t0", "t1", "t2", "t3"] {
        assert_eq!(load(a, key, "old").await, "old");
        assert_eq!(load(b, key, "other").await, "old");
    }
    b.invalidate_tag("u").await.unwrap();
    for key in ["t0", "t1", "t2", "t3"] {
        assert_eq!(load(b, key, "new").await, "new");
        let heard = || async { load(a, key, "new").await == "new" };
        assert!(eventually(LIMIT, heard).await);
        a.insert(key, "inserted".to_owned()).await.unwrap();
        assert_eq!(load(a, key, "x").await, "inserted");
        let heard = || async { load(b, key, "x").await == "inserted" };
        assert!(eventually(LIMIT, heard).await);
    }
}

async fn writes_and_many(a: &Strings, b: &Strings) {
    let data = Database::default();
    data.read(a, "w", NOW).await.unwrap();
    data.read(b, "w", NOW).await.unwrap();
    let change = || async {
        assert_eq!(
            data.read(b, "w", NOW).await.unwrap(),
            0,
            "nothing has changed"
        );
        let none = || async { b.get("w").await.unwrap().is_none() };
        assert!(eventually(LIMIT, none).await, "it hears of it");
        assert_eq!(data.read(b, "w", NOW).await.unwrap(), 0, "loaded");
        assert!(b.get("w").await.unwrap().is_none(), "and not kept");
        Ok::<_, Infallible>(data.change())
    };
    let version = a.write("w", change).await.unwrap();
    assert_eq!(data.read(a, "w", NOW).await.unwrap(), version);
    sees(&data, b, "w", version).await;

    let keys = (0..20).map(|key| format!("m{key}"));
    a.insert("m3", "3".to_owned()).await.unwrap();
    let load = |keys: Vec<String>| async move {
        assert_eq!(keys.len(), 19);
        let values = keys
            .into_iter()
            .map(|key| (key.clone(), key[1..].to_owned()));
        Ok::<_, Infallible>(values.collect::<HashMap<_, _>>())
    };
    let found = b.get_many_or_load(keys, load).await.unwrap();
    let expected = (0..20).map(|n: usize| n.to_string());
    assert!(
        found
            .iter()
            .map(|v| v.as_deref().unwrap().clone())
            .eq(expected)
    );
}

/// Somebody takes the lease, and is never heard of again.
async fn takes_over(by: By, url: &str) {
    let raw = connected(store(by, url)).await;
    let cache = joined(by, url).await;
    let at = place_of(&cache, &raw, "lost").await;
    let lasts = time::Duration::milliseconds(400);
    let fetch = Fetch {
        slot: Slot { at, schema: 0 },
        want: Want::Missing,
        lease: LoadLease::generate(&OsEntropy).unwrap(),
        lasts,
    };
    let taken = raw.fetch(&fetch).await.unwrap();
    assert!(matches!(taken, Fetched::Leased { .. }), "{taken:?}");
    let asked = Instant::now();
    let data = Database::default();
    data.read(&cache, "lost", NOW).await.unwrap();
    println!(
        "{by:?}: a lease of {lasts} was taken over after {:?}",
        asked.elapsed()
    );
    assert_eq!(cache.stats().takeovers, 1);
}

/// Where the last thing lies that was announced.
#[derive(Default)]
struct Last(Mutex<Option<Address>>);

impl Listener for Last {
    fn stale(&self, at: Address, _: Option<u64>) {
        *self.0.lock().unwrap() = Some(at);
    }

    fn all_stale(&self, _: Bucket) {}

    fn lost(&self, _: Bucket) {}
}

/// Where a key lies: what its invalidation announces, on a store that hears nothing else.
async fn place_of(cache: &Strings, store: &Arc<dyn Store>, key: &str) -> Address {
    let last = Arc::new(Last::default());
    let listener: Weak<dyn Listener> = Arc::downgrade(&last) as _;
    store.news().listen(listener);
    cache.invalidate(key).await.unwrap();
    let heard = || *last.0.lock().unwrap();
    until("it is heard", || heard().is_some()).await;
    heard().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_holds_with_the_redis_crate() {
    let server = RedisServer::start().await;
    suite(By::Redis, &server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_holds_with_fred() {
    let server = RedisServer::start().await;
    suite(By::Fred, &server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_holds_on_a_cluster_with_either_driver() {
    let cluster = RedisCluster::builder().replicas(0).start().await;
    suite(By::Redis, &cluster_url(&cluster)).await;
    for node in cluster.nodes() {
        node.command(&["FLUSHALL"]).await;
    }
    suite(By::Fred, &cluster_url(&cluster)).await;
}
