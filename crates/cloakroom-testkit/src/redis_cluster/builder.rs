//! What a cluster is started with.

use std::ffi::OsString;
use std::time::Duration;

use super::RedisCluster;
use crate::authority::Certificate;
use crate::redis_server::{Kind, Spec};

/// A cluster to start. Made by [`RedisCluster::builder`].
#[derive(Debug)]
pub struct RedisClusterBuilder {
    spec: Spec,
    masters: u16,
    replicas: u16,
    node_timeout: Duration,
}

impl RedisClusterBuilder {
    pub(super) fn new() -> Self {
        Self {
            spec: Spec::new(Kind::Node),
            masters: 3,
            replicas: 1,
            node_timeout: Duration::from_secs(2),
        }
    }

    /// How many masters share the slots; three by default, since fewer can't replace one that
    /// fails.
    #[must_use]
    pub fn masters(mut self, masters: u16) -> Self {
        self.masters = masters;
        self
    }

    /// How many replicas each master has; one by default.
    #[must_use]
    pub fn replicas(mut self, replicas: u16) -> Self {
        self.replicas = replicas;
        self
    }

    /// How long a node may be silent before the others call it failed; two seconds by default.
    #[must_use]
    pub fn node_timeout(mut self, node_timeout: Duration) -> Self {
        self.node_timeout = node_timeout;
        self
    }

    /// Starts this program on every node instead of the one that the environment names.
    #[must_use]
    pub fn program(mut self, program: impl Into<OsString>) -> Self {
        self.spec.program = program.into();
        self
    }

    /// Adds a configuration directive to every node, as in `arg("--appendonly", "yes")`. It wins
    /// over the defaults.
    #[must_use]
    pub fn arg(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.spec.arg(name, value);
        self
    }

    /// Puts a [`Link`](crate::Link) in front of every node, which the node names to clients as its
    /// own port. Replicas hear their master through its link too; the cluster's bus does not pass
    /// through links.
    #[must_use]
    pub fn linked(mut self) -> Self {
        self.spec.linked = true;
        self
    }

    /// Has every node speak TLS with this certificate, to clients and to each other, as
    /// [`RedisServerBuilder::tls`](crate::RedisServerBuilder::tls) does.
    #[must_use]
    pub fn tls(mut self, certificate: Certificate) -> Self {
        self.spec.secure(certificate);
        self
    }

    /// Starts all nodes, joins them and waits until they have
    /// [settled](RedisCluster::wait_until_settled).
    ///
    /// # Panics
    ///
    /// With what the nodes say, if they don't settle within 30 seconds; with the log of a node
    /// that doesn't come up; with the command that installs a server, if there is none.
    pub async fn start(mut self) -> RedisCluster {
        assert!(self.masters > 0, "a cluster has at least one master");
        let timeout = self.node_timeout.as_millis().to_string();
        let defaults = [
            ["--cluster-enabled", "yes"],
            ["--cluster-node-timeout", &timeout],
            // Replicas stay where the test put them.
            ["--cluster-allow-replica-migration", "no"],
        ];
        let own = std::mem::take(&mut self.spec.args);
        let defaults = defaults.iter().flatten().map(|word| (*word).to_owned());
        self.spec.args = defaults.chain(own).collect();
        RedisCluster::create(&self.spec, self.masters, self.replicas).await
    }
}
