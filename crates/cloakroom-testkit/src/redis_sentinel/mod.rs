//! A real master with replicas and sentinels as children of the test.

mod builder;
mod settle;

use std::time::Duration;

use crate::RedisServer;
use crate::poll::{eventually, until_some};

pub use builder::RedisSentinelBuilder;
use settle::{Role, role};

/// How long the sentinels may take for a change.
const LIMIT: Duration = Duration::from_secs(30);

/// What the sentinels call the master.
const NAME: &str = "cloakroom";

/// A running master with replicas, and sentinels that watch them, on free ports of 127.0.0.1.
/// Dropping it kills them all.
///
/// By default two replicas and three sentinels, of which two have to agree that a master is down,
/// after one and a half seconds of silence. All are [`RedisServer`]s, which can be killed, paused and restarted;
/// the sentinels are the same program, started with `--sentinel`.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use cloakroom_testkit::RedisSentinel;
///
/// let group = RedisSentinel::start().await;
/// let old = group.master().await;
/// old.kill();
/// let new = group.successor_of(old).await;
/// assert_ne!(new.url(), old.url());
/// group.restart_as_replica(old).await;
/// group.wait_until_settled().await;
/// # }
/// ```
#[derive(Debug)]
pub struct RedisSentinel {
    servers: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
}

impl RedisSentinel {
    /// Starts with the defaults and waits until all have
    /// [settled](RedisSentinel::wait_until_settled).
    ///
    /// # Panics
    ///
    /// As [`RedisSentinelBuilder::start`] does.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Servers and sentinels to start otherwise.
    #[must_use]
    pub fn builder() -> RedisSentinelBuilder {
        RedisSentinelBuilder::new()
    }

    /// What the sentinels call the master.
    #[must_use]
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// Master and replicas, whatever their state: first the one that began as master.
    #[must_use]
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// The sentinels, whatever their state.
    #[must_use]
    pub fn sentinels(&self) -> &[RedisServer] {
        &self.sentinels
    }

    /// The URLs of the sentinels.
    #[must_use]
    pub fn sentinel_urls(&self) -> Vec<String> {
        self.sentinels.iter().map(RedisServer::url).collect()
    }

    /// The server that all sentinels that run name as the master now, whatever its state.
    ///
    /// # Panics
    ///
    /// If they don't agree within 30 seconds.
    pub async fn master(&self) -> &RedisServer {
        let port = until_some(LIMIT, || self.named_master()).await;
        self.expect(port.is_some(), "the sentinels named no master")
            .await;
        self.server_on(port.expect("it was named"))
    }

    /// The replicas of the current master that run and hear it, in the order of
    /// [`servers`](RedisSentinel::servers).
    pub async fn replicas(&self) -> Vec<&RedisServer> {
        let hearing = Role::ReplicaOf(self.master().await.public_port());
        let mut replicas = Vec::new();
        for server in &self.servers {
            if role(server).await.as_ref() == Some(&hearing) {
                replicas.push(server);
            }
        }
        replicas
    }

    /// Waits until all sentinels that run name another master than `old`, one that calls itself
    /// master, and answers it.
    ///
    /// # Panics
    ///
    /// If they don't within 30 seconds.
    pub async fn successor_of(&self, old: &RedisServer) -> &RedisServer {
        let successor = || async {
            let port = self.named_master().await?;
            let leads =
                port != old.public_port() && role(self.server_on(port)).await == Some(Role::Master);
            leads.then_some(port)
        };
        let port = until_some(LIMIT, successor).await;
        self.expect(port.is_some(), "the master was not replaced")
            .await;
        self.server_on(port.expect("there is one"))
    }

    /// Waits until all have [settled](RedisSentinel::wait_until_settled), makes the sentinels replace
    /// the master (`SENTINEL FAILOVER`), waits until they have, and answers the new one. The old master becomes its replica, in its own time.
    ///
    /// What was written to the old master in between can be lost: it is not asked to stop.
    ///
    /// # Panics
    ///
    /// If no sentinel runs, or there is no other master within 30 seconds.
    pub async fn failover(&self) -> &RedisServer {
        self.wait_until_settled().await;
        let old = self.master().await;
        let sentinel = self.running_sentinels().next();
        let sentinel = sentinel.expect("one sentinel at least runs");
        // Refused as long as an earlier failover ends, or while no replica is known to be good.
        let accepted = eventually(LIMIT, || async {
            let command = ["SENTINEL", "FAILOVER", NAME];
            sentinel.try_command(&command).await.is_ok()
        });
        self.expect(
            accepted.await,
            "the sentinel did not accept to replace the master",
        )
        .await;
        self.successor_of(old).await
    }

    /// Starts a server again and at once makes it a replica of the current master, as an operator
    /// does. A former master that is merely [restarted](RedisServer::restart) takes writes again
    /// until the sentinels notice.
    pub async fn restart_as_replica(&self, server: &RedisServer) {
        let master = self.master().await.public_port();
        server.restart().await;
        follow(server, master).await;
    }

    fn running_sentinels(&self) -> impl Iterator<Item = &RedisServer> {
        self.sentinels.iter().filter(|server| server.is_running())
    }

    fn server_on(&self, port: u16) -> &RedisServer {
        let mut servers = self.servers.iter();
        let server = servers.find(|server| server.public_port() == port);
        server.expect("sentinels know only these servers")
    }
}

/// Makes a server a replica of the one on that port.
async fn follow(server: &RedisServer, master: u16) {
    let master = master.to_string();
    server.command(&["REPLICAOF", "127.0.0.1", &master]).await;
}
