//! Three masters that share the slots, each with a replica.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::SeqCst};
use std::time::Duration;

use cloakroom_core::{BoxFuture, Bucket, Buckets, key_slot};
use cloakroom_testkit::{ClusterNode, Failover, RedisCluster, RedisServer, eventually};
use tokio::time::sleep;

use super::{Deployment, NEVER, Needs, directives, leads};
use crate::near::network::Network;
use crate::near::random::Random;
use crate::near::world::{BUCKETS, LIMIT};

/// How long a master that may be replaced is missed.
const NODE_TIMEOUT: Duration = Duration::from_secs(1);
/// What nodes tell each other of their roles, in answer to a question or not.
const PONG: &str = "1";

/// Nodes that know each other through links.
#[derive(Debug)]
pub(super) struct Cluster {
    nodes: RedisCluster,
    buckets: Buckets,
    /// The port of a master that was cut off: what it says of the cluster is not the truth.
    cut_off: AtomicU16,
}

impl Cluster {
    pub(super) async fn open(needs: Needs) -> Self {
        let timeout = if needs.automatic { NODE_TIMEOUT } else { NEVER };
        let builder = RedisCluster::builder().linked().node_timeout(timeout);
        let builder = builder
            .arg("--cluster-require-full-coverage", "no")
            .arg("--enable-debug-command", "yes");
        let directives = directives(needs).into_iter();
        let builder = directives.fold(builder, |builder, (name, value)| builder.arg(name, value));
        Self {
            nodes: builder.start().await,
            buckets: Buckets::new(BUCKETS).unwrap(),
            cut_off: AtomicU16::default(),
        }
    }

    fn slot(&self, bucket: Bucket) -> u16 {
        key_slot(format!("{{{}}}", self.buckets.tag(bucket)).as_bytes())
    }

    async fn owner(&self, bucket: Bucket) -> &ClusterNode {
        self.nodes.master_of_slot(self.slot(bucket)).await
    }

    fn node(&self, server: &RedisServer) -> &ClusterNode {
        let mut nodes = self.nodes.nodes().iter();
        let node = nodes.find(|node| node.port() == server.port());
        node.expect("it is one of the nodes")
    }

    /// A master's replica by what its log and the order of the nodes say: the master may be down.
    async fn replica(&self, master: &RedisServer) -> &ClusterNode {
        let replicas = self.nodes.replicas_of(self.node(master)).await;
        replicas.into_iter().next().expect("each master has one")
    }

    fn hosts(&self) -> String {
        let nodes = self.nodes.nodes().iter();
        let nodes = nodes.filter(|node| node.port() != self.cut_off.load(SeqCst));
        let hosts: Vec<_> = nodes
            .map(|node| format!("127.0.0.1:{}", node.public_port()))
            .collect();
        hosts.join(",")
    }

    /// Key by key, where it lies, with as much time in between as the choice says.
    async fn move_in_place(&self, slot: u16, to: &ClusterNode, pause: Duration) {
        let migration = self.nodes.open_migration(slot, to).await;
        while migration.move_keys(1).await > 0 {
            sleep(pause).await;
        }
        migration.close().await;
    }
}

impl Deployment for Cluster {
    fn url(&self) -> String {
        format!("redis-cluster://{}", self.hosts())
    }

    fn doors(&self) -> Vec<(u16, u16)> {
        let nodes = self.nodes.nodes().iter();
        nodes.map(|n| (n.public_port(), n.port())).collect()
    }

    /// Those that have buckets.
    fn masters(&self) -> BoxFuture<'_, Vec<&RedisServer>> {
        Box::pin(async {
            let mut masters: Vec<&RedisServer> = Vec::new();
            for bucket in self.buckets.iter() {
                let owner = self.owner(bucket).await;
                if masters.iter().all(|master| master.port() != owner.port()) {
                    masters.push(owner);
                }
            }
            masters
        })
    }

    fn master_of(&self, bucket: Bucket) -> BoxFuture<'_, &RedisServer> {
        Box::pin(async move { &**self.owner(bucket).await })
    }

    fn replicas_of<'a>(&'a self, master: &'a RedisServer) -> BoxFuture<'a, Vec<&'a RedisServer>> {
        Box::pin(async move { vec![&**self.replica(master).await] })
    }

    fn publish(&self) -> &'static str {
        "SPUBLISH"
    }

    /// `CLUSTER FAILOVER`: the master stops writes until its replica has heard all.
    fn fail_over<'a>(&'a self, old: &'a RedisServer, _: &'a [Arc<Network>]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let replica = self.replica(old).await;
            self.nodes.failover(replica, Failover::Planned).await;
        })
    }

    /// By an election, or without one.
    fn promote<'a>(&'a self, old: &'a RedisServer, mut random: Random) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let replica = self.replica(old).await;
            let how = random.pick(&["FORCE", "TAKEOVER"]);
            replica.command(&["CLUSTER", "FAILOVER", how]).await;
            leads(replica).await;
        })
    }

    fn replaced<'a>(&'a self, old: &'a RedisServer) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let others = self.nodes.nodes().iter();
            let others: Vec<_> = others.filter(|n| n.port() != old.port()).collect();
            let three = || async { self.masters_among(&others).await == 3 };
            assert!(eventually(LIMIT, three).await, "nobody took over");
        })
    }

    /// The others' answers to a master get lost, so that it hears late who has taken its place:
    /// the nodes' own bus can't be cut. Its replica hears nothing at all.
    fn cut_off<'a>(&'a self, master: &'a RedisServer) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.cut_off.store(master.port(), SeqCst);
            drop_packets(master, PONG).await;
            master.link().cut();
        })
    }

    fn rejoin<'a>(&'a self, master: &'a RedisServer) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            drop_packets(master, "-1").await;
            master.link().heal();
        })
    }

    fn move_bucket<'a>(&'a self, bucket: Bucket, random: &'a mut Random) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let (slot, owner) = (self.slot(bucket), self.owner(bucket).await);
            let masters = self.nodes.masters().await.into_iter();
            let others: Vec<_> = masters.filter(|m| m.id() != owner.id()).collect();
            let to = others[random.below(others.len())];
            let whole = random.once_in(2);
            let pause = random.milliseconds(0, 30);
            if whole && self.nodes.migrates_atomically().await {
                self.nodes.migrate_slots_atomically(slot..=slot, to).await;
            } else {
                self.move_in_place(slot, to, pause).await;
            }
        })
    }
}

impl Cluster {
    async fn masters_among(&self, nodes: &[&ClusterNode]) -> usize {
        let masters = self.nodes.masters().await;
        let among = |master: &&&ClusterNode| nodes.iter().any(|n| n.id() == master.id());
        masters.iter().filter(among).count()
    }
}

async fn drop_packets(node: &RedisServer, kind: &str) {
    let command = ["DEBUG", "DROP-CLUSTER-PACKET-FILTER", kind];
    node.command(&command).await;
}
