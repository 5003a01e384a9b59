//! Several nodes over one Redis.

use std::time::Duration;

use cloakroom_testkit::{RedisServer, eventually};

use super::{Browser, Node, NodeSpec};

/// How stale a near copy may be: the demo keeps the default.
pub(crate) const MAX_STALENESS: Duration = Duration::from_secs(1);

/// Several nodes over one Redis.
#[derive(Debug)]
pub(crate) struct Nodes {
    // Dropped in this order: nodes before their store.
    pub(crate) nodes: Vec<Node>,
    pub(crate) redis: RedisServer,
}

impl Nodes {
    /// One node per version that is named.
    pub(crate) async fn start(versions: &[&'static str]) -> Self {
        let redis = RedisServer::start().await;
        let mut nodes = Vec::new();
        for version in versions {
            nodes.push(NodeSpec::new(version, &redis.url()).start().await);
        }
        Self { nodes, redis }
    }

    /// Three nodes of both versions.
    pub(crate) async fn three() -> Self {
        Self::start(&["v1", "v2", "v1"]).await
    }

    /// The address of one, counted round.
    pub(crate) fn url(&self, index: usize) -> &str {
        &self.nodes[index % self.nodes.len()].url
    }

    /// Checks that this browser is nobody, wherever it asks, as soon as near copies must have gone.
    pub(crate) async fn all_say_nobody(&self, browser: &Browser) {
        for node in &self.nodes {
            let browser = browser.at(&node.url);
            let nobody = || async { browser.user().await.is_none() };
            assert!(eventually(MAX_STALENESS, nobody).await, "{}", node.url);
        }
    }

    /// Checks that this browser is `user`, wherever it asks.
    pub(crate) async fn all_say(&self, browser: &Browser, user: &str) {
        for node in &self.nodes {
            let found = browser.at(&node.url).user().await;
            assert_eq!(found.as_deref(), Some(user), "{}", node.url);
        }
    }
}
