//! A master that dies before its replicas have heard what it acknowledged: whoever ended a session
//! says so again to the one that takes over. And what replicas have confirmed, none of them lacks.

use std::time::Instant;

use cloakroom::redis::{FredDriver, RedisDriver};
use cloakroom_core::{
    Address, Ended, ErrorKind, Freshness, Loaded, Result, SessionStore, User, Which,
};
use cloakroom_redis::{Driver, Durability, RedisStore};
use cloakroom_testkit::conformance::draft::{anonymous, login};
use cloakroom_testkit::{RedisCluster, RedisSentinel, RedisServer, eventually};
use time::Duration;

use super::reading::replicated;
use super::{cluster, sentinel_url, url};
use crate::store::support::{LIMIT, ask, builder_of};

/// Sessions that will be ended in each way, and one that will not.
struct Doomed {
    alice: User,
    revoked: Address,
    logged_out: Address,
    rotated: Address,
    kept: Address,
}

impl Doomed {
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
        durability: Durability,
        master: &RedisServer,
        replicas: &[&RedisServer],
    ) {
        replicated(master).await;
        replicas.iter().for_each(|replica| replica.pause());
        master.command(&["CLIENT", "KILL", "TYPE", "replica"]).await;
        let to = login(&self.alice).at;
        store.rotate(self.rotated, to.digest).await.unwrap();
        let ended = store.end(self.logged_out).await;
        told(ended, &Ended::Done, durability);
        let one = store.load(self.revoked, Freshness::NOW).await.unwrap();
        let Loaded::Found { record, .. } = one else {
            panic!("it lives until now");
        };
        let asked = Instant::now();
        let ended = store.revoke(&self.alice, Which::One(record.handle)).await;
        told(ended, &1, durability);
        println!("{durability:?}: told after {:?}", asked.elapsed());
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

/// What an end answers whose replicas hear nothing: all is well, unless it was to be surer than that.
fn told<T: PartialEq + std::fmt::Debug>(ended: Result<T>, done: &T, durability: Durability) {
    match durability {
        Durability::Master => assert_eq!(ended.unwrap(), *done),
        Durability::Replicas(..) => {
            let error = ended.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotReplicated);
            assert!(error.to_string().contains("0 of 1 replicas"), "{error}");
        }
    }
}

/// The keys of these sessions that a server holds, be they records or marks.
async fn held(server: &RedisServer, ended: &Doomed) -> Vec<String> {
    let mut held = Vec::new();
    for at in ended.all() {
        let pattern = format!("*:s:{}", at.digest.to_hex());
        held.extend(ask::<Vec<String>>(server, &["KEYS", &pattern]).await);
    }
    held
}

