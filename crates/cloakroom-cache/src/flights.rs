//! Loads under way, which belong to none of those who wait for them.

use crate::{Error, ErrorKind, copy::Arrival};
use cloakroom_core::{Address, Bucket, Listener};
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tokio::sync::{Notify, watch};

/// All of a cache's flights, by entry.
pub(crate) struct Flights<V>(Mutex<HashMap<Address, Vec<Arc<Flight<V>>>>>);

/// One fetch from the store, with the load that may follow.
pub(crate) struct Flight<V> {
    progress: watch::Sender<Progress<V>>,
    /// Something was announced of the entry.
    pub(crate) news: Notify,
    /// Whether newcomers may wait for it.
    open: AtomicBool,
}

/// How far a flight has come.
pub(crate) enum Progress<V> {
    /// The store is being asked.
    Asked,
    /// The value is being loaded. What may be served meanwhile is among the copies.
    Loading {
        /// By this process.
        here: bool,
    },
    /// It is over.
    Landed(Result<Arrival<V>, Error>),
}

/// What a caller waits with. Dropped, it leaves the flight alone.
pub(crate) type Ticket<V> = watch::Receiver<Progress<V>>;

impl<V> Flights<V> {
    /// Begins a flight unless there is one to join.
    pub(crate) fn join_or_begin(&self, at: Address) -> (Ticket<V>, Option<Arc<Flight<V>>>) {
        let mut all = self.all();
        let of_entry = all.entry(at).or_default();
        if let Some(open) = of_entry.iter().find(|flight| flight.open.load(Relaxed)) {
            return (open.progress.subscribe(), None);
        }
        let (flight, ticket) = Flight::new();
        of_entry.push(Arc::clone(&flight));
        (ticket, Some(flight))
    }

    /// Begins a flight whatever others there are; newcomers join the first.
    pub(crate) fn begin(&self, at: Address) -> (Ticket<V>, Arc<Flight<V>>) {
        let (flight, ticket) = Flight::new();
        self.all().entry(at).or_default().push(Arc::clone(&flight));
        (ticket, flight)
    }

    /// Lets nobody join flights that set out before now.
    pub(crate) fn close(&self, at: Address) {
        if let Some(flights) = self.all().get(&at) {
            for flight in flights {
                flight.open.store(false, Relaxed);
            }
        }
    }

    /// Lets nobody join any flight that set out before now.
    pub(crate) fn close_all(&self) {
        for flight in self.all().values().flatten() {
            flight.open.store(false, Relaxed);
        }
    }

    /// Lets nobody join a flight any more if nobody waits for it; says whether that is so.
    pub(crate) fn abandon(&self, flight: &Flight<V>) -> bool {
        // Held, so that nobody joins in between.
        let _all = self.all();
        let abandoned = flight.progress.receiver_count() == 0;
        if abandoned {
            flight.open.store(false, Relaxed);
        }
        abandoned
    }

    fn remove(&self, at: Address, flight: &Arc<Flight<V>>) {
        let mut all = self.all();
        if let Some(flights) = all.get_mut(&at) {
            flights.retain(|other| !Arc::ptr_eq(other, flight));
            if flights.is_empty() {
                all.remove(&at);
            }
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Address, Vec<Arc<Flight<V>>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Flight<V> {
    fn new() -> (Arc<Self>, Ticket<V>) {
        let (progress, ticket) = watch::channel(Progress::Asked);
        let flight = Self {
            progress,
            news: Notify::new(),
            open: AtomicBool::new(true),
        };
        (Arc::new(flight), ticket)
    }

    /// Something was announced of the entry; if it has changed, nobody joins any more.
    fn hear(&self, changed: bool) {
        if changed {
            self.open.store(false, Relaxed);
        }
        self.news.notify_one();
    }

    /// The value is being loaded, by this process or another.
    pub(crate) fn loading(&self, here: bool) {
        self.progress.send_replace(Progress::Loading { here });
    }

    /// Nobody waits for it any more.
    pub(crate) async fn is_alone(&self) {
        self.progress.closed().await;
    }
}

/// Sees to it that a flight lands, whatever happens to its task.
pub(crate) struct Landing<V> {
    flights: Arc<Flights<V>>,
    at: Address,
    flight: Arc<Flight<V>>,
    result: Option<Result<Arrival<V>, Error>>,
}

impl<V> Landing<V> {
    pub(crate) fn of(flights: &Arc<Flights<V>>, at: Address, flight: &Arc<Flight<V>>) -> Self {
        Self {
            flights: Arc::clone(flights),
            at,
            flight: Arc::clone(flight),
            result: None,
        }
    }

    pub(crate) fn land(mut self, result: Result<Arrival<V>, Error>) {
        self.result = Some(result);
    }
}

impl<V> Drop for Landing<V> {
    fn drop(&mut self) {
        // Taken away before it is told, so that nobody joins what is over.
        self.flights.remove(self.at, &self.flight);
        let result = self.result.take().unwrap_or_else(|| {
            let message = "a load ended without a result: its runtime has ended";
            Err(Error::new(ErrorKind::Internal, message))
        });
        self.flight.progress.send_replace(Progress::Landed(result));
    }
}

impl<V: Send + Sync + 'static> Listener for Flights<V> {
    fn stale(&self, at: Address, revision: Option<u64>) {
        if let Some(flights) = self.all().get(&at) {
            // 0 is a lease given back: nothing has changed.
            let changed = revision != Some(0);
            flights.iter().for_each(|flight| flight.hear(changed));
        }
    }

    fn all_stale(&self, _: Bucket) {}

    fn tag_changed(&self) {
        self.close_all();
    }

    fn lost(&self, bucket: Bucket) {
        let all = self.all();
        let of_bucket = all.iter().filter(|(at, _)| at.bucket == bucket);
        for flight in of_bucket.flat_map(|(_, flights)| flights) {
            flight.hear(false);
        }
    }
}

impl<V> Default for Flights<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V> fmt::Debug for Flights<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}
