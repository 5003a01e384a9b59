//! What a monitored master is started with.

use std::ffi::OsString;
use std::time::Duration;

use super::{NAME, RedisSentinel};
use crate::RedisServer;
use crate::authority::Certificate;
use crate::redis_server::{Kind, Spec};

/// How long a failover may take until the sentinels try another one. They wait twice as long
/// between two tries.
const FAILOVER_TIMEOUT: Duration = Duration::from_secs(5);

/// By default, longer than the second that a sentinel waits before it connects again to a server
/// whose role changed: with less, sentinels call a new master down and quarrel.
const DOWN_AFTER: Duration = Duration::from_millis(1_500);

/// How often brisk sentinels look, in milliseconds. Not oftener: they choose only a replica that
/// told about itself within five periods of `PING`, and ask each once a second meanwhile. And not
/// how often they tell each other: they demote whoever is a master four such periods after they
/// were not told so, also the one that a failover has just made.
const BRISK: [&str; 6] = [
    "PING-PERIOD",
    "500",
    "ASK-PERIOD",
    "100",
    "INFO-PERIOD",
    "1000",
];

/// A master with replicas and sentinels to start. Made by [`RedisSentinel::builder`].
#[derive(Debug)]
pub struct RedisSentinelBuilder {
    spec: Spec,
    replicas: usize,
    sentinels: usize,
    down_after: Duration,
    brisk: bool,
}

impl RedisSentinelBuilder {
    pub(super) fn new() -> Self {
        Self {
            spec: Spec::new(Kind::Plain),
            replicas: 2,
            sentinels: 3,
            down_after: DOWN_AFTER,
            brisk: false,
        }
    }

    /// How many replicas the master has; two by default.
    #[must_use]
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// How many sentinels watch; three by default. More than half of them have to agree that a
    /// master is down.
    #[must_use]
    pub fn sentinels(mut self, sentinels: usize) -> Self {
        self.sentinels = sentinels;
        self
    }

    /// How long a master may be silent before a sentinel calls it down; one and a half seconds by
    /// default. With a second or less, sentinels that are not [brisk](Self::brisk) call a new
    /// master down at times before they have connected to it.
    #[must_use]
    pub fn down_after(mut self, down_after: Duration) -> Self {
        self.down_after = down_after;
        self
    }

    /// Makes the sentinels look oftener (`SENTINEL DEBUG`), so that a second of silence is enough
    /// without quarrels. A sentinel that is restarted is as slow as others.
    #[must_use]
    pub fn brisk(mut self) -> Self {
        self.brisk = true;
        self.down_after(Duration::from_secs(1))
    }

    /// Starts this program as server and as sentinel instead of the one that the environment names.
    #[must_use]
    pub fn program(mut self, program: impl Into<OsString>) -> Self {
        self.spec.program = program.into();
        self
    }

    /// Adds a configuration directive to the master and its replicas, as in
    /// `arg("--appendonly", "yes")`. It wins over the defaults.
    #[must_use]
    pub fn arg(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.spec.arg(name, value);
        self
    }

    /// Puts a [`Link`](crate::Link) in front of the master and each replica, by which all others
    /// know it: clients, replicas and sentinels. A link that is cut isolates the server from all of
    /// them.
    #[must_use]
    pub fn linked(mut self) -> Self {
        self.spec.linked = true;
        self
    }

    /// Has all servers and sentinels speak TLS with this certificate, to clients and to each other,
    /// as [`RedisServerBuilder::tls`](crate::RedisServerBuilder::tls) does.
    #[must_use]
    pub fn tls(mut self, certificate: Certificate) -> Self {
        self.spec.secure(certificate);
        self
    }

    /// Starts all processes and waits until they have
    /// [settled](RedisSentinel::wait_until_settled).
    ///
    /// # Panics
    ///
    /// With what the servers say, if they don't settle within 30 seconds; with the log of one that
    /// doesn't come up; with the command that installs a server, if there is none.
    pub async fn start(self) -> RedisSentinel {
        let mut servers = vec![RedisServer::launch(self.spec.clone()).await];
        let master = servers[0].public_port();
        for _ in 0..self.replicas {
            let replica = RedisServer::launch(self.spec.clone()).await;
            super::follow(&replica, master).await;
            servers.push(replica);
        }
        let mut sentinels = Vec::new();
        for _ in 0..self.sentinels {
            let sentinel = RedisServer::launch(self.sentinel(master)).await;
            if self.brisk {
                let debug = [&["SENTINEL", "DEBUG"], &BRISK[..]].concat();
                sentinel.command(&debug).await;
            }
            sentinels.push(sentinel);
        }
        let group = RedisSentinel { servers, sentinels };
        group.wait_until_settled().await;
        group
    }

    fn sentinel(&self, master: u16) -> Spec {
        let (down, timeout) = (self.down_after.as_millis(), FAILOVER_TIMEOUT.as_millis());
        let quorum = self.sentinels / 2 + 1;
        let mut spec = Spec::new(Kind::Sentinel);
        spec.program = self.spec.program.clone();
        spec.tls = self.spec.tls.clone();
        // The master has to be named first: the others are about it.
        for directive in [
            format!("monitor {NAME} 127.0.0.1 {master} {quorum}"),
            format!("down-after-milliseconds {NAME} {down}"),
            format!("failover-timeout {NAME} {timeout}"),
        ] {
            spec.arg("--sentinel", directive);
        }
        spec
    }
}
