//! Eight instances as processes, a ninth that revokes, and one revocation.

use std::time::{Duration, Instant};

use cloakroom::redis::{Driver, store_with};
use cloakroom::{Handle, Sessions};
use cloakroom_testkit::RedisServer;
use futures_util::future::join_all;

use super::asker::{Asker, Refusal, question};
use crate::fleet::support::{Browser, NodeSpec, Nodes};

/// How many processes there are.
const INSTANCES: usize = 8;

/// How many looks it may take until each instance has a copy of all: the last messages of a login may
/// come after the first look.
const LOOKS: usize = 100;

/// What is revoked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    /// One session, by its handle.
    OneSession,
    /// All sessions of a user, who has three.
    User,
}

/// What one revocation showed.
#[derive(Debug)]
pub(super) struct Sample {
    /// How long it took all instances to answer the same questions just before.
    pub(super) idle: Duration,
    pub(super) refusals: Vec<Refusal>,
}

/// The processes over one server.
#[derive(Debug)]
pub(super) struct Deployment {
    askers: Vec<Asker>,
    sessions: Sessions,
    nodes: Nodes,
}

impl Deployment {
    /// Starts all; `name` is what the program calls the driver.
    pub(super) async fn start(name: &'static str, driver: impl Driver) -> Self {
        let redis = RedisServer::start().await;
        let (mut nodes, mut askers) = (Vec::new(), Vec::new());
        for index in 0..INSTANCES {
            let mut spec = NodeSpec::new(["v1", "v2"][index % 2], &redis.url());
            spec.driver = Some(name);
            let node = spec.start().await;
            askers.push(Asker::connect(&node.url).await);
            nodes.push(node);
        }
        let store = store_with(driver, redis.url()).connect().await.unwrap();
        Self {
            askers,
            sessions: Sessions::builder(store).build().await.unwrap(),
            nodes: Nodes { nodes, redis },
        }
    }

    /// Logs a user in, has all instances read it, and revokes.
    pub(super) async fn revoke(&mut self, what: What, run: usize) -> Sample {
        let user = format!("{what:?} {run}");
        let mut questions = Vec::new();
        for device in 0..what.sessions() {
            let browser = Browser::new(self.nodes.url(run + device));
            browser.log_in(&user).await;
            questions.push(question(&browser.id().unwrap()));
        }
        let handle = self.sessions.list(&user).await.unwrap()[0].handle;
        let idle = self.warm(&questions).await;
        self.end(what, &user, &handle).await;
        let revoked = Instant::now();
        let askers = self.askers.iter_mut();
        let asked = askers.map(|asker| asker.ask_until_refused(&questions, revoked));
        Sample {
            idle,
            refusals: join_all(asked).await,
        }
    }

    /// Has all instances asked until they ask the server for nothing; how long that took them last.
    async fn warm(&mut self, questions: &[Vec<u8>]) -> Duration {
        let mut loads = self.loads().await;
        for _ in 0..LOOKS {
            let begun = Instant::now();
            join_all(self.askers.iter_mut().map(|a| a.ask_all(questions))).await;
            let idle = begun.elapsed();
            let before = std::mem::replace(&mut loads, self.loads().await);
            if loads == before {
                return idle;
            }
        }
        panic!("reads ask the server again and again")
    }

    /// How many loads the server has seen.
    async fn loads(&self) -> u64 {
        let stats = self.nodes.redis.command_stats().await;
        stats.get("hgetall").copied().unwrap_or(0)
    }

    async fn end(&self, what: What, user: &str, handle: &Handle) {
        match what {
            What::OneSession => assert!(self.sessions.revoke(user, handle).await.unwrap()),
            What::User => {
                let ended = self.sessions.revoke_user(user).await.unwrap();
                assert_eq!(usize::try_from(ended), Ok(what.sessions()));
            }
        }
    }
}

impl What {
    fn sessions(self) -> usize {
        match self {
            Self::OneSession => 1,
            Self::User => 3,
        }
    }
}
