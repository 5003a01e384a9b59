//! One node of a cluster.

use std::ops::Deref;

use super::view::View;
use crate::RedisServer;

/// A node of a [`RedisCluster`](super::RedisCluster): a [`RedisServer`], which can be asked, killed,
/// paused, resumed and restarted as any, and its id in the cluster.
///
/// A restarted node comes back under its id, but without data unless the cluster was told to persist
/// it: a master that comes back before a replica has taken its place empties its replicas.
#[derive(Debug)]
pub struct ClusterNode {
    server: RedisServer,
    id: String,
}

impl ClusterNode {
    pub(super) async fn enter(server: RedisServer) -> Self {
        let id = server.ask("cluster|myid", &["CLUSTER", "MYID"]).await;
        let id = id.expect("a cluster's node has an id");
        Self { server, id }
    }

    /// The node's id in the cluster. It stays the same over a restart.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The cluster as the node sees it, unless it is down or paused, or doesn't answer.
    pub(super) async fn view(&self) -> Option<View> {
        if !self.is_running() {
            return None;
        }
        let text: Option<String> = self.ask("cluster|nodes", &["CLUSTER", "NODES"]).await;
        text.map(|text| View::parse(&text))
    }

    /// Whether the node says that the cluster serves every slot.
    pub(super) async fn says_ok(&self) -> bool {
        let info: Option<String> = self.ask("cluster|info", &["CLUSTER", "INFO"]).await;
        has_line(info, "cluster_state:ok")
    }

    /// Whether it is a replica that has its master's data and hears what changes.
    pub(super) async fn is_synced(&self) -> bool {
        let info: Option<String> = self.ask("info", &["INFO", "replication"]).await;
        has_line(info, "master_link_status:up")
    }

    /// The port by which other nodes reach it.
    pub(super) fn bus_port(&self) -> &str {
        self.directive("--cluster-port").expect("nodes have one")
    }
}

fn has_line(text: Option<String>, wanted: &str) -> bool {
    text.is_some_and(|text| text.lines().any(|line| line == wanted))
}

impl Deref for ClusterNode {
    type Target = RedisServer;

    fn deref(&self) -> &RedisServer {
        &self.server
    }
}
