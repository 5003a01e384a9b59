//! Waiting until all nodes of a cluster agree.

use super::view::{View, are_complete};
use super::{ClusterNode, LIMIT, RedisCluster};
use crate::poll::eventually;

impl RedisCluster {
    /// Waits until the cluster serves every slot and stands still. All nodes that run, those that
    /// are down or paused left out:
    ///
    /// - say that the cluster's state is ok;
    /// - know each other, and agree who serves which slot and who is whose replica;
    /// - have no slot on its way;
    /// - have heard all from their master, where they are replicas of one that runs.
    ///
    /// # Panics
    ///
    /// With what each node says, if they don't within 30 seconds.
    pub async fn wait_until_settled(&self) {
        let settled = eventually(LIMIT, || self.is_settled()).await;
        self.expect(settled, "the cluster did not settle").await;
    }

    async fn is_settled(&self) -> bool {
        let running: Vec<&ClusterNode> = self.nodes.iter().filter(|n| n.is_running()).collect();
        let ids: Vec<&str> = running.iter().map(|node| node.id()).collect();
        let mut views = Vec::new();
        for node in &running {
            match node.view().await {
                Some(view) if node.says_ok().await => views.push(view),
                _ => return false,
            }
        }
        agree(&views, &ids) && self.are_replicas_synced(&running, &views).await
    }

    async fn are_replicas_synced(&self, running: &[&ClusterNode], views: &[View]) -> bool {
        for (node, view) in running.iter().zip(views) {
            let master = view.own().and_then(|own| own.master.clone());
            let hears = master.is_some_and(|id| running.iter().any(|node| node.id() == id));
            if hears && !node.is_synced().await {
                return false;
            }
        }
        true
    }

    /// What every node that runs sees.
    pub(super) async fn views(&self) -> Vec<View> {
        let mut views = Vec::new();
        for node in &self.nodes {
            views.extend(node.view().await);
        }
        views
    }

    /// Fails with what the nodes see, unless `done`.
    pub(super) async fn expect(&self, done: bool, failure: &str) {
        if done {
            return;
        }
        let mut seen = String::new();
        for node in &self.nodes {
            let view: Option<String> = node.ask("cluster|nodes", &["CLUSTER", "NODES"]).await;
            let view = view.unwrap_or("does not answer\n".into());
            seen += &format!("{} on {}:\n{view}", node.id(), node.public_port());
        }
        panic!("{failure} within {LIMIT:?}:\n{seen}");
    }
}

/// Whether these nodes see each other, and the same of each other.
fn agree(views: &[View], ids: &[&str]) -> bool {
    let Some(roles) = views.first().map(|view| view.roles(ids)) else {
        return false;
    };
    let same = |view: &View| view.knows_all(ids) && view.roles(ids) == roles;
    let still = |view: &View| view.own().is_some_and(|own| !own.is_moving_slots());
    are_complete(&roles) && views.iter().all(|view| same(view) && still(view))
}
