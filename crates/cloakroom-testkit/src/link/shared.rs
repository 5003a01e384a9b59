//! What a link's owner and its thread both know.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::connection::Handle;
use super::settings::Settings;

/// How long the link's thread may take to do what it was told.
const LIMIT: Duration = Duration::from_secs(5);

/// The settings, which the owner changes and the thread follows, and the state, which the thread
/// changes and the owner waits for.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) port: u16,
    pub(super) target: u16,
    pub(super) settings: watch::Sender<Settings>,
    state: Mutex<State>,
    changed: Condvar,
}

/// What a link is doing.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) listening: bool,
    /// How many connections there ever were; also the number of the next one.
    pub(super) accepted: u64,
    /// The connections that are there, by number.
    pub(super) live: BTreeMap<u64, Handle>,
}

impl Shared {
    pub(super) fn new(port: u16, target: u16) -> Arc<Self> {
        Arc::new(Self {
            port,
            target,
            settings: watch::Sender::new(Settings::healthy()),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    pub(super) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().unwrap())
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
        changed
    }

    /// Blocks until the thread has done what the owner told it; milliseconds.
    pub(super) fn wait_until(&self, what: &str, done: impl Fn(&State) -> bool) {
        let state = self.state.lock().unwrap();
        let waited = self
            .changed
            .wait_timeout_while(state, LIMIT, |state| !done(state));
        let (state, timeout) = waited.unwrap();
        assert!(
            !timeout.timed_out(),
            "the link on port {} did not {what} within {LIMIT:?}: {state:?}",
            self.port
        );
    }

    /// Enters a new connection.
    pub(super) fn enter(self: &Arc<Self>) -> (Entry, Handle) {
        let handle = Handle::default();
        let number = self.change(|state| {
            let number = state.accepted;
            state.accepted += 1;
            state.live.insert(number, handle.clone());
            number
        });
        let shared = Arc::clone(self);
        (Entry { shared, number }, handle)
    }
}

impl State {
    pub(super) fn held(&self) -> usize {
        let held = |handle: &Handle| handle.held.load(Ordering::SeqCst);
        self.live.values().map(held).sum()
    }
}

/// A connection's place among those that are there. Dropping it leaves.
#[derive(Debug)]
pub(super) struct Entry {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.shared.change(|state| state.live.remove(&self.number));
    }
}
