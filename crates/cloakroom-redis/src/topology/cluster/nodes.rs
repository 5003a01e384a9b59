//! The nodes of a cluster that there is a connection to.

use crate::{
    Endpoint,
    node::{Node, Setup},
};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::runtime::Handle;

/// A node that serves no bucket is kept for so long after it was last named: a bucket that moves
/// to a new master is asked for there before the table knows of it.
const IDLE: Duration = Duration::from_secs(10);

/// One [`Node`] for each endpoint.
#[derive(Debug)]
pub(super) struct Nodes {
    setup: Setup,
    /// That of the store, whoever asks.
    runtime: Handle,
    open: HashMap<Endpoint, (Arc<Node>, Instant)>,
}

impl Nodes {
    pub(super) fn new(setup: Setup, runtime: Handle) -> Self {
        let open = HashMap::new();
        Self {
            setup,
            runtime,
            open,
        }
    }

    /// The node at this endpoint; begins to connect if there is none.
    pub(super) fn at(&mut self, endpoint: &Endpoint) -> Arc<Node> {
        if let Some((node, named)) = self.open.get_mut(endpoint) {
            *named = Instant::now();
            return Arc::clone(node);
        }
        let node = Node::begin(self.setup.clone(), endpoint.clone(), &self.runtime);
        let node = Arc::new(node);
        let named = (Arc::clone(&node), Instant::now());
        self.open.insert(endpoint.clone(), named);
        node
    }

    /// All that are connected.
    pub(super) fn connected(&self) -> Vec<(Endpoint, Arc<Node>)> {
        let open = self.open.iter();
        let up = open.filter(|(_, (node, _))| node.endpoint().is_some());
        up.map(|(endpoint, (node, _))| (endpoint.clone(), Arc::clone(node)))
            .collect()
    }

    /// Lets go of those that nobody has named for a while.
    pub(super) fn forget_idle(&mut self) {
        self.open.retain(|_, (_, named)| named.elapsed() < IDLE);
    }
}
