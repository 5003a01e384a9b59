//! The same on each driver, on clusters and behind Sentinels; and when masters change.

use super::instance::{By, Database, LIMIT, connected, instance, settings, store, until};
use cloakroom_cache::{Cache, Load};
use cloakroom_core::{
    CacheStore as _, Fetch, Fetched, LoadLease, OsEntropy, Slot, Want, key_slot,
};
use cloakroom_testkit::{RedisCluster, RedisSentinel, RedisServer, eventually};
use std::{
    collections::HashMap,
    convert::Infallible,
    time::{Duration, Instant},
};

type Strings = Cache<String, String>;

const NOW: Duration = Duration::ZERO;

fn hosts<'a>(servers: impl IntoIterator<Item = &'a RedisServer>) -> String {
    let host = |server: &RedisServer| format!("127.0.0.1:{}", server.port());
    let hosts: Vec<_> = servers.into_iter().map(host).collect();
    hosts.join(",")
}

fn cluster_url(cluster: &RedisCluster) -> String {
    let nodes = cluster.nodes().iter().take(2);
    format!("redis-cluster://{}", hosts(nodes.map(|node| &**node)))
}

fn sentinel_url(all: &RedisSentinel) -> String {
    let sentinels = hosts(all.sentinels());
    format!("redis-sentinel://{sentinels}/?master={}", all.name())
}

async fn joined(by: By, url: &str) -> Strings {
    let store = connected(store(by, url)).await;
    settings(&store).build().unwrap()
}

/// What any two instances do on any servers.
async fn suite(by: By, url: &str) {
    let (a, b) = (joined(by, url).await, joined(by, url).await);
    loads_once_and_invalidates(&a, &b).await;
    tags_and_inserts(&a, &b).await;
    writes_and_many(&a, &b).await;
    takes_over(by, url, &b).await;
}

async fn sees(data: &Database, cache: &Strings, key: &str, version: u64) {
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
        assert_eq!(data.read(b, "w", NOW).await.unwrap(), 0, "nothing has changed");
        assert!(b.get("w").await.unwrap().is_none(), "nothing is kept");
        Ok::<_, Infallible>(data.change())
    };
    let version = a.write("w", change).await.unwrap();
    assert_eq!(data.read(a, "w", NOW).await.unwrap(), version);
    sees(&data, b, "w", version).await;

    let keys = (0..20).map(|key| format!("m{key}"));
    a.insert("m3", "3".to_owned()).await.unwrap();
    let load = |keys: Vec<String>| async move {
        assert_eq!(keys.len(), 19);
        let values = keys.into_iter().map(|key| (key.clone(), key[1..].to_owned()));
        Ok::<_, Infallible>(values.collect::<HashMap<_, _>>())
    };
    let found = b.get_many_or_load(keys, load).await.unwrap();
    let expected = (0..20).map(|n: usize| n.to_string());
    assert!(found.iter().map(|v| v.as_deref().unwrap().clone()).eq(expected));
}

/// Somebody takes the lease, and is never heard of again.
async fn takes_over(by: By, url: &str, cache: &Strings) {
    let raw = connected(store(by, url)).await;
    let store = connected(store(by, url)).await;
    let cache_of_one = settings(&store).build().unwrap();
    let before = cache_of_one.stats().takeovers;
    let at = at_of(cache, &raw, "lost").await;
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
    data.read(&cache_of_one, "lost", NOW).await.unwrap();
    println!("{by:?}: a lease of {lasts} was taken over after {:?}", asked.elapsed());
    assert_eq!(cache_of_one.stats().takeovers, before + 1);
}

/// Where a key lies: the only entry that is announced when it is invalidated.
async fn at_of(
    cache: &Strings,
    store: &std::sync::Arc<dyn cloakroom_core::Store>,
    key: &str,
) -> cloakroom_core::Address {
    use std::sync::{Arc, Mutex};
    #[derive(Default)]
    struct Heard(Mutex<Option<cloakroom_core::Address>>);
    impl cloakroom_core::Listener for Heard {
        fn stale(&self, at: cloakroom_core::Address, _: Option<u64>) {
            *self.0.lock().unwrap() = Some(at);
        }
        fn all_stale(&self, _: cloakroom_core::Bucket) {}
        fn lost(&self, _: cloakroom_core::Bucket) {}
    }
    let heard = Arc::new(Heard::default());
    let listener: std::sync::Weak<dyn cloakroom_core::Listener> = Arc::downgrade(&heard) as _;
    store.news().listen(listener);
    let last = || *heard.0.lock().unwrap();
    // What others said before is heard before.
    tokio::time::sleep(Duration::from_millis(200)).await;
    *heard.0.lock().unwrap() = None;
    cache.invalidate(key).await.unwrap();
    until("it is heard", || last().is_some()).await;
    last().unwrap()
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

/// Everything that is invalidated in each way, on a master whose replicas hear nothing of it.
async fn said_again(by: By, url: &str, lose: impl AsyncFnOnce(&dyn AsyncChange)) {
    let (a, b) = (joined(by, url).await, joined(by, url).await);
    let data = Database::default();
    let load = async |cache: &Strings, key: &str| {
        let data = data.clone();
        let load = move || async move {
            let version = data.load(NOW).await?;
            Ok::<_, Infallible>(Load::new(version).tag("t"))
        };
        let read = cache.get_or_load(key, load).await;
        read.map(|version| version.parse::<u64>().unwrap())
    };
    load(&a, "first").await.unwrap();
    for key in ["key", "tag", "insert", "write"] {
        a.invalidate(key).await.unwrap();
        assert_eq!(load(&a, key).await.unwrap(), 0);
    }
    let change = Change { a: &a, data: &data };
    lose(&change).await;
    // Whoever comes now has no copy: the new master alone says what there is.
    let new = || async {
        for key in ["key", "tag", "insert", "write"] {
            for cache in [&a, &b] {
                match load(cache, key).await {
                    Ok(1) => {}
                    Ok(_) => return false,
                    Err(error) => {
                        assert!(error.is_unavailable(), "{error}");
                        return false;
                    }
                }
            }
        }
        true
    };
    assert!(eventually(LIMIT, new).await);
    // And it stays so.
    let fresh = joined(by, url).await;
    for key in ["key", "tag", "insert", "write"] {
        assert_eq!(load(&fresh, key).await.unwrap(), 1, "{key}");
    }
}

struct Change<'a> {
    a: &'a Strings,
    data: &'a Database,
}

