//! A real cluster: who serves what, and how that changes.

// What a helper of a test can't get, fails the test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod failover;
mod migration;

use std::time::Duration;

use cloakroom_testkit::RedisCluster;

const LIMIT: Duration = Duration::from_secs(30);

/// A cluster that finds failures soon.
async fn quick() -> RedisCluster {
    let timeout = Duration::from_millis(1000);
    RedisCluster::builder().node_timeout(timeout).start().await
}

#[tokio::test]
async fn it_serves_every_slot_and_knows_its_own() {
    let cluster = RedisCluster::builder().masters(4).replicas(0).start().await;
    assert_eq!((cluster.nodes().len(), cluster.urls().len()), (4, 4));
    assert_eq!(cluster.masters().await.len(), 4);
    for (node, slot) in cluster.nodes().iter().zip([0, 4096, 8192, 16383]) {
        assert_eq!(cluster.master_of_slot(slot).await.id(), node.id());
    }
    assert_eq!(cluster.slot_of("{a}b").await, cluster.slot_of("a").await);
    let master = cluster.master_of("a").await;
    master.command(&["SET", "a", "1"]).await;
    for other in cluster.nodes().iter().filter(|n| n.id() != master.id()) {
        let error = other.try_command(&["GET", "a"]).await.unwrap_err();
        assert_eq!(error.code(), Some("MOVED"), "{error}");
    }
}

#[tokio::test]
async fn each_master_has_its_replicas_and_they_hear_it() {
    let cluster = RedisCluster::builder().masters(1).replicas(2).start().await;
    let master = cluster.masters().await[0];
    assert_eq!(cluster.replicas_of(master).await.len(), 2);
    assert_eq!(cluster.replicas().await.len(), 2);
    master.command(&["SET", "a", "1"]).await;
    for replica in cluster.replicas().await {
        let there = || async { replica.dbsize().await == 1 };
        assert!(cloakroom_testkit::eventually(LIMIT, there).await);
    }
}

#[tokio::test]
async fn the_links_of_a_linked_cluster_are_what_its_nodes_name() {
    let cluster = RedisCluster::builder().replicas(0).linked().start().await;
    let [first, second, ..] = cluster.nodes() else {
        panic!("there are three")
    };
    let slot = cluster.slot_of("a").await;
    let owner = cluster.master_of_slot(slot).await;
    let asked = if owner.id() == first.id() {
        second
    } else {
        first
    };
    let error = asked.try_command(&["GET", "a"]).await.unwrap_err();
    let port = owner.link().port();
    assert_ne!(port, owner.port());
    assert_eq!(error.detail(), Some(&*format!("{slot} 127.0.0.1:{port}")));
}

#[tokio::test]
#[should_panic(expected = "its log:")]
async fn a_node_that_refuses_its_arguments_fails_with_the_log() {
    let builder = RedisCluster::builder().arg("--no-such-directive", "yes");
    builder.start().await;
}

#[tokio::test]
#[should_panic(expected = "`apt-get install -y redis-server`")]
async fn a_missing_program_fails_with_what_installs_it() {
    let builder = RedisCluster::builder().program("no-such-program");
    builder.start().await;
}
