//! A master that dies with invalidations that its replicas have not heard of.

use super::{
    instance::{By, Database, LIMIT},
    topologies::{cluster_url, hosts, joined},
};
use cloakroom_cache::{Cache, Load};
use cloakroom_testkit::{RedisCluster, RedisSentinel, RedisServer, eventually};
use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

type Strings = Cache<String, String>;

const NOW: Duration = Duration::ZERO;
const KEYS: [&str; 4] = ["key", "tag", "insert", "write"];

fn sentinel_url(all: &RedisSentinel) -> String {
    let sentinels = hosts(all.sentinels());
    format!("redis-sentinel://{sentinels}/?master={}", all.name())
}

/// Everything is invalidated in each way, on masters whose replicas hear nothing of it.
async fn said_again(by: By, url: &str, lose: impl AsyncFnOnce(&Change<'_>)) {
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
    for key in KEYS {
        a.invalidate(key).await.unwrap();
        assert_eq!(load(&a, key).await.unwrap(), 0);
    }
    let change = Change { a: &a, data: &data };
    lose(&change).await;
    // Whoever comes now has no copy, and finds the old values until they were said again.
    let fresh = joined(by, url).await;
    let began = Instant::now();
    let none_old = || async {
        for key in KEYS {
            match fresh.get(key).await {
                Ok(found) if found.as_deref().is_none_or(|version| version == "1") => {}
                Ok(_) => return false,
                Err(error) => {
                    assert!(error.is_unavailable(), "{error}");
                    return false;
                }
            }
        }
        true
    };
    assert!(eventually(LIMIT, none_old).await);
    println!(
        "{by:?}: said again within {:?} of the new master's being served from",
        began.elapsed()
    );
    let later = joined(by, url).await;
    for key in KEYS {
        for cache in [&a, &b, &fresh, &later] {
            assert_eq!(load(cache, key).await.unwrap(), 1, "{key}");
        }
    }
}

struct Change<'a> {
    a: &'a Strings,
    data: &'a Database,
}

impl Change<'_> {
    /// Makes the change, and says so in each way.
    async fn make(&self) {
        let change = || async { Ok::<_, Infallible>(self.data.change()) };
        let version = self.a.write("write", change).await.unwrap();
        self.a.invalidate("key").await.unwrap();
        let value = Load::new(version.to_string());
        self.a.insert("insert", value).await.unwrap();
        self.a.invalidate_tag("t").await.unwrap();
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
async fn invalidations_that_dead_masters_kept_to_themselves_are_said_again_in_a_cluster() {
    let all = RedisCluster::start().await;
    let mut pairs = Vec::new();
    for master in all.masters().await {
        pairs.push((master, all.replicas_of(master).await[0]));
    }
    said_again(By::Redis, &cluster_url(&all), async |change| {
        for (master, replica) in &pairs {
            deafened(master, &[replica]).await;
        }
        change.make().await;
        pairs.iter().for_each(|(master, _)| master.kill());
        pairs.iter().for_each(|(_, replica)| replica.resume());
        for (_, replica) in &pairs {
            replica.command(&["CLUSTER", "FAILOVER", "TAKEOVER"]).await;
        }
    })
    .await;
}
