//! A cluster of masters, each with one replica.

use std::collections::BTreeSet;
use std::sync::Arc;

use cloakroom_testkit::redis::{Value, from_redis_value};
use cloakroom_testkit::{RedisServer, eventually, free_port};
use futures_util::future::join_all;

use crate::store::support::{LIMIT, ask};

/// How long a master is missed before a replica takes its place, in milliseconds.
const NODE_TIMEOUT: &str = "1000";

/// Nodes of a cluster: at first the masters, then as many replicas.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Arc<RedisServer>>,
}

impl Cluster {
    /// Three masters and three replicas, all of one mind.
    pub(crate) async fn start() -> Self {
        Self::of(3, true).await
    }

    /// So many masters, each with a replica if wanted.
    pub(crate) async fn of(masters: usize, replicas: bool) -> Self {
        let count = masters * (1 + usize::from(replicas));
        let nodes = join_all((0..count).map(|_| node())).await;
        let (mut cluster, mut ports) = (Self { nodes: Vec::new() }, Vec::new());
        for (node, bus) in nodes {
            cluster.nodes.push(Arc::new(node));
            ports.push(bus);
        }
        cluster.deal(masters).await;
        cluster.meet(&ports).await;
        cluster.follow(masters).await;
        cluster.settle().await;
        cluster
    }

    async fn deal(&self, masters: usize) {
        for (i, node) in self.nodes[..masters].iter().enumerate() {
            let epoch = (i + 1).to_string();
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await;
            let (first, end) = (i * 16_384 / masters, (i + 1) * 16_384 / masters);
            let (first, last) = (first.to_string(), (end - 1).to_string());
            let deal = ["CLUSTER", "ADDSLOTSRANGE", &first, &last];
            node.command(&deal).await;
        }
    }

    async fn meet(&self, ports: &[u16]) {
        for (other, bus) in self.nodes.iter().zip(ports).skip(1) {
            let (port, bus) = (other.port().to_string(), bus.to_string());
            let meet = ["CLUSTER", "MEET", "127.0.0.1", &port, &bus];
            self.nodes[0].command(&meet).await;
        }
        let all = self.nodes.len();
        for node in &self.nodes {
            let knows = || async { lines(node).await.len() == all };
            assert!(eventually(LIMIT, knows).await, "{}", node.log());
        }
    }

    async fn follow(&self, masters: usize) {
        for (i, replica) in self.nodes.iter().enumerate().skip(masters) {
            let id: String = ask(&self.nodes[i % masters], &["CLUSTER", "MYID"]).await;
            replica.command(&["CLUSTER", "REPLICATE", &id]).await;
        }
    }

    /// Waits until all living nodes are of one mind about who has which slots, and all replicas
    /// are in step.
    pub(crate) async fn settle(&self) {
        let settled = || async {
            let (mut views, mut well) = (Vec::new(), true);
            for node in self.living().await {
                let info: String = ask(&node, &["CLUSTER", "INFO"]).await;
                let replication: String = ask(&node, &["INFO", "replication"]).await;
                well &= info.contains("cluster_state:ok");
                well &= !replication.contains("master_link_status:down");
                views.push(view(&node).await);
            }
            well && views.iter().all(|view| *view == views[0])
        };
        let logs = || self.nodes.iter().map(|node| node.log());
        assert!(
            eventually(LIMIT, settled).await,
            "{:?}",
            logs().collect::<Vec<_>>()
        );
    }

    /// All that answer.
    pub(crate) async fn living(&self) -> Vec<Arc<RedisServer>> {
        let mut living = Vec::new();
        for node in &self.nodes {
            if node.try_command(&["PING"]).await.is_ok() {
                living.push(Arc::clone(node));
            }
        }
        living
    }

    /// `redis-cluster://` with some of the nodes.
    pub(crate) fn url(&self) -> String {
        let hosts = self.nodes.iter().map(|n| format!("127.0.0.1:{}", n.port()));
        let hosts: Vec<_> = hosts.take(2).collect();
        format!("redis-cluster://{}", hosts.join(","))
    }

    /// The master that says that it has a slot.
    pub(crate) async fn owner(&self, slot: u16) -> Option<Arc<RedisServer>> {
        for node in self.living().await {
            let lines = lines(&node).await;
            let myself = lines.iter().find(|line| line.contains("myself"));
            if myself.is_some_and(|line| line.contains("master") && has_slot(line, slot)) {
                return Some(node);
            }
        }
        None
    }

