//! A master with two replicas, and three Sentinels that watch it.

use std::sync::Arc;

use cloakroom_core::{BoxFuture, Bucket};
use cloakroom_testkit::{RedisSentinel, RedisServer, eventually};

use super::{Deployment, NEVER, Needs, directives};
use crate::near::network::Network;
use crate::near::random::Random;
use crate::near::world::LIMIT;

/// Servers that know each other through links, and Sentinels.
#[derive(Debug)]
pub(super) struct Sentinels(RedisSentinel);

impl Sentinels {
    pub(super) async fn open(needs: Needs) -> Self {
        let builder = RedisSentinel::builder().linked();
        let builder = match needs.automatic {
            true => builder.brisk(),
            false => builder.down_after(NEVER),
        };
        let directives = directives(needs).into_iter();
        let builder = directives.fold(builder, |builder, (name, value)| builder.arg(name, value));
        Self(builder.start().await)
    }
}

impl Deployment for Sentinels {
    fn url(&self) -> String {
        let host = |server: &RedisServer| format!("127.0.0.1:{}", server.port());
        let hosts: Vec<_> = self.0.sentinels().iter().map(host).collect();
        let (hosts, name) = (hosts.join(","), self.0.name());
        format!("redis-sentinel://{hosts}/?master={name}")
    }

    fn doors(&self) -> Vec<(u16, u16)> {
        let servers = self.0.servers().iter();
        servers.map(|s| (s.public_port(), s.port())).collect()
    }

    fn masters(&self) -> BoxFuture<'_, Vec<&RedisServer>> {
        Box::pin(async { vec![self.0.master().await] })
    }

    fn master_of(&self, _: Bucket) -> BoxFuture<'_, &RedisServer> {
        Box::pin(self.0.master())
    }

    fn replicas_of<'a>(&'a self, _: &'a RedisServer) -> BoxFuture<'a, Vec<&'a RedisServer>> {
        Box::pin(self.0.replicas())
    }

    /// `SENTINEL FAILOVER`: the old master is not asked to stop, and takes writes until its replicas
    /// have left it.
    fn fail_over<'a>(&'a self, old: &'a RedisServer, _: &'a [Arc<Network>]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.0.wait_until_settled().await;
            self.promote(old, Random::new(0)).await;
        })
    }

    fn promote<'a>(&'a self, old: &'a RedisServer, _: Random) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let sentinel = &self.0.sentinels()[0];
            let asked = eventually(LIMIT, || async {
                let command = ["SENTINEL", "FAILOVER", self.0.name()];
                sentinel.try_command(&command).await.is_ok()
            });
            assert!(asked.await, "no failover: {}", sentinel.log());
            self.0.successor_of(old).await;
        })
    }

    fn replaced<'a>(&'a self, old: &'a RedisServer) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.0.successor_of(old).await;
        })
    }

    fn cut_off<'a>(&'a self, master: &'a RedisServer) -> BoxFuture<'a, ()> {
        master.link().cut();
        Box::pin(std::future::ready(()))
    }

    fn rejoin<'a>(&'a self, master: &'a RedisServer) -> BoxFuture<'a, ()> {
        master.link().heal();
        Box::pin(std::future::ready(()))
    }
}
