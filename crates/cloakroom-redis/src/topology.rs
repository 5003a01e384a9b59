//! Which server serves which bucket.

use crate::{Connection, Driver, DriverError, Endpoint, EventSink};
use cloakroom_core::Bucket;
use std::sync::Arc;
use tokio::sync::watch;

/// Which master serves which buckets, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) masters: Vec<Master>,
    pub(crate) sharded: bool,
}

/// One master and its buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Master {
    pub(crate) endpoint: Endpoint,
    pub(crate) buckets: Vec<Bucket>,
}

/// The servers of a deployment.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) layout: watch::Sender<Arc<Layout>>,
}

impl Servers {
    /// The layout now and every later one.
    pub(crate) fn layout(&self) -> watch::Receiver<Arc<Layout>> {
        self.layout.subscribe()
    }

    /// Somebody doubts the layout: look again soon.
    pub(crate) fn doubt(&self) {}

    /// Opens a further connection to a master of the layout, for subscriptions.
    pub(crate) async fn connect(
        &self,
        master: &Master,
        events: EventSink,
    ) -> Result<Box<dyn Connection>, DriverError> {
        self.driver.connect(&master.endpoint, events).await
    }
}
