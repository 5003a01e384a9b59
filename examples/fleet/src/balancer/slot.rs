//! A place for an instance: what the balancer knows of it.

use crate::{
    instance::{Identity, Instance},
    version::Version,
};
use serde::{Deserialize, Serialize};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::{self, watch};

/// What an instance is doing, as far as the balancer has told it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Running,
    Paused,
    Stopping,
    Stopped,
}

/// What instances say of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum StoreHealth {
    Up,
    Down,
    /// No instance is there to say.
    Unknown,
}

/// What changes about an instance.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) state: State,
    pub(super) ready: bool,
    pub(super) port: u16,
    pub(super) store: StoreHealth,
}

impl Seat {
    /// Whether the instance may be asked at all.
    fn is_up(&self) -> bool {
        matches!(self.state, State::Running | State::Paused)
    }
}

/// A place for an instance. The instance may be stopped and another started in it.
#[derive(Debug)]
pub(crate) struct Slot {
    index: usize,
    pub(super) identity: Identity,
    seat: Mutex<Seat>,
    open: Arc<watch::Sender<usize>>,
    requests: AtomicU64,
    pub(super) instance: sync::Mutex<Option<Instance>>,
}

/// A slot as the page shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) index: usize,
    pub(crate) name: Arc<str>,
    pub(crate) version: Version,
    colour: &'static str,
    pub(crate) port: u16,
    state: State,
    ready: bool,
    requests: u64,
}

/// The right to send one request to an instance. While it lives the instance counts the request
/// as open.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) port: u16,
    open: Arc<watch::Sender<usize>>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.open.send_modify(|open| *open -= 1);
    }
}

impl Slot {
    /// An empty place.
    pub(super) fn new(index: usize, identity: Identity) -> Self {
        Self {
            index,
            identity,
            seat: Mutex::new(Seat {
                state: State::Stopped,
                ready: false,
                port: 0,
                store: StoreHealth::Unknown,
            }),
            open: Arc::new(watch::Sender::new(0)),
            requests: AtomicU64::new(0),
            instance: sync::Mutex::new(None),
        }
    }

    /// What is known of the instance now.
    pub(super) fn seat(&self) -> MutexGuard<'_, Seat> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    pub(super) fn version(&self) -> Version {
        self.identity.version
    }

    pub(super) fn name(&self) -> Arc<str> {
        self.identity.name.clone()
    }

    /// Whether requests should come here.
    pub(super) fn is_available(&self) -> bool {
        let seat = self.seat();
        seat.is_up() && seat.ready
    }

    /// Admits a request, unless the instance went away since it was chosen.
    pub(super) fn admit(&self) -> Option<Ticket> {
        let seat = self.seat();
        if !(seat.is_up() && seat.ready) {
            return None;
        }
        self.open.send_modify(|open| *open += 1);
        Some(Ticket {
            port: seat.port,
            open: self.open.clone(),
        })
    }

    /// Takes the instance out of rotation for good.
    pub(super) fn leave(&self) {
        let mut seat = self.seat();
        (seat.state, seat.ready) = (State::Stopping, false);
    }

    /// Waits until no request is open here.
    pub(super) async fn idle(&self) {
        // The sender is this slot's own: it can't be gone.
        let _ = self.open.subscribe().wait_for(|open| *open == 0).await;
    }

    /// Counts a request that this instance answered.
    pub(super) fn answered(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// The port to ask for its health; `None` while it is stopped.
    pub(super) fn port_to_check(&self) -> Option<u16> {
        let seat = self.seat();
        seat.is_up().then_some(seat.port)
    }

    /// Notes what a health check found.
    pub(super) fn judge(&self, ready: bool, store: Option<StoreHealth>) {
        let mut seat = self.seat();
        if !seat.is_up() {
            return;
        }
        if seat.ready != ready {
            tracing::info!(instance = %self.identity.name, ready, "rotation changed");
        }
        seat.ready = ready;
        seat.store = store.unwrap_or(seat.store);
    }

    /// What a healthy instance said last of the store.
    pub(super) fn store_health(&self) -> Option<StoreHealth> {
        let seat = self.seat();
        (seat.is_up() && seat.ready).then_some(seat.store)
    }

    /// As the page shows it.
    pub(crate) fn row(&self) -> Row {
        let seat = self.seat();
        Row {
            index: self.index,
            name: self.identity.name.clone(),
            version: self.identity.version,
            colour: self.identity.version.colour(),
            port: seat.port,
            state: seat.state,
            ready: seat.ready,
            requests: self.requests.load(Ordering::Relaxed),
        }
    }
}