    /// All living masters that have slots.
    pub(crate) async fn masters(&self) -> Vec<Arc<RedisServer>> {
        let mut masters = Vec::new();
        for node in self.living().await {
            let lines = lines(&node).await;
            let myself = lines.iter().find(|line| line.contains("myself"));
            if myself.is_some_and(|line| line.contains("master") && has_slots(line)) {
                masters.push(node);
            }
        }
        masters
    }

    /// Moves a slot, key by key, as `redis-cli --cluster reshard` does.
    pub(crate) async fn migrate(&self, slot: u16, from: &RedisServer, to: &RedisServer) {
        self.begin(slot, from, to).await;
        while self.move_some(slot, from, to, 10).await {}
        self.finish(slot, from, to).await;
    }

    /// Opens a slot for moving.
    pub(crate) async fn begin(&self, slot: u16, from: &RedisServer, to: &RedisServer) {
        let slot = slot.to_string();
        let (source, target) = (my_id(from).await, my_id(to).await);
        let set = ["CLUSTER", "SETSLOT", slot.as_str()];
        to.command(&[&set[..], &["IMPORTING", &source]].concat())
            .await;
        from.command(&[&set[..], &["MIGRATING", &target]].concat())
            .await;
    }

    /// Moves some keys of a slot that is open; whether there were any.
    pub(crate) async fn move_some(
        &self,
        slot: u16,
        from: &RedisServer,
        to: &RedisServer,
        count: usize,
    ) -> bool {
        let (slot, count) = (slot.to_string(), count.to_string());
        let which = ["CLUSTER", "GETKEYSINSLOT", &slot, &count];
        let keys: Vec<Vec<u8>> = ask(from, &which).await;
        let port = to.port().to_string();
        let migrate = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        let command = migrate.iter().map(|word| word.as_bytes().to_vec());
        if !keys.is_empty() {
            let command: Vec<_> = command.chain(keys.iter().cloned()).collect();
            from.command(&command).await;
        }
        !keys.is_empty()
    }

    /// Gives a slot to its new master.
    pub(crate) async fn finish(&self, slot: u16, from: &RedisServer, to: &RedisServer) {
        let (slot, id) = (slot.to_string(), my_id(to).await);
        let command = ["CLUSTER", "SETSLOT", &slot, "NODE", &id];
        to.command(&command).await;
        from.command(&command).await;
    }

    /// Makes the replica among two nodes the master of the other one's slots.
    pub(crate) async fn fail_over(&self, pair: usize) {
        let (one, other) = (&self.nodes[pair], &self.nodes[pair + self.nodes.len() / 2]);
        let replica = match role(one).await.as_str() {
            "slave" => one,
            _ => other,
        };
        replica.command(&["CLUSTER", "FAILOVER"]).await;
        let promoted = || async { role(replica).await == "master" };
        assert!(eventually(LIMIT, promoted).await, "{}", replica.log());
    }
}

async fn node() -> (RedisServer, u16) {
    let bus = free_port();
    let server = RedisServer::builder()
        .arg("--cluster-enabled", "yes")
        .arg("--cluster-node-timeout", NODE_TIMEOUT)
        .arg("--cluster-port", bus.to_string())
        .arg("--cluster-allow-replica-migration", "no")
        .arg("--cluster-require-full-coverage", "no")
        .arg("--repl-diskless-sync-delay", "0")
        .start()
        .await;
    (server, bus)
}

async fn lines(node: &RedisServer) -> Vec<String> {
    let nodes: String = ask(node, &["CLUSTER", "NODES"]).await;
    nodes.lines().map(str::to_owned).collect()
}

/// Who has which slots, as a node sees it; and who follows whom.
async fn view(node: &RedisServer) -> BTreeSet<String> {
    let lines = lines(node).await.into_iter();
    let view = lines.map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        let moving = |word: &&&str| !word.starts_with('[');
        let slots: Vec<_> = words[8..].iter().filter(moving).copied().collect();
        let role = words[2].replace("myself,", "");
        format!("{} {role} {} {}", words[0], words[3], slots.join(" "))
    });
    view.collect()
}

fn slots(line: &str) -> impl Iterator<Item = (u16, u16)> {
    let ranges = line.split(' ').skip(8);
    ranges.filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some((first.parse().ok()?, last.parse().ok()?))
    })
}

fn has_slots(line: &str) -> bool {
    slots(line).next().is_some()
}

fn has_slot(line: &str, slot: u16) -> bool {
    slots(line).any(|(first, last)| (first..=last).contains(&slot))
}

async fn my_id(node: &RedisServer) -> String {
    ask(node, &["CLUSTER", "MYID"]).await
}

pub(super) async fn role(server: &RedisServer) -> String {
    let role: Vec<Value> = ask(server, &["ROLE"]).await;
    from_redis_value(role[0].clone()).unwrap()
}
