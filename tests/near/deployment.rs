//! The servers of a run. Another topology adds an implementation, and a constructor in `ALL`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use cloakroom_core::{BoxFuture, Bucket};
use cloakroom_testkit::redis::{FromRedisValue, from_redis_value};
use cloakroom_testkit::{RedisServer, RedisServerBuilder, eventually};

use super::network::{Kind, Network};
use super::world::LIMIT;

/// What a fault needs of the servers that it strikes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Needs {
    /// They keep what they have acknowledged, over a `kill -9`.
    pub(crate) persistence: bool,
    /// Another server can take over.
    pub(crate) standby: bool,
}

/// Servers, and the URL by which instances find them.
pub(crate) trait Deployment: fmt::Debug + Send + Sync {
    /// What instances are given.
    fn url(&self) -> String;

    /// What leads to all that is stored, now and without any link.
    fn truth(&self) -> String {
        self.url()
    }

    /// The servers that serve now.
    fn masters(&self) -> BoxFuture<'_, Vec<&RedisServer>>;

    /// The one that serves a bucket now.
    fn master_of(&self, bucket: Bucket) -> BoxFuture<'_, &RedisServer>;

    /// What publishes to a bucket's channel.
    fn publish(&self) -> &'static str {
        "PUBLISH"
    }

    /// Another server takes over, without loss; the old one goes on, alone, as the replica of
    /// nobody, and keeps its subscribers. Does nothing if that has happened.
    fn fail_over<'a>(&'a self, networks: &'a [Arc<Network>]) -> BoxFuture<'a, ()>;
}

/// Makes the servers of a run.
pub(crate) type Open = fn(Needs) -> BoxFuture<'static, Box<dyn Deployment>>;

/// One server, and perhaps a standby for its address to be moved to.
#[derive(Debug)]
pub(crate) struct Single {
    main: RedisServer,
    standby: Option<RedisServer>,
    moved: AtomicBool,
}

impl Single {
    pub(crate) fn open(needs: Needs) -> BoxFuture<'static, Box<dyn Deployment>> {
        Box::pin(async move {
            let main = server(needs).start().await;
            let standby = if needs.standby {
                Some(replica_of(&main).await)
            } else {
                None
            };
            let moved = AtomicBool::new(false);
            Box::new(Self {
                main,
                standby,
                moved,
            }) as Box<dyn Deployment>
        })
    }

    fn master(&self) -> &RedisServer {
        let moved = self.moved.load(SeqCst);
        let standby = self.standby.as_ref().filter(|_| moved);
        standby.unwrap_or(&self.main)
    }
}

fn server(needs: Needs) -> RedisServerBuilder {
    let builder = RedisServer::builder();
    if needs.persistence {
        let builder = builder.arg("--appendonly", "yes");
        return builder.arg("--appendfsync", "always");
    }
    builder
}

async fn replica_of(main: &RedisServer) -> RedisServer {
    let standby = RedisServer::builder()
        .arg("--replicaof", format!("127.0.0.1 {}", main.port()))
        .start()
        .await;
    let linked = || async {
        let info = ask::<String>(&standby, &["INFO", "replication"]).await;
        info.contains("master_link_status:up")
    };
    assert!(eventually(LIMIT, linked).await, "the standby has no link");
    standby
}

async fn ask<T: FromRedisValue>(server: &RedisServer, command: &[&str]) -> T {
    from_redis_value(server.command(command).await).unwrap()
}

async fn is_master(server: &RedisServer) -> bool {
    let info = ask::<String>(server, &["INFO", "replication"]).await;
    info.contains("role:master")
}

impl Deployment for Single {
    fn url(&self) -> String {
        self.main.url()
    }

    fn truth(&self) -> String {
        self.master().url()
    }

    fn masters(&self) -> BoxFuture<'_, Vec<&RedisServer>> {
        Box::pin(std::future::ready(vec![self.master()]))
    }

    fn master_of(&self, _: Bucket) -> BoxFuture<'_, &RedisServer> {
        Box::pin(std::future::ready(self.master()))
    }

    fn fail_over<'a>(&'a self, networks: &'a [Arc<Network>]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let standby = match &self.standby {
                Some(standby) if !self.moved.load(SeqCst) => standby,
                _ => return,
            };
            let port = standby.port().to_string();
            let to = ["FAILOVER", "TO", "127.0.0.1", &port];
            self.main.command(&to).await;
            let over = || is_master(standby);
            assert!(eventually(LIMIT, over).await, "nobody took over");
            isolate(&self.main).await;
            self.moved.store(true, SeqCst);
            for network in networks {
                network.redirect(self.main.port(), standby.port());
                for link in network.links(&[Kind::Data]) {
                    link.cut_now(usize::MAX);
                }
            }
        })
    }
}

/// Makes a server the replica of nobody: it keeps what it has, its connections too.
pub(crate) async fn isolate(server: &RedisServer) {
    server.command(&["REPLICAOF", "127.0.0.1", "1"]).await;
}

/// Makes an isolated server a master again.
pub(crate) async fn restore(server: &RedisServer) {
    server.command(&["REPLICAOF", "NO", "ONE"]).await;
}
