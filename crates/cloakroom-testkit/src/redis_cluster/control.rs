//! Who is who in a cluster, and making it change.

use std::time::Duration;

use super::view::Row;
use super::{ClusterNode, LIMIT, RedisCluster};
use crate::poll::{eventually, until_some};

/// After what time a failover that was asked for has been given up by the server: its own limit of
/// five seconds and a little.
const ATTEMPT: Duration = Duration::from_millis(5_500);

/// How a replica takes its master's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failover {
    /// The master stops writes, the replica catches up and is elected: nothing is lost.
    Planned,
    /// The replica is elected without asking its master: for one that is down or paused.
    Force,
    /// The replica takes the place without an election.
    Takeover,
}

impl RedisCluster {
    /// The nodes that call themselves masters now, of those that run.
    pub async fn masters(&self) -> Vec<&ClusterNode> {
        self.nodes_where(Row::is_master).await
    }

    /// The nodes that call themselves replicas now, of those that run.
    pub async fn replicas(&self) -> Vec<&ClusterNode> {
        self.nodes_where(|own| !own.is_master()).await
    }

    /// The nodes that call themselves replicas of `master` now, of those that run.
    pub async fn replicas_of(&self, master: &ClusterNode) -> Vec<&ClusterNode> {
        self.nodes_where(|own| own.master.as_deref() == Some(master.id()))
            .await
    }

    /// The running master that serves `slot`; the latest, where an earlier one doesn't know yet
    /// that it has been replaced.
    ///
    /// # Panics
    ///
    /// If none does within 30 seconds.
    pub async fn master_of_slot(&self, slot: u16) -> &ClusterNode {
        let serving = || async {
            let mut rows = self.own_rows().await;
            rows.retain(|(_, own)| own.is_master() && own.serves(slot));
            rows.sort_by_key(|(_, own)| own.epoch);
            rows.pop().map(|(node, _)| node)
        };
        let master = until_some(LIMIT, serving).await;
        self.expect(master.is_some(), "nobody served the slot")
            .await;
        master.expect("it was there")
    }

    /// The running master that serves `key`.
    ///
    /// # Panics
    ///
    /// If none does within 30 seconds.
    pub async fn master_of(&self, key: &str) -> &ClusterNode {
        self.master_of_slot(self.slot_of(key).await).await
    }

    /// The slot of `key`.
    ///
    /// # Panics
    ///
    /// If no node runs.
    pub async fn slot_of(&self, key: &str) -> u16 {
        let node = self.nodes.iter().find(|node| node.is_running());
        let node = node.expect("one node at least runs");
        let command = ["CLUSTER", "KEYSLOT", key];
        let slot = node.ask("cluster|keyslot", &command).await;
        slot.expect("a node knows the slot of a key")
    }

    /// Makes `replica` take its master's place, and waits until all nodes that run say it has.
    ///
    /// A server gives an attempt up in silence if it isn't elected within five seconds. Redis
    /// (7.0, 7.4) also takes a replica that led before for elected at once, by the votes of then, as long as
    /// those are younger than eight node timeouts: two masters for a moment, until the others
    /// overrule it. So it is asked again where it has not come to lead. Whoever wants many
    /// failovers fast takes each from another master.
    ///
    /// # Panics
    ///
    /// If the server refuses, or the replica is no master within 30 seconds.
    pub async fn failover(&self, replica: &ClusterNode, how: Failover) {
        let command: &[&str] = match how {
            Failover::Planned => &["CLUSTER", "FAILOVER"],
            Failover::Force => &["CLUSTER", "FAILOVER", "FORCE"],
            Failover::Takeover => &["CLUSTER", "FAILOVER", "TAKEOVER"],
        };
        let attempts = LIMIT.as_millis().div_ceil(ATTEMPT.as_millis());
        let mut done = false;
        for _ in 0..attempts {
            replica.command(command).await;
            done = eventually(ATTEMPT, || self.is_led_by(replica)).await;
            if done {
                break;
            }
        }
        self.expect(done, "the replica did not become master").await;
    }

    /// Whether all nodes that run say that this one is a master with slots.
    async fn is_led_by(&self, node: &ClusterNode) -> bool {
        let views = self.views().await;
        !views.is_empty() && views.iter().all(|view| view.is_led_by(node.id()))
    }

    /// The nodes that run and say this of themselves.
    async fn nodes_where(&self, holds: impl Fn(&Row) -> bool) -> Vec<&ClusterNode> {
        let rows = self.own_rows().await.into_iter();
        rows.filter(|(_, own)| holds(own))
            .map(|(node, _)| node)
            .collect()
    }

    /// The nodes that run, with what each says of itself.
    async fn own_rows(&self) -> Vec<(&ClusterNode, Row)> {
        let mut rows = Vec::new();
        for node in &self.nodes {
            let view = node.view().await;
            let own = view.and_then(|view| view.own().cloned());
            rows.extend(own.map(|own| (node, own)));
        }
        rows
    }
}
