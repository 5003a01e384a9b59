//! Masters that go, replicas that take their place.

use cloakroom_testkit::{ClusterNode, Failover, RedisCluster, eventually};

use super::{LIMIT, quick};

/// A master and its replica.
async fn pair(cluster: &RedisCluster) -> (&ClusterNode, &ClusterNode) {
    let master = cluster.master_of_slot(0).await;
    (master, cluster.replicas_of(master).await[0])
}

async fn expect_master(cluster: &RedisCluster, node: &ClusterNode) {
    let leads = || async { cluster.master_of_slot(0).await.id() == node.id() };
    assert!(eventually(LIMIT, leads).await);
    cluster.wait_until_settled().await;
}

#[tokio::test]
async fn a_killed_master_is_replaced_and_comes_back_as_replica() {
    let cluster = quick().await;
    let (master, replica) = pair(&cluster).await;
    master.kill();
    expect_master(&cluster, replica).await;
    assert_eq!(cluster.masters().await.len(), 3);
    master.restart().await;
    cluster.wait_until_settled().await;
    assert_eq!(cluster.replicas_of(replica).await[0].id(), master.id());
}

#[tokio::test]
async fn a_paused_master_is_replaced_and_learns_it() {
    let cluster = quick().await;
    let (master, replica) = pair(&cluster).await;
    master.pause();
    expect_master(&cluster, replica).await;
    assert!(master.is_alive() && !master.is_running());
    master.resume();
    assert!(master.is_running());
    cluster.wait_until_settled().await;
    assert_eq!(cluster.replicas_of(replica).await[0].id(), master.id());
}

#[tokio::test]
async fn master_and_replica_change_places_as_often_as_asked() {
    let cluster = quick().await;
    for _ in 0..3 {
        let (master, replica) = pair(&cluster).await;
        cluster.failover(replica, Failover::Planned).await;
        cluster.wait_until_settled().await;
        assert_eq!(cluster.master_of_slot(0).await.id(), replica.id());
        assert_eq!(cluster.replicas_of(replica).await[0].id(), master.id());
    }
}

#[tokio::test]
async fn a_replica_takes_the_place_of_one_that_can_not_be_asked() {
    let cluster = RedisCluster::start().await;
    let (master, replica) = pair(&cluster).await;
    master.pause();
    cluster.failover(replica, Failover::Force).await;
    master.resume();
    cluster.wait_until_settled().await;
    cluster.failover(master, Failover::Takeover).await;
    cluster.wait_until_settled().await;
    assert_eq!(cluster.master_of_slot(0).await.id(), master.id());
}
