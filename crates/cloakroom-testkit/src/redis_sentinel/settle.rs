//! Waiting until servers and sentinels agree.

use std::collections::BTreeMap;

use redis::Value;

use super::{LIMIT, NAME, RedisSentinel};
use crate::RedisServer;
use crate::poll::eventually;

impl RedisSentinel {
    /// Waits until all that run, those that are down or paused left out, agree:
    ///
    /// - every sentinel names the same master, finds it and its replicas well, and knows all other
    ///   sentinels and servers;
    /// - that master calls itself one;
    /// - every other server is its replica, and has heard all from it.
    ///
    /// A former master that comes back by itself is one again for some ten seconds, until the
    /// sentinels make it a replica; [`restart_as_replica`](RedisSentinel::restart_as_replica) is
    /// quicker.
    ///
    /// # Panics
    ///
    /// With what each says, if they don't within 30 seconds.
    pub async fn wait_until_settled(&self) {
        let settled = eventually(LIMIT, || self.is_settled()).await;
        self.expect(settled, "the servers and sentinels did not settle")
            .await;
    }

    async fn is_settled(&self) -> bool {
        let Some(master) = self.named_master().await else {
            return false;
        };
        for sentinel in self.running_sentinels() {
            if !self.is_content(sentinel).await {
                return false;
            }
        }
        for server in self.servers.iter().filter(|server| server.is_running()) {
            let expected = if server.public_port() == master {
                Role::Master
            } else {
                Role::ReplicaOf(master)
            };
            if role(server).await != Some(expected) {
                return false;
            }
        }
        true
    }

    /// The master's port, if all sentinels that run name the same.
    pub(super) async fn named_master(&self) -> Option<u16> {
        let mut named = None;
        for sentinel in self.running_sentinels() {
            let port = master_of(sentinel).await?;
            if *named.get_or_insert(port) != port {
                return None;
            }
        }
        named
    }

    /// Whether a sentinel finds the master and each replica well, and knows all others.
    async fn is_content(&self, sentinel: &RedisServer) -> bool {
        let command = ["SENTINEL", "MASTER", NAME];
        let master: Option<Fields> = sentinel.ask("sentinel|master", &command).await;
        let command = ["SENTINEL", "REPLICAS", NAME];
        let replicas: Option<Vec<Fields>> = sentinel.ask("sentinel|replicas", &command).await;
        let (Some(master), Some(replicas)) = (master, replicas) else {
            return false;
        };
        let others = self.sentinels.len() - 1;
        has(&master, "flags", "master")
            && has(&master, "num-other-sentinels", &others.to_string())
            && replicas.len() == self.servers.len() - 1
            && replicas.iter().all(|replica| self.is_replica_well(replica))
    }

    /// Whether a sentinel has heard from a replica, if it runs, that it is one. As long as it has
    /// not, it may take it for a former master and demote it, even in the midst of a promotion.
    fn is_replica_well(&self, replica: &Fields) -> bool {
        let port = replica.get("port").and_then(|port| port.parse().ok());
        let running = port.is_some_and(|port| self.server_on(port).is_running());
        let well = [
            ("flags", "slave"),
            ("role-reported", "slave"),
            ("master-link-status", "ok"),
        ];
        !running || well.iter().all(|(name, value)| has(replica, name, value))
    }

    /// Fails with what everyone says, unless `done`.
    pub(super) async fn expect(&self, done: bool, failure: &str) {
        if done {
            return;
        }
        let mut said = String::new();
        for server in &self.servers {
            said += &format!("{}: {:?}\n", server.public_port(), role(server).await);
        }
        for sentinel in &self.sentinels {
            let master = master_of(sentinel).await;
            let log = sentinel.log();
            said += &format!("sentinel {}: {master:?}\n{log}", sentinel.port());
        }
        panic!("{failure} within {LIMIT:?}:\n{said}");
    }
}

/// What a sentinel tells of a server.
type Fields = BTreeMap<String, String>;

fn has(fields: &Fields, name: &str, value: &str) -> bool {
    fields.get(name).is_some_and(|own| own == value)
}

/// Whom a sentinel names as the master.
async fn master_of(sentinel: &RedisServer) -> Option<u16> {
    if !sentinel.is_running() {
        return None;
    }
    let command = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME];
    let name = "sentinel|get-master-addr-by-name";
    let (_, port): (String, u16) = sentinel.ask(name, &command).await?;
    Some(port)
}

/// What a server calls itself.
#[derive(Debug, PartialEq)]
pub(super) enum Role {
    Master,
    /// And has heard all from it.
    ReplicaOf(u16),
    /// A replica on its way.
    Other,
}

pub(super) async fn role(server: &RedisServer) -> Option<Role> {
    if !server.is_running() {
        return None;
    }
    let Value::Array(role) = server.ask("role", &["ROLE"]).await? else {
        return None;
    };
    let text = |value: &Value| redis::from_redis_value_ref::<String>(value).ok();
    let words: Vec<Option<String>> = role.iter().map(text).collect();
    let words: Vec<&str> = words.iter().map(|w| w.as_deref().unwrap_or("")).collect();
    Some(match words[..] {
        ["master", ..] => Role::Master,
        ["slave", _, port, "connected", ..] => Role::ReplicaOf(port.parse().ok()?),
        _ => Role::Other,
    })
}
