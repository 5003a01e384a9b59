//! Buckets that move from master to master under a cache's traffic.

use super::{
    instance::{By, Database, LIMIT, connected, instance, store},
    topologies::{cluster_url, joined, sees},
};
use cloakroom_core::key_slot;
use cloakroom_testkit::{RedisCluster, eventually};
use std::time::Duration;

const NOW: Duration = Duration::ZERO;

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
