//! One server for all buckets: always the same, or whichever the Sentinels name.

use super::{place::Watched, sentinel::Sentinels};
use crate::{
    Endpoint,
    node::{Node, Setup},
};
use cloakroom_core::Result;
use std::sync::Arc;
use tokio::task::AbortHandle;

/// One server for all buckets.
#[derive(Debug)]
pub(super) struct One {
    node: Arc<Node>,
    watcher: Option<AbortHandle>,
}

impl One {
    /// A server that stays where it is.
    pub(super) async fn single(setup: Setup, endpoint: Endpoint) -> Result<Self> {
        let node = Arc::new(Node::connect(setup, endpoint).await?);
        let watcher = None;
        Ok(Self { node, watcher })
    }

    /// The master that Sentinels name.
    pub(super) async fn watched(setup: Setup, watched: Watched) -> Result<Self> {
        let driver = Arc::clone(&setup.driver);
        let sentinels = Sentinels::new(driver, watched, setup.timeouts.connect);
        let node = Arc::new(Node::connect(setup, sentinels.clone()).await?);
        let watcher = tokio::spawn(sentinels.watch(Arc::clone(&node))).abort_handle();
        Ok(Self {
            node,
            watcher: Some(watcher),
        })
    }

    pub(super) fn node(&self) -> &Arc<Node> {
        &self.node
    }
}

impl Drop for One {
    fn drop(&mut self) {
        if let Some(watcher) = &self.watcher {
            watcher.abort();
        }
    }
}
