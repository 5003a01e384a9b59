//! One server, and perhaps a standby for its address to be moved to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use cloakroom_core::{BoxFuture, Bucket};
use cloakroom_testkit::{RedisServer, RedisServerBuilder, eventually};

use super::{Deployment, Needs, directives, isolate, leads, says};
use crate::near::network::{Kind, Network};
use crate::near::random::Random;
use crate::near::world::LIMIT;

/// One server, and perhaps a standby.
#[derive(Debug)]
pub(super) struct Single {
    main: RedisServer,
    standby: Option<RedisServer>,
    moved: AtomicBool,
}

impl Single {
    pub(super) async fn open(needs: Needs) -> Self {
        let main = server(needs).start().await;
        let standby = if needs.standby {
            Some(replica_of(&main).await)
        } else {
            None
        };
        let moved = AtomicBool::new(false);
        Self {
            main,
            standby,
            moved,
        }
    }

    fn master(&self) -> &RedisServer {
        let moved = self.moved.load(SeqCst);
        let standby = self.standby.as_ref().filter(|_| moved);
        standby.unwrap_or(&self.main)
    }
}

fn server(needs: Needs) -> RedisServerBuilder {
    let builder = RedisServer::builder();
    let directives = directives(needs).into_iter();
    directives.fold(builder, |builder, (name, value)| builder.arg(name, value))
}

async fn replica_of(main: &RedisServer) -> RedisServer {
    let standby = RedisServer::builder()
        .arg("--replicaof", format!("127.0.0.1 {}", main.port()))
        .start()
        .await;
    let linked = || says(&standby, "master_link_status:up");
    assert!(eventually(LIMIT, linked).await, "the standby has no link");
    standby
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

    fn replicas_of<'a>(&'a self, _: &'a RedisServer) -> BoxFuture<'a, Vec<&'a RedisServer>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    /// Without loss; the old one goes on, alone, as the replica of nobody, and keeps its
    /// subscribers. Does nothing if that has happened.
    fn fail_over<'a>(
        &'a self,
        old: &'a RedisServer,
        networks: &'a [Arc<Network>],
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let standby = match &self.standby {
                Some(standby) if !self.moved.load(SeqCst) => standby,
                _ => return,
            };
            let port = standby.port().to_string();
            let to = ["FAILOVER", "TO", "127.0.0.1", &port];
            old.command(&to).await;
            leads(standby).await;
            isolate(old).await;
            self.moved.store(true, SeqCst);
            for network in networks {
                network.redirect(old.port(), standby.port());
                for link in network.links(&[Kind::Data]) {
                    link.cut_now(usize::MAX);
                }
            }
        })
    }

    fn promote<'a>(&'a self, _: &'a RedisServer, _: Random) -> BoxFuture<'a, ()> {
        unreachable!("one server has no replicas")
    }

    fn replaced<'a>(&'a self, _: &'a RedisServer) -> BoxFuture<'a, ()> {
        unreachable!("nobody replaces one server")
    }

    fn cut_off<'a>(&'a self, _: &'a RedisServer) -> BoxFuture<'a, ()> {
        unreachable!("there are no others")
    }

    fn rejoin<'a>(&'a self, _: &'a RedisServer) -> BoxFuture<'a, ()> {
        unreachable!("there are no others")
    }
}
