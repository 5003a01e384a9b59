//! Making one cluster of servers that know nothing of each other.

use super::view::SLOTS;
use super::{ClusterNode, LIMIT, RedisCluster};
use crate::RedisServer;
use crate::poll::eventually;
use crate::redis_server::Spec;

impl RedisCluster {
    pub(super) async fn create(spec: &Spec, masters: u16, replicas: u16) -> Self {
        let count = masters * (replicas + 1);
        let starts: Vec<_> = (0..count)
            .map(|_| tokio::spawn(start_node(spec.clone())))
            .collect();
        let mut nodes = Vec::new();
        for start in starts {
            let node = start.await;
            nodes.push(node.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
        }
        let cluster = Self { nodes };
        cluster.share_slots(masters).await;
        cluster.introduce().await;
        cluster.add_replicas(masters).await;
        cluster.wait_until_settled().await;
        cluster
    }

    /// Gives each master its part of the slots, and each node an epoch of its own: nodes that
    /// begin with the same one have to quarrel about it first.
    async fn share_slots(&self, masters: u16) {
        for (number, node) in (1..).zip(&self.nodes) {
            let epoch = format!("{number}");
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await;
        }
        for (number, master) in (0..masters).zip(&self.nodes) {
            let first = part(number, masters).to_string();
            let last = (part(number + 1, masters) - 1).to_string();
            let add = ["CLUSTER", "ADDSLOTSRANGE", &first, &last];
            master.command(&add).await;
        }
    }

    /// Makes every node meet every other. They would hear of each other from one alone, but at the
    /// pace of gossip.
    async fn introduce(&self) {
        for (index, node) in self.nodes.iter().enumerate() {
            for other in &self.nodes[index + 1..] {
                let port = other.public_port().to_string();
                let meet = ["CLUSTER", "MEET", "127.0.0.1", &port, other.bus_port()];
                node.command(&meet).await;
            }
        }
        let ids: Vec<&str> = self.nodes.iter().map(ClusterNode::id).collect();
        let met = eventually(LIMIT, || async {
            let views = self.views().await;
            views.len() == ids.len() && views.iter().all(|view| view.knows_all(&ids))
        });
        self.expect(met.await, "the nodes did not meet").await;
    }

    async fn add_replicas(&self, masters: u16) {
        let (masters, replicas) = self.nodes.split_at(usize::from(masters));
        for (replica, master) in replicas.iter().zip(masters.iter().cycle()) {
            let replicate = ["CLUSTER", "REPLICATE", master.id()];
            replica.command(&replicate).await;
        }
    }
}

async fn start_node(spec: Spec) -> ClusterNode {
    ClusterNode::enter(RedisServer::launch(spec).await).await
}

/// Where the part of a master begins.
fn part(number: u16, masters: u16) -> u16 {
    let start = u32::from(SLOTS) * u32::from(number) / u32::from(masters);
    u16::try_from(start).expect("there are no more slots")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_all_slots_evenly() {
        assert_eq!([0, 1, 2, 3].map(|n| part(n, 3)), [0, 5461, 10_922, SLOTS]);
        assert_eq!(part(1, 1), SLOTS);
    }
}
