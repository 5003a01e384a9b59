//! A master that dies before its replicas have heard what it acknowledged: whoever ended a session
//! says so again to the one that takes over.

use std::time::Instant;

use cloakroom::redis::{FredDriver, RedisDriver};
use cloakroom_core::{Address, Freshness, Loaded, SessionStore, User, Which};
use cloakroom_redis::{Driver, RedisStore};
use cloakroom_testkit::conformance::draft::{anonymous, login};
use cloakroom_testkit::{RedisCluster, RedisSentinel, RedisServer, eventually};
use time::Duration;

use super::reading::replicated;
use super::{cluster, sentinel_url, url};
use crate::store::support::{LIMIT, ask, builder_of};

/// Sessions that will be ended in each way, and one that will not.
struct Ended {
    alice: User,
    revoked: Address,
    logged_out: Address,
    rotated: Address,
    kept: Address,
}

impl Ended {
    async fn new(store: &RedisStore) -> Self {
        let alice = store.user("alice").unwrap();
        let [revoked, logged_out, rotated] = [(); 3].map(|()| login(&alice));
        let kept = anonymous(alice.bucket);
        for new in [&revoked, &logged_out, &rotated, &kept] {
            store.create(new).await.unwrap();
        }
        Self {
            revoked: revoked.at,
            logged_out: logged_out.at,
            rotated: rotated.at,
            kept: kept.at,
            alice,
        }
    }

    /// Ends them on a master whose replicas hear nothing of it, and kills it.
    async fn end_unheard(
        &self,
        store: &RedisStore,
        master: &RedisServer,
        replicas: &[&RedisServer],
    ) {
        replicated(master).await;
        replicas.iter().for_each(|replica| replica.pause());
        master.command(&["CLIENT", "KILL", "TYPE", "replica"]).await;
        let to = login(&self.alice).at;
        store.rotate(self.rotated, to.digest).await.unwrap();
        store.end(self.logged_out).await.unwrap();
        let one = store.load(self.revoked, Freshness::NOW).await.unwrap();
        let Loaded::Found { record, .. } = one else {
            panic!("it lives until now");
        };
        let ended = store.revoke(&self.alice, Which::One(record.handle)).await;
        assert_eq!(ended.unwrap(), 1);
        master.kill();
        replicas.iter().for_each(|replica| replica.resume());
    }

    fn all(&self) -> [Address; 3] {
        [self.revoked, self.logged_out, self.rotated]
    }

    /// Waits until none of them lives any more on whatever serves now.
    async fn are_over(&self, store: &RedisStore) {
        let over = || async {
            for at in self.all() {
                match store.load(at, Freshness::NOW).await {
                    Ok(Loaded::Found { .. }) | Err(_) => return false,
                    Ok(_) => {}
                }
            }
            true
        };
        assert!(eventually(LIMIT, over).await);
        let kept = store.load(self.kept, Freshness::NOW).await.unwrap();
        assert!(matches!(kept, Loaded::Found { .. }), "nobody ended it");
    }
}

/// The keys of these sessions that a server holds, be they records or marks.
async fn held(server: &RedisServer, ended: &Ended) -> Vec<String> {
    let mut held = Vec::new();
    for at in ended.all() {
        let pattern = format!("*:s:{}", at.digest.to_hex());
        held.extend(ask::<Vec<String>>(server, &["KEYS", &pattern]).await);
    }
    held
}

/// How many of them are live on a master.
async fn live(server: &RedisServer, ended: &Ended) -> usize {
    let mut live = 0;
    for key in held(server, ended).await {
        let revision: Option<String> = ask(server, &["HGET", &key, "~r"]).await;
        live += usize::from(revision.is_some());
    }
    live
}

async fn is_master(server: &RedisServer) -> bool {
    let info: String = ask(server, &["INFO", "replication"]).await;
    info.contains("role:master")
}

async fn on_sentinels(driver: impl Driver + Copy) {
    let all = RedisSentinel::start().await;
    let store = builder_of(driver, sentinel_url(&all)).command_timeout(Duration::SECOND);
    let store = store.connect().await.unwrap();
    let ended = Ended::new(&store).await;
    let (old, replicas) = (all.master().await, all.replicas().await);
    ended.end_unheard(&store, old, &replicas).await;
    for replica in &replicas {
        assert_eq!(
            held(replica, &ended).await.len(),
            3,
            "the revocations are lost"
        );
    }
    let new = all.successor_of(old).await;
    let promoted = Instant::now();
    ended.are_over(&store).await;
    println!(
        "Sentinel, {driver:?}: said again {:?} after the new master was named",
        promoted.elapsed()
    );
    assert_eq!(live(new, &ended).await, 0);
}

async fn on_a_cluster(driver: impl Driver + Copy) {
    let all: RedisCluster = cluster().start().await;
    let store = builder_of(driver, url(&all)).command_timeout(Duration::SECOND);
    let store = store.connect().await.unwrap();
    let ended = Ended::new(&store).await;
    let tag = store.buckets().tag(ended.alice.bucket).to_owned();
    let old = all.master_of(&format!("{{{tag}}}")).await;
    let replicas = all.replicas_of(old).await;
    let servers: Vec<&RedisServer> = replicas.iter().map(|node| &***node).collect();
    ended.end_unheard(&store, old, &servers).await;
    assert_eq!(
        held(servers[0], &ended).await.len(),
        3,
        "the revocations are lost"
    );
    let promoted = || async { is_master(servers[0]).await };
    assert!(eventually(LIMIT, promoted).await);
    let promoted = Instant::now();
    ended.are_over(&store).await;
    println!(
        "Cluster, {driver:?}: said again {:?} after the replica took over",
        promoted.elapsed()
    );
    assert_eq!(live(servers[0], &ended).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinel_redis() {
    on_sentinels(RedisDriver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinel_fred() {
    on_sentinels(FredDriver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cluster_redis() {
    on_a_cluster(RedisDriver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cluster_fred() {
    on_a_cluster(FredDriver).await;
}