/// Makes the change, and says so in each way.
trait AsyncChange {
    fn make(&self) -> cloakroom_core::BoxFuture<'_, ()>;
}

impl AsyncChange for Change<'_> {
    fn make(&self) -> cloakroom_core::BoxFuture<'_, ()> {
        Box::pin(async move {
            let change = || async { Ok::<_, Infallible>(self.data.change()) };
            let version = self.a.write("write", change).await.unwrap();
            self.a.invalidate("key").await.unwrap();
            let value = Load::new(version.to_string());
            self.a.insert("insert", value).await.unwrap();
            self.a.invalidate_tag("t").await.unwrap();
        })
    }
}

/// Waits until replicas have what their master has, and lets them hear nothing more.
async fn deafened(master: &RedisServer, replicas: &[&RedisServer]) {
    let caught_up = || async {
        for replica in replicas {
            if offset(replica).await < offset(master).await {
                return false;
            }
        }
        true
    };
    assert!(eventually(LIMIT, caught_up).await);
    replicas.iter().for_each(|replica| replica.pause());
    master.command(&["CLIENT", "KILL", "TYPE", "replica"]).await;
}

async fn offset(server: &RedisServer) -> u64 {
    let info = server.command(&["INFO", "replication"]).await;
    let info: String = cloakroom_testkit::redis::from_redis_value(info).unwrap();
    let fields = ["master_repl_offset:", "slave_repl_offset:"];
    let field = |name| info.lines().find_map(|line: &str| line.strip_prefix(name));
    let field = fields.iter().rev().find_map(|name| field(*name));
    field.unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalidations_that_a_dead_master_kept_to_itself_are_said_again_behind_sentinels() {
    let all = RedisSentinel::builder().brisk().start().await;
    let (old, replicas) = (all.master().await, all.replicas().await);
    said_again(By::Redis, &sentinel_url(&all), async |change| {
        deafened(old, &replicas).await;
        change.make().await;
        old.kill();
        replicas.iter().for_each(|replica| replica.resume());
        all.successor_of(old).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_are_right_while_buckets_move() {
    let cluster = RedisCluster::builder().replicas(0).start().await;
    let url = cluster_url(&cluster);
    let (a, b) = (joined(By::Redis, &url).await, joined(By::Redis, &url).await);
    let store = connected(store(By::Redis, &url)).await;
    let data = Database::default();
    let keys: Vec<_> = (0..50).map(|key| format!("k{key}")).collect();
    let traffic = async {
        let (mut reads, mut unavailable) = (0, 0);
        for round in 0..20 {
            let version = data.change();
            for key in &keys {
                let told = a.invalidate(key).await;
                let read = data.read(&a, key, NOW).await;
                for error in [told.as_ref().err(), read.as_ref().err()] {
                    assert!(error.is_none_or(cloakroom_cache::Error::is_unavailable));
                    unavailable += usize::from(error.is_some());
                }
                reads += 1;
                assert!(read.is_ok_and(|shown| shown == version), "{round} {key}");
                data.read(&b, key, NOW).await.unwrap();
            }
        }
        (reads, unavailable)
    };
    let moves = async {
        for number in 0..12 {
            let bucket = store.buckets().get(number * 5).unwrap();
            let slot = key_slot(format!("{{{}}}", store.buckets().tag(bucket)).as_bytes());
            let owner = cluster.master_of_slot(slot).await;
            let masters = cluster.masters().await;
            let to = masters.iter().find(|node| node.id() != owner.id());
            cluster.migrate_slot(slot, to.unwrap()).await;
        }
    };
    let ((reads, unavailable), ()) = tokio::join!(traffic, moves);
    println!("12 buckets moved: {reads} reads, all right; {unavailable} operations unavailable");
    let version = data.change();
    for key in &keys {
        let told = || async { a.invalidate(key).await.is_ok() };
        assert!(eventually(LIMIT, told).await);
        sees(&data, &b, key, version).await;
    }
    let fresh = instance(&url).await;
    for key in &keys {
        assert_eq!(data.read(&fresh, key, NOW).await.unwrap(), version);
    }
}
