//! Connecting, and connecting again.

use super::{Live, Met, Setup, Shared, State, handshake};
use crate::{DriverError, Endpoint, connecting::too_late};
use cloakroom_core::BoxFuture;
use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::time::timeout;

/// The pause before the first new attempt to connect; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// Long enough to leave a struggling server alone, short enough to be back within a second.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Where a node's server is. `Display` is what logs and errors call it.
pub(crate) trait Locate: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// Where it may be now, the likeliest first. Asked at each attempt to connect, within its
    /// limit.
    fn locate(&self) -> BoxFuture<'_, Result<Vec<Endpoint>, DriverError>>;
}

impl Locate for Endpoint {
    fn locate(&self) -> BoxFuture<'_, Result<Vec<Endpoint>, DriverError>> {
        Box::pin(std::future::ready(Ok(vec![self.clone()])))
    }
}

/// Reconnects whenever the connection is lost, until the node is dropped.
pub(super) async fn keep_connected(shared: Weak<Shared>) {
    loop {
        let Some(closed) = shared.upgrade().map(|shared| shared.closed()) else {
            return;
        };
        if let Some(closed) = closed {
            closed.notified().await;
        }
        if !reconnect(&shared).await {
            return;
        }
    }
}

/// Tries until it is connected again; `false` when the node is gone.
async fn reconnect(shared: &Weak<Shared>) -> bool {
    let mut pause = FIRST_PAUSE;
    if let Some(shared) = shared.upgrade() {
        shared.lost();
    }
    loop {
        let Some(shared) = shared.upgrade() else {
            return false;
        };
        match establish(&shared.setup, &*shared.place).await {
            Ok(live) => {
                shared.connected(live);
                return true;
            }
            Err(error) => shared.failed(error),
        }
        drop(shared);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Finds the server, connects and shakes hands, within the limit.
pub(super) async fn establish(setup: &Setup, place: &dyn Locate) -> Result<Arc<Live>, DriverError> {
    let limit = setup.timeouts.connect;
    let mut tls = false;
    let attempt = async {
        let mut failure = None;
        for endpoint in place.locate().await? {
            tls = endpoint.tls;
            match handshake::greet(setup, &endpoint).await {
                Ok(live) => return Ok(Arc::new(live)),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or_else(|| DriverError::lost("no server is known")))
    };
    let established = timeout(limit, attempt).await;
    established.unwrap_or_else(|_| Err(too_late(limit, tls)))
}

impl Shared {
    fn closed(&self) -> Option<Arc<tokio::sync::Notify>> {
        match &*self.state.borrow() {
            State::Up(live) => Some(Arc::clone(&live.closed)),
            State::Lost | State::Down(_) => None,
        }
    }

    fn lost(&self) {
        if self.met().run.is_none() {
            // It never was connected.
            return;
        }
        tracing::debug!(endpoint = %self.place, "store connection lost");
        self.state.send_replace(State::Lost);
        self.setup.observer.down();
    }

    fn failed(&self, error: DriverError) {
        if matches!(&*self.state.borrow(), State::Lost) {
            tracing::warn!(endpoint = %self.place, %error, "store is unreachable");
        }
        self.state.send_replace(State::Down(Arc::new(error)));
        self.setup.observer.down();
    }

    /// Also the first connection.
    pub(super) fn connected(&self, live: Arc<Live>) {
        if matches!(&*self.state.borrow(), State::Down(_)) {
            tracing::info!(endpoint = %self.place, "store is reachable again");
        }
        let another = self.met().meet(&live.server.run);
        if another {
            live.server.warn();
        }
        *self.refused() = None;
        let endpoint = live.endpoint.clone();
        self.state.send_replace(State::Up(live));
        self.setup.observer.up(&endpoint, another);
    }
}

impl Met {
    /// Notes a run; says whether it is another one than before.
    fn meet(&mut self, run: &str) -> bool {
        let another = self.run.as_deref() != Some(run);
        if another {
            self.run = Some(run.to_owned());
            self.times += 1;
        }
        another
    }
}