/// How many of them are live on a master.
async fn live(server: &RedisServer, ended: &Doomed) -> usize {
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

async fn on_sentinels(driver: impl Driver + Copy, durability: Durability) {
    let all = RedisSentinel::start().await;
    let store = builder_of(driver, sentinel_url(&all)).command_timeout(Duration::SECOND);
    let store = store.durability(durability).connect().await.unwrap();
    let ended = Doomed::new(&store).await;
    let (old, replicas) = (all.master().await, all.replicas().await);
    ended.end_unheard(&store, durability, old, &replicas).await;
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

async fn on_a_cluster(driver: impl Driver + Copy, durability: Durability) {
    let all: RedisCluster = cluster().start().await;
    let store = builder_of(driver, url(&all)).command_timeout(Duration::SECOND);
    let store = store.durability(durability).connect().await.unwrap();
    let ended = Doomed::new(&store).await;
    let tag = store.buckets().tag(ended.alice.bucket).to_owned();
    let old = all.master_of(&format!("{{{tag}}}")).await;
    let replicas = all.replicas_of(old).await;
    let servers: Vec<&RedisServer> = replicas.iter().map(|node| &***node).collect();
    ended.end_unheard(&store, durability, old, &servers).await;
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

const CONFIRMED: Durability = Durability::Replicas(1, Duration::milliseconds(200));

/// Nobody says anything again here: what the master acknowledged, its replicas have.
async fn outlives(driver: impl Driver + Copy, url: String, replicas: u32) -> (Doomed, Duration) {
    let within = Duration::seconds(5);
    let store = builder_of(driver, url).durability(Durability::Replicas(replicas, within));
    let store = store.connect().await.unwrap();
    let mut took = Vec::new();
    for _ in 0..100 {
        let doomed = login(&store.user("bob").unwrap()).at;
        let asked = Instant::now();
        store.end(doomed).await.unwrap();
        took.push(asked.elapsed());
    }
    took.sort();
    let median = Duration::try_from(took[50]).unwrap();
    let doomed = Doomed::new(&store).await;
    store.end(doomed.logged_out).await.unwrap();
    let rest = store.revoke(&doomed.alice, Which::All).await;
    assert_eq!(rest.unwrap(), 2);
    store.revoke_everyone().await.unwrap();
    (doomed, median)
}

async fn outlives_its_master_on_sentinels(driver: impl Driver + Copy) {
    let all = RedisSentinel::start().await;
    let (old, replicas) = (all.master().await, all.replicas().await);
    let (doomed, median) = outlives(driver, sentinel_url(&all), 2).await;
    old.kill();
    println!("Sentinel, {driver:?}: two replicas confirmed, median {median}");
    for replica in replicas {
        assert_eq!(live(replica, &doomed).await, 0, "it was acknowledged");
        let epochs: Vec<String> = ask(replica, &["KEYS", "*:epoch"]).await;
        assert_eq!(epochs.len(), 64, "one for each bucket");
    }
}

async fn outlives_its_master_on_a_cluster(driver: impl Driver + Copy) {
    let all: RedisCluster = cluster().start().await;
    let (doomed, median) = outlives(driver, url(&all), 1).await;
    println!("Cluster, {driver:?}: one replica confirmed, median {median}");
    let (mut epochs, mut kept) = (0, 0);
    for master in all.masters().await {
        let replicas = all.replicas_of(master).await;
        master.kill();
        kept += held(replicas[0], &doomed).await.len();
        epochs += ask::<Vec<String>>(replicas[0], &["KEYS", "*:epoch"])
            .await
            .len();
    }
    // The mark of the one that was logged out, and an epoch for each bucket.
    assert_eq!((kept, epochs), (1, 64));
}

/// Two instances end everyone's sessions, one after the other. The first says so again to the server that
/// comes back: nothing that the second ended lives again, and nothing that was made since ends.
async fn an_earlier_epoch_changes_nothing(driver: impl Driver + Copy) {
    let server = RedisServer::builder()
        .arg("--appendonly", "yes")
        .arg("--appendfsync", "always")
        .start()
        .await;
    let connect = || builder_of(driver, server.url()).connect();
    let (first, second) = (connect().await.unwrap(), connect().await.unwrap());
    let alice = first.user("alice").unwrap();
    first.revoke_everyone().await.unwrap();
    let between = login(&alice);
    second.create(&between).await.unwrap();
    second.revoke_everyone().await.unwrap();
    let after = login(&alice);
    second.create(&after).await.unwrap();
    drop(second);
    server.restart().await;
    // Once for each bucket.
    let said = || async {
        let stats = server.command_stats().await;
        stats.get("evalsha").is_some_and(|calls| *calls >= 64)
    };
    assert!(eventually(LIMIT, said).await);
    let found = |at| {
        let first = &first;
        async move { first.load(at, Freshness::NOW).await.unwrap() }
    };
    assert_eq!(found(between.at).await, Loaded::Absent);
    assert!(matches!(found(after.at).await, Loaded::Found { .. }));
    assert_eq!(first.list(&alice).await.unwrap().len(), 1);
}

/// Each case with each driver.
macro_rules! with_each_driver {
    ($($name:ident: $case:ident($($durability:expr)?);)+) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn redis() {
                $case(RedisDriver $(, $durability)?).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn fred() {
                $case(FredDriver $(, $durability)?).await;
            }
        }
    )+};
}

with_each_driver! {
    epochs: an_earlier_epoch_changes_nothing();
    sentinel: on_sentinels(Durability::Master);
    sentinel_not_confirmed: on_sentinels(CONFIRMED);
    sentinel_confirmed: outlives_its_master_on_sentinels();
    in_cluster: on_a_cluster(Durability::Master);
    in_cluster_not_confirmed: on_a_cluster(CONFIRMED);
    in_cluster_confirmed: outlives_its_master_on_a_cluster();
}
