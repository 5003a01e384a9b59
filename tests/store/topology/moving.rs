//! Buckets that move from master to master under traffic.

use std::sync::Arc;

use cloakroom::redis::{FredDriver, RedisDriver};
use cloakroom_core::{Freshness, Loaded, SessionStore, Which, key_slot};
use cloakroom_redis::{Driver, RedisStore};
use cloakroom_testkit::conformance::draft::{Draft, login};
use cloakroom_testkit::{ClusterNode, Failover, RedisCluster, eventually};
use time::Duration;
use tokio::time::{Instant, sleep_until};

use super::reading::{Readers, Writers, replicated};
use super::{NODE_TIMEOUT, cluster, url};
use crate::store::support::{LIMIT, assert_unavailable, builder_at, builder_of, is_up};

/// The slot of a user's bucket.
fn slot_of(store: &RedisStore, user: &str) -> u16 {
    let bucket = store.user(user).unwrap().bucket;
    key_slot(format!("{{{}}}", store.buckets().tag(bucket)).as_bytes())
}

/// A master that does not have this slot.
async fn another(cluster: &RedisCluster, slot: u16) -> &ClusterNode {
    let owner = cluster.master_of_slot(slot).await;
    let masters = cluster.masters().await.into_iter();
    let mut others = masters.filter(|master| master.id() != owner.id());
    others.next().unwrap()
}

/// Moves a bucket to another master: as a whole every other time, where the servers can; else key
/// by key.
async fn move_bucket(cluster: &RedisCluster, slot: u16, whole: bool) {
    let to = another(cluster, slot).await;
    if whole && cluster.migrates_atomically().await {
        cluster.migrate_slots_atomically(slot..=slot, to).await;
    } else {
        cluster.migrate_slot(slot, to).await;
    }
}

/// Twenty moves and ten changes of roles, while 64 tasks read and eight write.
async fn through_moves_and_failovers(driver: impl Driver) {
    let what = format!("moves and failovers, {driver:?}");
    let cluster = cluster().start().await;
    let store = builder_of(driver, url(&cluster)).command_timeout(Duration::SECOND);
    let store = Arc::new(store.connect().await.unwrap());
    let readers = Readers::start(&store, 64).await;
    let writers = Writers::start(&store, 8).await;
    let mut calm = [Instant::now(); 3];
    for round in 0..10u16 {
        for n in 0..2 {
            let bucket = store.buckets().get(round * 6 + n).unwrap();
            let slot = key_slot(format!("{{{}}}", store.buckets().tag(bucket)).as_bytes());
            move_bucket(&cluster, slot, n == 1).await;
        }
        // A replica that has not heard of a move gets no votes; and one that gets them counts those
        // of its last election too, if they are young.
        cluster.wait_until_settled().await;
        let pair = usize::from(round % 3);
        sleep_until(calm[pair]).await;
        let (one, other) = (&cluster.nodes()[pair], &cluster.nodes()[pair + 3]);
        let masters = cluster.masters().await;
        let is_master = masters.iter().any(|master| master.id() == one.id());
        let replica = if is_master { other } else { one };
        cluster.failover(replica, Failover::Planned).await;
        calm[pair] = Instant::now() + NODE_TIMEOUT * 8;
        cluster.wait_until_settled().await;
    }
    writers.finish(&store, &what).await;
    readers.finish(&what).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_read_what_they_know_through_moves_and_failovers_redis() {
    through_moves_and_failovers(RedisDriver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_read_what_they_know_through_moves_and_failovers_fred() {
    through_moves_and_failovers(FredDriver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_bucket_moves_it_is_read_on_and_written_later() {
    let cluster = cluster().masters(2).replicas(0).start().await;
    let store = builder_at(url(&cluster)).command_timeout(Duration::milliseconds(600));
    let store = Arc::new(store.connect().await.unwrap());
    let alice = store.user("alice").unwrap();
    let sessions: Vec<_> = (0..8).map(|_| login(&alice).with("a", "1")).collect();
    for new in &sessions {
        store.create(new).await.unwrap();
    }
    let slot = slot_of(&store, "alice");
    let to = another(&cluster, slot).await;
    let migration = cluster.open_migration(slot, to).await;
    for moved in 0..=9 {
        // Some here, some there, and the index on one of them.
        for new in &sessions {
            let loaded = store.load(new.at, Freshness::NOW).await.unwrap();
            assert!(
                matches!(loaded, Loaded::Found { .. }),
                "{moved} moved: {loaded:?}"
            );
        }
        if [0, 4, 9].contains(&moved) {
            let error = assert_unavailable(store.list(&alice).await);
            let said = error.to_string();
            // Which one is last depends on where it was asked last.
            assert!(said.contains("TRYAGAIN") || said.contains("ASK"), "{said}");
            assert_unavailable(store.revoke(&alice, Which::All).await);
            assert_unavailable(store.end(sessions[0].at).await);
        }
        migration.move_keys(1).await;
    }
    let revoke = store.revoke(&alice, Which::All);
    let finish = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        migration.close().await;
    };
    let (revoked, ()) = tokio::join!(revoke, finish);
    assert_eq!(revoked.unwrap(), 8, "it waited, and missed none");
    for new in &sessions {
        assert_eq!(
            store.load(new.at, Freshness::NOW).await.unwrap(),
            Loaded::Absent
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_master_is_replaced_and_the_others_serve_on() {
    let cluster = cluster().start().await;
    let store = builder_at(url(&cluster)).command_timeout(Duration::SECOND);
    let store = Arc::new(store.connect().await.unwrap());
    let readers = Readers::start(&store, 16).await;
    for master in cluster.masters().await {
        // What is acknowledged may be lost with its master; what is asked for here may not.
        replicated(master).await;
    }
    cluster.nodes()[0].kill();
    let promoted = || async { cluster.masters().await.len() == 3 };
    assert!(eventually(LIMIT, promoted).await);
    assert!(is_up(&store).await, "nobody has to ask for it");
    let seen = readers.finish("a killed master").await;
    let untroubled = seen.iter().filter(|seen| seen.errors == 0);
    assert!(untroubled.count() > 0, "two masters of three serve on");
}

#[tokio::test]
async fn a_master_that_stands_still_is_replaced() {
    let cluster = cluster().start().await;
    let store = builder_at(url(&cluster)).command_timeout(Duration::SECOND);
    let store = Arc::new(store.connect().await.unwrap());
    let readers = Readers::start(&store, 16).await;
    for master in cluster.masters().await {
        replicated(master).await;
    }
    cluster.nodes()[1].pause();
    let promoted = || async {
        let log = cluster.nodes()[4].log();
        log.contains("Failover election won") || log.contains("failover: I'm the new master")
    };
    assert!(
        eventually(LIMIT, promoted).await,
        "{}",
        cluster.nodes()[4].log()
    );
    assert!(is_up(&store).await, "nobody has to ask for it");
    readers.finish("a master that stands still").await;
    // It is back, believes for a moment that nothing has happened, and is asked nothing.
    cluster.nodes()[1].resume();
}
