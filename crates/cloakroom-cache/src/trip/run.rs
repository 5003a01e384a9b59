//! The loader's own task: its end, its limit, its lease, its failure.

use super::{Loaded, Loader, Trip};
use crate::{
    Error, ErrorKind, OnAbandoned,
    inner::{Inner, later},
    stats::count,
};
use cloakroom_core::{Address, Fetched, LoadLease, OsEntropy, Want};
use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering::Relaxed},
};
use time::Duration;
use tokio::{
    task::{JoinError, JoinHandle},
    time::{Instant, MissedTickBehavior, interval_at, sleep},
};
use tracing::Instrument;

impl<V: Send + Sync + 'static> Trip<V> {
    /// Runs the loader to its end or its limit, and keeps the lease meanwhile.
    pub(super) async fn run(&self, loader: Loader<V>, lease: Option<LoadLease>) -> Loaded<V> {
        let inner = &self.inner;
        count(&inner.counters.loads);
        let began = Instant::now();
        let mut running = Running(tokio::spawn(loader.in_current_span()));
        let limit = later(inner.policy.load_timeout);
        let result = tokio::select! {
            result = &mut running.0 => result,
            never = self.keep_lease(lease) => match never {},
            () = self.is_abandoned() => {
                let message = "nobody waited for the load any more";
                return Loaded::Failed(Error::new(ErrorKind::Abandoned, message));
            }
            () = tokio::time::sleep_until(limit) => {
                count(&inner.counters.timeouts);
                return Loaded::Failed(Error::timed_out(inner.policy.load_timeout));
            }
        };
        let took = Duration::try_from(began.elapsed()).unwrap_or(Duration::MAX);
        match result {
            Ok(Ok(load)) => Loaded::Value(load, took),
            Ok(Err(error)) => {
                let counters = &inner.counters;
                count(match error.kind() {
                    ErrorKind::Panicked => &counters.panics,
                    _ => &counters.load_errors,
                });
                Loaded::Failed(error)
            }
            Err(ended) => {
                count(&inner.counters.panics);
                Loaded::Failed(panicked(ended))
            }
        }
    }

    /// Keeps the lease for ever, or until it is lost.
    pub(super) async fn keep_lease(&self, lease: Option<LoadLease>) -> Infallible {
        let (inner, lasts) = (&self.inner, self.inner.policy.lease);
        if let Some(lease) = lease {
            let third = later(lasts / 3).saturating_duration_since(Instant::now());
            let third = third.max(std::time::Duration::from_millis(1));
            let mut thirds = interval_at(Instant::now() + third, third);
            thirds.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                thirds.tick().await;
                let kept = inner.store.extend(inner.slot(self.at), lease, lasts).await;
                if matches!(kept, Ok(false)) {
                    // Lost: the value will be refused, and serve those who wait alone.
                    break;
                }
            }
        }
        std::future::pending().await
    }

    pub(super) async fn is_abandoned(&self) {
        if self.unattended || self.inner.policy.on_abandoned == OnAbandoned::Finish {
            return std::future::pending().await;
        }
        loop {
            self.flight.is_alone().await;
            if self.inner.flights.abandon(&self.flight) {
                return;
            }
            // Somebody came in the meantime.
            sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    pub(super) async fn give_back(&self, lease: LoadLease) {
        self.inner.give_back(self.at, lease).await;
    }

    /// The same, where those who wait for the value must not wait for it.
    pub(super) fn give_back_beside(&self, lease: LoadLease) {
        let (inner, at) = (Arc::clone(&self.inner), self.at);
        tokio::spawn(async move { inner.give_back(at, lease).await });
    }

    /// Remembers that the load failed, where that is wished, and sees to it that a stale value can be
    /// served instead, if there is one.
    pub(super) async fn note_failure(&self, error: &Error) {
        let (inner, policy) = (&self.inner, &self.inner.policy);
        tracing::debug!(%error, cache = %inner.name, "a load failed");
        let now = inner.near.moment();
        let times = (policy.back_off, policy.stale_back_off);
        if error.kind() != ErrorKind::Abandoned {
            inner.failures.note(self.at, now, times, error.clone());
        }
        if !self.saw_stale.load(Relaxed) || inner.in_need(self.at).is_some() {
            return;
        }
        // A load takes long: what was read before it may not be trusted any more.
        let fill = inner.near.fill(self.at);
        let Ok(lease) = LoadLease::generate(&OsEntropy) else {
            return;
        };
        if let Ok(
            Fetched::Absent {
                stale: Some(stored),
            }
            | Fetched::Fresh(stored),
        ) = self.fetch(Want::Look, lease).await
            && let Some(copy) = inner.copy_of(self.at, &stored)
            && inner.tags.hold(&copy).await.unwrap_or(false)
        {
            let read = fill.read();
            fill.keep(Arc::new(copy), read);
        }
    }
}

impl<V: Send + Sync + 'static> Inner<V> {
    pub(super) async fn give_back(&self, at: Address, lease: LoadLease) {
        if let Err(error) = self.store.release(self.slot(at), lease).await {
            count(&self.counters.store_errors);
            tracing::debug!(%error, cache = %self.name, "a load lease was not given back; it ends by itself");
        }
    }
}

/// A loader's task, which ends with who waits for it.
struct Running<T>(JoinHandle<T>);

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn panicked(ended: JoinError) -> Error {
    let message = match ended.try_into_panic() {
        Ok(panic) => {
            let text = panic.downcast_ref::<&str>().copied();
            let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            format!("the loader panicked: {}", text.unwrap_or("with no text"))
        }
        Err(_) => "the loader's runtime has ended".to_owned(),
    };
    Error::new(ErrorKind::Panicked, message)
}
