//! The way of a load: ask the store, load if nobody else does, put the value in place.
//!
//! In a task of its own, so that it depends on no caller. The loader runs in another one, so that its
//! panic is its own.

mod alone;
mod load;
mod run;

use crate::{
    Error, ErrorKind, Load, Result,
    copy::{Arrival, Copy, From},
    flights::{Flight, Landing},
    inner::{Inner, later},
    pending::News,
    stats::count,
};
use cloakroom_core::{Address, Fetch, Fetched, LoadLease, OsEntropy, Stored, Want};
use cloakroom_near::{Fill, Kept};
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use time::Duration;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

/// A loader, about to run.
pub(crate) type Loader<V> = Pin<Box<dyn Future<Output = Result<Load<V>>> + Send>>;

/// How often another's load is looked at while no message can be relied on.
const POLL: Duration = Duration::milliseconds(50);
/// A lease is looked at so long after its end.
const SLACK: Duration = Duration::milliseconds(5);

pub(crate) struct Trip<V: Send + Sync + 'static> {
    inner: Arc<Inner<V>>,
    at: Address,
    flight: Arc<Flight<V>>,
    landing: Landing<V>,
    /// The revision of a fresh value that is to be replaced.
    replace: Option<u64>,
    /// Whether what there is when it sets out is to be replaced.
    anew: bool,
    /// Whether it goes on though nobody waits.
    unattended: bool,
    /// Whether there was a stale value when it set out.
    saw_stale: AtomicBool,
}

/// What became of a loader.
enum Loaded<V> {
    Value(Load<V>, Duration),
    Failed(Error),
}

