//! The servers of a run: one, a master that Sentinels watch, or a cluster.

mod cluster;
mod sentinel;
mod single;

use std::fmt;
use std::sync::Arc;

use cloakroom_core::{BoxFuture, Bucket};
use cloakroom_testkit::redis::{FromRedisValue, from_redis_value};
use cloakroom_testkit::{RedisServer, eventually};

use super::network::Network;
use super::random::Random;
use super::world::LIMIT;

use cluster::Cluster;
use sentinel::Sentinels;
use single::Single;

/// Longer than any run: nobody is replaced unless the fault says so.
const NEVER: std::time::Duration = std::time::Duration::from_secs(120);

/// What a fault needs of the servers that it strikes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// They keep what they have acknowledged, over a `kill -9`.
    pub(crate) persistence: bool,
    /// Another server can take over, where there is but one.
    pub(crate) standby: bool,
    /// The servers replace a master by themselves, after a second of silence.
    pub(crate) automatic: bool,
    /// A master without replicas takes no writes (`min-replicas-to-write 1`), as the manual asks
    /// for where a master may be cut off and live on.
    pub(crate) guarded: bool,
}

/// How servers belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topology {
    /// One server.
    Single,
    /// A master, two replicas, three Sentinels.
    Sentinel,
    /// Three masters with a replica each.
    Cluster,
}

impl Topology {
    pub(crate) const ALL: [Self; 3] = [Self::Single, Self::Sentinel, Self::Cluster];

    /// Makes the servers of a run.
    pub(crate) async fn open(self, needs: Needs) -> Box<dyn Deployment> {
        match self {
            Self::Single => Box::new(Single::open(needs).await),
            Self::Sentinel => Box::new(Sentinels::open(needs).await),
            Self::Cluster => Box::new(Cluster::open(needs).await),
        }
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Single => "single",
            Self::Sentinel => "Sentinel",
            Self::Cluster => "Cluster",
        })
    }
}

/// Servers, and the URL by which instances find them.
pub(crate) trait Deployment: fmt::Debug + Send + Sync {
    /// What instances are given.
    fn url(&self) -> String;

    /// What leads to all that is stored, now.
    fn truth(&self) -> String {
        self.url()
    }

    /// By which port each server is known, and where an instance's own links lead instead: the link
    /// by which servers know each other is not on an instance's way.
    fn doors(&self) -> Vec<(u16, u16)> {
        Vec::new()
    }

    /// The servers that serve now.
    fn masters(&self) -> BoxFuture<'_, Vec<&RedisServer>>;

    /// The one that serves a bucket now.
    fn master_of(&self, bucket: Bucket) -> BoxFuture<'_, &RedisServer>;

    /// The replicas that hear a master.
    fn replicas_of<'a>(&'a self, master: &'a RedisServer) -> BoxFuture<'a, Vec<&'a RedisServer>>;

    /// What publishes to a bucket's channel.
    fn publish(&self) -> &'static str {
        "PUBLISH"
    }

    /// Another server takes over from one that is well; answers which.
    fn fail_over<'a>(
        &'a self,
        old: &'a RedisServer,
        networks: &'a [Arc<Network>],
    ) -> BoxFuture<'a, ()>;

    /// Makes a replica take the place of a master that can't be asked, however it is done there.
    fn promote<'a>(&'a self, old: &'a RedisServer, random: Random) -> BoxFuture<'a, ()>;

    /// Waits until the servers have replaced a master by themselves.
    fn replaced<'a>(&'a self, old: &'a RedisServer) -> BoxFuture<'a, ()>;

    /// A master and the other servers hear nothing of each other; its clients notice nothing.
    fn cut_off<'a>(&'a self, master: &'a RedisServer) -> BoxFuture<'a, ()>;

    /// They hear each other again.
    fn rejoin<'a>(&'a self, master: &'a RedisServer) -> BoxFuture<'a, ()>;

    /// Moves a bucket to another master; says whether that can be.
    fn move_bucket<'a>(&'a self, _: Bucket, _: &'a mut Random) -> BoxFuture<'a, ()> {
        unreachable!("nothing moves on one server")
    }
}

pub(crate) async fn ask<T: FromRedisValue>(server: &RedisServer, command: &[&str]) -> T {
    from_redis_value(server.command(command).await).unwrap()
}

/// Whether a server that may be down says this of its replication.
pub(crate) async fn says(server: &RedisServer, line: &str) -> bool {
    let info = server.try_command(&["INFO", "replication"]).await;
    let info = info
        .ok()
        .and_then(|info| from_redis_value::<String>(info).ok());
    info.is_some_and(|info| info.lines().any(|own| own == line))
}

/// Makes a server the replica of nobody: it keeps what it has, its connections too.
pub(crate) async fn isolate(server: &RedisServer) {
    server.command(&["REPLICAOF", "127.0.0.1", "1"]).await;
}

/// Makes an isolated server a master again.
pub(crate) async fn restore(server: &RedisServer) {
    server.command(&["REPLICAOF", "NO", "ONE"]).await;
}

/// Directives that make a server what a fault needs.
fn directives(needs: Needs) -> Vec<(&'static str, &'static str)> {
    let mut directives = Vec::new();
    if needs.persistence {
        directives.extend([("--appendonly", "yes"), ("--appendfsync", "always")]);
    }
    if needs.guarded {
        directives.push(("--min-replicas-to-write", "1"));
        // A replica reports once a second; one that is only slow is not gone.
        directives.push(("--min-replicas-max-lag", "5"));
    }
    directives
}

/// Waits for a server to become a master.
async fn leads(server: &RedisServer) {
    let leads = || says(server, "role:master");
    assert!(eventually(LIMIT, leads).await, "nobody took over");
}
