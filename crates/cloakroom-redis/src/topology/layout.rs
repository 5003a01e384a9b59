//! Which master serves which buckets, told to whoever wants to know.

use crate::{Endpoint, node::Observer};
use cloakroom_core::{Bucket, Buckets};
use std::sync::Arc;
use tokio::sync::{Notify, watch};

/// Which master serves which buckets, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The masters that serve buckets.
    pub(crate) masters: Vec<Master>,
    /// Whether messages go by sharded channels.
    pub(crate) sharded: bool,
}

/// A master and the buckets that it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Master {
    pub(crate) endpoint: Endpoint,
    pub(crate) buckets: Vec<Bucket>,
}

/// Where the layout is posted, doubts of it are left, and the servers met are counted.
#[derive(Debug)]
pub(crate) struct Board {
    layout: watch::Sender<Arc<Layout>>,
    generation: watch::Sender<u64>,
    doubts: Notify,
}

impl Board {
    pub(super) fn new(sharded: bool) -> Self {
        let masters = Vec::new();
        Self {
            layout: watch::Sender::new(Arc::new(Layout { masters, sharded })),
            generation: watch::Sender::new(0),
            doubts: Notify::new(),
        }
    }

    pub(super) fn layout(&self) -> watch::Receiver<Arc<Layout>> {
        self.layout.subscribe()
    }

    pub(super) fn generation(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Posts a layout; whoever watches hears of it only if it differs.
    pub(super) fn post(&self, masters: Vec<Master>) {
        self.layout.send_if_modified(|layout| {
            let differs = layout.masters != masters;
            if differs {
                let sharded = layout.sharded;
                *layout = Arc::new(Layout { masters, sharded });
            }
            differs
        });
    }

    /// Another server than before serves some bucket.
    pub(super) fn another_server(&self) {
        self.generation.send_modify(|count| *count += 1);
    }

    pub(super) fn doubt(&self) {
        self.doubts.notify_one();
    }

    /// Waits until somebody doubts the layout; a doubt that came before counts.
    pub(super) async fn doubted(&self) {
        self.doubts.notified().await;
    }
}

/// Posts where the one node is connected that serves all buckets.
pub(super) fn all_on_one(board: &Arc<Board>, buckets: &Buckets) -> Arc<dyn Observer> {
    let (board, buckets) = (Arc::clone(board), buckets.iter().collect());
    Arc::new(AllOnOne { board, buckets })
}

/// Hears of the nodes of a cluster; its table says which buckets they serve.
pub(super) fn spread(board: &Arc<Board>) -> Arc<dyn Observer> {
    Arc::new(Spread(Arc::clone(board)))
}

#[derive(Debug)]
struct AllOnOne {
    board: Arc<Board>,
    buckets: Vec<Bucket>,
}

impl Observer for AllOnOne {
    fn up(&self, endpoint: &Endpoint, another: bool) {
        self.board.post(vec![Master {
            endpoint: endpoint.clone(),
            buckets: self.buckets.clone(),
        }]);
        if another {
            self.board.another_server();
        }
    }

    fn down(&self) {
        self.board.doubt();
    }
}

#[derive(Debug)]
struct Spread(Arc<Board>);

impl Observer for Spread {
    fn up(&self, _: &Endpoint, another: bool) {
        if another {
            self.0.another_server();
        }
    }

    fn down(&self) {
        self.0.doubt();
    }
}