impl<V: Send + Sync + 'static> Trip<V> {
    pub(crate) fn new(inner: &Arc<Inner<V>>, at: Address, flight: Arc<Flight<V>>) -> Self {
        Self {
            inner: Arc::clone(inner),
            at,
            landing: Landing::of(&inner.flights, at, &flight),
            flight,
            replace: None,
            anew: false,
            unattended: false,
            saw_stale: AtomicBool::new(false),
        }
    }

    /// Loads though there is a fresh value, if it still has this revision and nobody else does.
    pub(crate) fn replacing(mut self, revision: u64) -> Self {
        self.replace = Some(revision);
        self.unattended()
    }

    #[cfg(feature = "http")]
    /// Loads though there may be a fresh value, which stays until the new one is there.
    pub(crate) fn anew(mut self) -> Self {
        self.anew = true;
        self
    }

    /// Goes on though nobody waits.
    pub(crate) fn unattended(mut self) -> Self {
        self.unattended = true;
        self
    }

    pub(crate) fn start(self, loader: Loader<V>) {
        // Of the first caller's span, which may have ended by then.
        let span = tracing::debug_span!("cache_load", cache = %self.inner.name);
        let travel = async move {
            let result = self.travel(loader).await;
            self.landing.land(result);
        };
        tokio::spawn(travel.instrument(span));
    }

    /// Asks nobody: the value is there.
    pub(crate) fn land_at_once(self, kept: Kept<Copy<V>>) {
        let from = From::Store;
        self.landing.land(Ok(Arrival { kept, from }));
    }

    async fn travel(&self, loader: Loader<V>) -> Result<Arrival<V>> {
        let patience = later(self.inner.policy.load_timeout);
        let mut want = self.replace.map_or(Want::Missing, Want::Replace);
        if self.anew {
            want = match self
                .fetch(Want::Look, LoadLease::generate(&OsEntropy)?)
                .await
            {
                // What has another revision later, was put since.
                Ok(Fetched::Fresh(stored)) => Want::Replace(stored.revision),
                Ok(_) => Want::Missing,
                Err(error) => return self.without_store(loader, error.into()).await,
            };
        }
        // Somebody else loads, and has not said that it is done.
        let mut waiting = false;
        loop {
            let news = self.flight.news.notified();
            tokio::pin!(news);
            // From before the fetch, so that no message is missed in between.
            news.as_mut().enable();
            let lease = LoadLease::generate(&OsEntropy)?;
            let fill = self.inner.near.fill(self.at);
            match self.fetch(want, lease).await {
                Ok(Fetched::Fresh(stored)) => match self.accept(&stored, fill).await {
                    Ok(Some(arrival)) => return Ok(arrival),
                    Ok(None) if Instant::now() < patience => {
                        want = Want::Replace(stored.revision);
                    }
                    Ok(None) => return Err(self.out_of_patience()),
                    Err(error) => return self.without_store(loader, error).await,
                },
                Ok(Fetched::Leased { stale }) => {
                    if waiting {
                        count(&self.inner.counters.takeovers);
                        tracing::info!(cache = %self.inner.name, "a load was taken over");
                    }
                    let fill = self.keep_stale(stale, fill);
                    self.confirm_stale().await;
                    self.flight.loading(true);
                    return self.load(loader, lease, fill).await;
                }
                Ok(Fetched::Held { stale, left }) => {
                    drop(self.keep_stale(stale, fill));
                    self.confirm_stale().await;
                    self.flight.loading(false);
                    if self.replace.is_some() && self.inner.flights.abandon(&self.flight) {
                        // Somebody else sees to it, and nobody waits.
                        return Err(gone_ahead());
                    }
                    count(&self.inner.counters.waited);
                    waiting = self.wait(news, left, patience).await?;
                }
                Ok(Fetched::Marked) if self.replace.is_some() => return Err(gone_ahead()),
                Ok(Fetched::Marked) => {
                    self.flight.loading(true);
                    return self.load_only(loader, fill).await;
                }
                Ok(Fetched::Absent { .. }) => {
                    let message = "the store gave no lease though one was wanted";
                    return Err(Error::new(ErrorKind::Internal, message));
                }
                Err(error) => return self.without_store(loader, error.into()).await,
            }
        }
    }

    async fn fetch(&self, want: Want, lease: LoadLease) -> cloakroom_core::Result<Fetched> {
        let inner = &self.inner;
        inner.pending.settle(News::Entry(self.at)).await?;
        let fetch = Fetch {
            slot: inner.slot(self.at),
            want,
            lease,
            lasts: inner.policy.lease,
        };
        inner.store.fetch(&fetch).await
    }

    /// Keeps a stored value and answers with it, if it is of a known form and no tag has changed.
    async fn accept(&self, stored: &Stored, fill: Fill<Copy<V>>) -> Result<Option<Arrival<V>>> {
        let inner = &self.inner;
        let Some(copy) = inner.copy_of(self.at, stored) else {
            return Ok(None);
        };
        if !inner.tags.hold(&copy).await? {
            return Ok(None);
        }
        let read = fill.read();
        let kept = fill.keep(Arc::new(copy), read);
        let from = From::Store;
        Ok(Some(Arrival { kept, from }))
    }

    /// Keeps a stale value, for those who may be served it, and sets out anew for a fresh one.
    fn keep_stale(&self, stale: Option<Stored>, fill: Fill<Copy<V>>) -> Fill<Copy<V>> {
        let inner = &self.inner;
        let copy = stale.and_then(|stored| inner.decoded(self.at, &stored));
        match copy {
            Some(copy) => {
                self.saw_stale.store(true, Relaxed);
                // Before this one has arrived: nothing that is announced meanwhile is missed.
                let next = inner.near.fill(self.at);
                let read = fill.read();
                fill.keep(Arc::new(copy), read);
                next
            }
            None => fill,
        }
    }

    /// Asks for the tags of a stale value that may be served at once: one round trip, and none if there
    /// is no such value.
    async fn confirm_stale(&self) {
        let inner = &self.inner;
        let may_serve = |copy: &Copy<V>| {
            let soon = copy.while_loading > Duration::ZERO || inner.policy.soft_timeout.is_some();
            soon && !copy.tags.is_empty()
        };
        if self.saw_stale.load(Relaxed)
            && let Some(kept) = inner.near.find(self.at, inner.need())
            && may_serve(&kept.value)
        {
            // What is known then is looked at by who serves it.
            let _ = inner.tags.hold(&kept.value).await;
        }
    }

    /// Waits until another's load is over, or its lease. Says whether it was over without a word.
    async fn wait(
        &self,
        news: impl Future<Output = ()>,
        left: Duration,
        patience: Instant,
    ) -> Result<bool> {
        if Instant::now() >= patience {
            return Err(self.out_of_patience());
        }
        let lease = self.inner.store.news().lease(self.at.bucket);
        let is_heard = lease.age(lease.term, self.inner.near.moment()).is_some();
        let pause = if is_heard {
            left + SLACK
        } else {
            left.min(POLL)
        };
        let until = later(pause).min(patience);
        let no_word = timeout_at(until, news).await.is_err();
        Ok(no_word && pause >= left)
    }

    fn out_of_patience(&self) -> Error {
        count(&self.inner.counters.timeouts);
        Error::timed_out(self.inner.policy.load_timeout)
    }
}

fn gone_ahead() -> Error {
    let message = "a value need not be loaded early, or can't be";
    Error::new(ErrorKind::Abandoned, message)
}
