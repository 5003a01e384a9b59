//! A real cluster as children of the test.

mod builder;
mod control;
mod create;
mod migrate;
mod node;
mod settle;
mod view;

use std::time::Duration;

pub use builder::RedisClusterBuilder;
pub use control::Failover;
pub use migrate::SlotMigration;
pub use node::ClusterNode;

/// How long a cluster may take for a change of itself.
const LIMIT: Duration = Duration::from_secs(30);

/// A running Redis (or Valkey) cluster on free ports of 127.0.0.1. Dropping it kills its nodes.
///
/// By default three masters with one replica each, and a node timeout of two seconds. Each
/// [`ClusterNode`] is a [`RedisServer`](crate::RedisServer), which can be killed, paused and
/// restarted; what belongs to the cluster as a whole is here. Replicas stay with their master, and
/// a failover happens where the servers decide it or the test asks for it.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use cloakroom_testkit::{Failover, RedisCluster};
///
/// let cluster = RedisCluster::start().await;
/// assert_eq!(cluster.nodes().len(), 6);
/// let master = cluster.master_of("key").await;
/// master.command(&["SET", "key", "value"]).await;
///
/// let replica = cluster.replicas_of(master).await[0];
/// cluster.failover(replica, Failover::Planned).await;
/// cluster.wait_until_settled().await;
/// assert_eq!(cluster.master_of("key").await.id(), replica.id());
/// assert_eq!(replica.keys().await, [b"key"]);
/// # }
/// ```
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<ClusterNode>,
}

impl RedisCluster {
    /// Starts a cluster with the defaults and waits until it has
    /// [settled](RedisCluster::wait_until_settled).
    ///
    /// # Panics
    ///
    /// As [`RedisClusterBuilder::start`] does.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// A cluster to start otherwise.
    #[must_use]
    pub fn builder() -> RedisClusterBuilder {
        RedisClusterBuilder::new()
    }

    /// All nodes, whatever their state: first those that began as masters, in the order of their
    /// slots, then their replicas in the same order.
    #[must_use]
    pub fn nodes(&self) -> &[ClusterNode] {
        &self.nodes
    }

    /// The URLs of all nodes: any of them leads a client to the others.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.url()).collect()
    }
}
