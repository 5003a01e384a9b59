//! The way of a load: ask the store, load if nobody else does, put the value in place.
//!
//! In a task of its own, so that it depends on no caller. The loader runs in another one, so that its
//! panic is its own.

use crate::{
    Error, ErrorKind, Load, OnAbandoned, OnUnavailable, Result,
    copy::{Arrival, Copy, From},
    envelope::Envelope,
    flights::{Flight, Landing},
    inner::{Inner, later},
    pending::News,
    stats::count,
};
use cloakroom_core::{
    Address, Fetch, Fetched, LoadLease, Moment, NewValue, OsEntropy, Put, Stored, Want,
};
use cloakroom_near::{Fill, Kept};
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use time::Duration;
use tokio::{
    task::{JoinError, JoinHandle},
    time::{Instant, MissedTickBehavior, interval_at, sleep, timeout_at},
};
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

    /// Loads, with the lease, and puts the value in place.
    async fn load(
        &self,
        loader: Loader<V>,
        lease: LoadLease,
        fill: Fill<Copy<V>>,
    ) -> Result<Arrival<V>> {
        let inner = &self.inner;
        let before = inner.tags.before();
        let (load, took) = match self.run(loader, Some(lease)).await {
            Loaded::Value(load, took) => (load, took),
            Loaded::Failed(error) => {
                self.give_back(lease).await;
                self.note_failure(&error).await;
                return Err(error);
            }
        };
        inner.failures.forget(self.at);
        let set_out = fill.read();
        if !load.keep {
            self.give_back(lease).await;
            return Ok(self.unkept(load, set_out));
        }
        // A busy store may take long to say, too.
        let unchanged = tokio::select! {
            unchanged = inner.tags.unchanged(&load.tags, &before) => unchanged,
            never = self.keep_lease(Some(lease)) => match never {},
        };
        let tags = match unchanged {
            Ok(Some(tags)) => tags,
            Ok(None) => {
                count(&inner.counters.refused);
                self.give_back(lease).await;
                return Ok(self.unkept(load, set_out));
            }
            Err(error) if error.is_unavailable() => {
                self.give_back_beside(lease);
                return Ok(self.unkept(load, set_out));
            }
            Err(error) => {
                self.give_back(lease).await;
                return Err(error);
            }
        };
        let made = match self.made(load, took, tags) {
            Ok(made) => made,
            Err(error) => {
                self.give_back(lease).await;
                return Err(error);
            }
        };
        self.put(lease, fill, made).await
    }

    async fn put(
        &self,
        lease: LoadLease,
        fill: Fill<Copy<V>>,
        (mut copy, value): (Copy<V>, NewValue),
    ) -> Result<Arrival<V>> {
        let inner = &self.inner;
        let from = From::Loader;
        let set_out = fill.read();
        if value.bytes.len() > inner.policy.max_size {
            count(&inner.counters.too_large);
            self.give_back(lease).await;
            return Ok(arrived(copy, set_out));
        }
        // Who still holds the lease when the value is put proves that it is true as of then.
        let read = inner.near.moment();
        match inner.store.put(inner.slot(self.at), lease, &value).await {
            Ok(Put::Done { revision }) => {
                copy.revision = revision;
                let kept = fill.keep(Arc::new(copy), read);
                Ok(Arrival { kept, from })
            }
            Ok(Put::Refused) => {
                count(&inner.counters.refused);
                Ok(arrived(copy, set_out))
            }
            Err(error) => {
                count(&inner.counters.store_errors);
                tracing::debug!(%error, cache = %inner.name, "a loaded value was not stored");
                // A server that is full refuses values, and takes leases back.
                self.give_back_beside(lease);
                let kept = fill.keep(Arc::new(copy), set_out);
                Ok(Arrival { kept, from })
            }
        }
    }

    /// Loads without the store: what it would share, this process alone has, for as long as the
    /// bound on staleness allows.
    async fn without_store(&self, loader: Loader<V>, error: Error) -> Result<Arrival<V>> {
        let inner = &self.inner;
        count(&inner.counters.store_errors);
        if !error.is_unavailable() {
            return Err(error);
        }
        if self.replace.is_some() {
            return Err(gone_ahead());
        }
        let fill = inner.near.fill(self.at);
        match inner.policy.on_unavailable {
            OnUnavailable::Fail => return Err(error),
            OnUnavailable::Stale(within) => {
                let mut need = inner.need();
                need.within = within.max(need.within);
                if let Some(kept) = inner.near.find(self.at, need)
                    && inner.tags.held(&kept.value, need)
                {
                    count(&inner.counters.stale);
                    let from = From::Store;
                    return Ok(Arrival { kept, from });
                }
            }
            OnUnavailable::Load => {}
        }
        let set_out = fill.read();
        self.flight.loading(true);
        let (load, took) = match self.run(loader, None).await {
            Loaded::Value(load, took) => (load, took),
            Loaded::Failed(error) => {
                self.note_failure(&error).await;
                return Err(error);
            }
        };
        if !load.keep || !load.tags.is_empty() {
            // Whether a tag has changed can't be known.
            return Ok(self.unkept(load, set_out));
        }
        let (copy, _) = self.made(load, took, Box::default())?;
        let kept = fill.keep(Arc::new(copy), set_out);
        let from = From::Loader;
        Ok(Arrival { kept, from })
    }

    /// Loads while what is loaded is being changed: for those who wait, and nobody after them. When the
    /// mark is lifted, nobody joins any more.
    async fn load_only(&self, loader: Loader<V>, fill: Fill<Copy<V>>) -> Result<Arrival<V>> {
        let set_out = fill.read();
        drop(fill);
        count(&self.inner.counters.refused);
        match self.run(loader, None).await {
            Loaded::Value(load, _) => Ok(self.unkept(load, set_out)),
            Loaded::Failed(error) => Err(error),
        }
    }

    /// Runs the loader to its end or its limit, and keeps the lease meanwhile.
    async fn run(&self, loader: Loader<V>, lease: Option<LoadLease>) -> Loaded<V> {
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
    async fn keep_lease(&self, lease: Option<LoadLease>) -> Infallible {
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

    async fn is_abandoned(&self) {
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

    async fn give_back(&self, lease: LoadLease) {
        self.inner.give_back(self.at, lease).await;
    }

    /// The same, where those who wait for the value must not wait for it.
    fn give_back_beside(&self, lease: LoadLease) {
        let (inner, at) = (Arc::clone(&self.inner), self.at);
        tokio::spawn(async move { inner.give_back(at, lease).await });
    }

    /// Remembers that the load failed, where that is wished, and sees to it that a stale value can be
    /// served instead, if there is one.
    async fn note_failure(&self, error: &Error) {
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

    /// A copy of a loaded value, and what is stored of it.
    fn made(
        &self,
        load: Load<V>,
        took: Duration,
        tags: Box<[(Address, u64)]>,
    ) -> Result<(Copy<V>, NewValue)> {
        let inner = &self.inner;
        let (fresh_for, while_loading, usable_for) = inner.times(&load);
        inner.made(
            self.at,
            load.value,
            took,
            tags,
            (fresh_for, while_loading, usable_for),
        )
    }

    /// A value for those who wait, and nobody else.
    fn unkept(&self, load: Load<V>, read: Moment) -> Arrival<V> {
        let copy = Copy {
            value: load.value.map(Arc::new),
            revision: 0,
            fresh_for: Duration::ZERO,
            usable_for: Duration::ZERO,
            while_loading: Duration::ZERO,
            took: Duration::ZERO,
            tags: Box::default(),
            weight: 0,
        };
        arrived(copy, read)
    }
}

impl<V: Send + Sync + 'static> Inner<V> {
    async fn give_back(&self, at: Address, lease: LoadLease) {
        if let Err(error) = self.store.release(self.slot(at), lease).await {
            count(&self.counters.store_errors);
            tracing::debug!(%error, cache = %self.name, "a load lease was not given back; it ends by itself");
        }
    }

    pub(crate) fn made(
        &self,
        at: Address,
        value: Option<V>,
        took: Duration,
        tags: Box<[(Address, u64)]>,
        (fresh_for, while_loading, usable_for): (Duration, Duration, Duration),
    ) -> Result<(Copy<V>, NewValue)> {
        let encoded = match &value {
            Some(value) => Some(self.codec.encode(value).map_err(|error| {
                let message = "a value can't be written as bytes";
                Error::new(ErrorKind::Encode, message).because(error)
            })?),
            None => None,
        };
        let envelope = Envelope {
            value: encoded.as_deref(),
            took,
            while_loading,
            tags: tags
                .iter()
                .map(|(at, version)| (at.digest, *version))
                .collect(),
        };
        let bytes = envelope.encode(at.digest).into();
        let weigh = |value: &V| {
            let length = encoded.as_ref().map_or(0, Vec::len);
            self.codec.weight(value, length)
        };
        let weight = value.as_ref().map_or(0, weigh);
        let copy = Copy {
            value: value.map(Arc::new),
            revision: 0,
            fresh_for,
            usable_for,
            while_loading,
            took,
            tags,
            weight,
        };
        let stored = NewValue {
            bytes,
            fresh_for,
            usable_for,
        };
        Ok((copy, stored))
    }
}

/// A loader's task, which ends with who waits for it.
struct Running<T>(JoinHandle<T>);

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn arrived<V>(copy: Copy<V>, read: Moment) -> Arrival<V> {
    let value = Arc::new(copy);
    Arrival {
        kept: Kept { value, read },
        from: From::Loader,
    }
}

fn gone_ahead() -> Error {
    let message = "a value need not be loaded early, or can't be";
    Error::new(ErrorKind::Abandoned, message)
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
