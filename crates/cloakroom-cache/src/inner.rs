//! What all handles of a cache share, and how a read goes.

use crate::{
    Codec, Error, ErrorKind, Load, OnUnavailable, Result,
    copy::{Age, Arrival, Copy, From},
    envelope::Envelope,
    failures::Failures,
    flights::{Flights, Progress, Ticket},
    key::Namespace,
    pending::{News, Pending},
    policy::{Policy, is_early},
    stats::{Counters, count},
    tags::Tags,
    trip::{Loader, Trip},
};
use cloakroom_core::{Address, CacheStore, Clock, Freshness, Listener, Moment, Slot, Stored};
use cloakroom_near::{Kept, Limits, Near};
use std::sync::{Arc, Weak};
use time::Duration;
use tokio::time::Instant;

/// A caller that joined this many loads which all came too late for it begins its own.
const JOINS: usize = 3;

/// What a cache is made of.
pub(crate) struct Parts<V> {
    pub(crate) name: String,
    pub(crate) store: Arc<dyn CacheStore>,
    pub(crate) schema: u32,
    pub(crate) limits: Limits,
    pub(crate) policy: Policy,
    pub(crate) codec: Arc<dyn Codec<V>>,
    pub(crate) clock: Arc<dyn Clock>,
}

pub(crate) struct Inner<V> {
    pub(crate) name: Arc<str>,
    pub(crate) namespace: Namespace,
    pub(crate) store: Arc<dyn CacheStore>,
    pub(crate) schema: u32,
    pub(crate) near: Near<Copy<V>>,
    pub(crate) tags: Tags,
    pub(crate) flights: Arc<Flights<V>>,
    pub(crate) failures: Failures,
    pub(crate) pending: Pending,
    pub(crate) policy: Policy,
    pub(crate) codec: Arc<dyn Codec<V>>,
    pub(crate) counters: Counters,
}

/// What a process's own copies say to a read.
pub(crate) enum Seen<V> {
    /// This answers it.
    Fresh(Option<Arc<V>>),
    /// So does this, and it is time to load it anew.
    Due(Kept<Copy<V>>),
    /// It may be served while it is loaded anew.
    WhileLoading(Kept<Copy<V>>),
    /// It may be served if it can't be loaded anew.
    InNeed,
    /// Whether its tags have changed must be asked.
    Unconfirmed(Kept<Copy<V>>),
    Nothing,
}

impl<V: Send + Sync + 'static> Inner<V> {
    pub(crate) fn new(parts: Parts<V>) -> Arc<Self> {
        let Parts {
            store,
            policy,
            clock,
            ..
        } = parts;
        let news = store.news();
        let flights = Arc::new(Flights::default());
        let near = Near::with_clock(Arc::clone(&news), parts.limits, Arc::clone(&clock));
        let tags = Near::with_clock(Arc::clone(&news), Limits::default(), clock);
        // After the copies: who is woken by a message finds that they have heard it.
        let listener: Weak<dyn Listener> = Arc::downgrade(&flights) as _;
        news.listen(listener);
        let at_worst = match policy.on_unavailable {
            OnUnavailable::Stale(time) => time,
            OnUnavailable::Load | OnUnavailable::Fail => Duration::ZERO,
        };
        let need = Freshness {
            within: policy.max_staleness,
            revision: 0,
            at_worst,
        };
        let pending = Pending::new(&store);
        Arc::new(Self {
            namespace: Namespace::new(&parts.name),
            name: parts.name.into(),
            tags: Tags::new(&store, tags, need, &pending),
            pending,
            store,
            schema: parts.schema,
            near,
            flights,
            failures: Failures::default(),
            policy,
            codec: parts.codec,
            counters: Counters::default(),
        })
    }

    pub(crate) fn slot(&self, at: Address) -> Slot {
        let schema = self.schema;
        Slot { at, schema }
    }

    pub(crate) fn need(&self) -> Freshness {
        Freshness {
            within: self.policy.max_staleness,
            ..Freshness::NOW
        }
    }

    /// A read that loads what is not there.
    pub(crate) async fn obtain<L>(
        self: &Arc<Self>,
        at: Address,
        loader: L,
    ) -> Result<Option<Arc<V>>>
    where
        L: FnOnce() -> Loader<V> + Send,
    {
        let seen = self.look(at);
        self.obtain_after(at, seen, loader).await
    }

    /// The same, after a look at what there is near.
    pub(crate) async fn obtain_after<L>(
        self: &Arc<Self>,
        at: Address,
        mut seen: Seen<V>,
        loader: L,
    ) -> Result<Option<Arc<V>>>
    where
        L: FnOnce() -> Loader<V> + Send,
    {
        if let Seen::Unconfirmed(kept) = &seen {
            seen = self.confirmed(at, kept).await;
        }
        match seen {
            Seen::Fresh(value) => {
                count(&self.counters.near_hits);
                return Ok(value);
            }
            Seen::Due(kept) => {
                count(&self.counters.near_hits);
                if !self.failures.is_known(at, self.near.moment()) {
                    self.load_early(at, kept.value.revision, loader);
                }
                return Ok(kept.value.value.clone());
            }
            Seen::WhileLoading(kept) => {
                count(&self.counters.stale);
                if !self.failures.is_known(at, self.near.moment()) {
                    self.load_beside(at, loader);
                }
                return Ok(kept.value.value.clone());
            }
            Seen::InNeed | Seen::Unconfirmed(_) | Seen::Nothing => {}
        }
        if let Some(answer) = self.failed_lately(at) {
            return answer;
        }
        let result = self.fly(at, loader).await;
        result.map(|arrival| arrival.value.value.clone())
    }

    /// Loads a value though there may be one, which stays until the new one is there. That one, or one
    /// that was put since the call, or an error: an older one is no answer.
    #[cfg(feature = "http")]
    pub(crate) async fn reload<L>(
        self: &Arc<Self>,
        at: Address,
        loader: L,
    ) -> Result<Option<Arc<V>>>
    where
        L: FnOnce() -> Loader<V> + Send,
    {
        // Nobody else's: it may have set out to fetch what there is.
        let (mut ticket, flight) = self.flights.begin(at);
        Trip::new(self, at, flight).anew().start(loader());
        loop {
            let landed = match &*ticket.borrow_and_update() {
                Progress::Landed(result) => Some(result.clone()),
                Progress::Asked | Progress::Loading { .. } => None,
            };
            if let Some(result) = landed {
                return Ok(self.noted(result?, false).value.value.clone());
            }
            if ticket.changed().await.is_err() {
                let message = "a load ended without a result: its runtime has ended";
                return Err(Error::new(ErrorKind::Internal, message));
            }
        }
    }

    /// Waits for a flight of this caller's own, or reads as anybody.
    pub(crate) async fn land_or_obtain<L>(
        self: &Arc<Self>,
        at: Address,
        own: Option<Ticket<V>>,
        loader: L,
    ) -> Result<Option<Arc<V>>>
    where
        L: FnOnce() -> Loader<V> + Send,
    {
        let Some(mut ticket) = own else {
            return self.obtain(at, loader).await;
        };
        let soft = self.policy.soft_timeout.map(later);
        let landed = self.wait(at, &mut ticket, soft).await?;
        let kept = self.noted(landed, false);
        Ok(kept.value.value.clone())
    }

    /// Whether a read would be answered here, as far as is known without asking anybody.
    pub(crate) fn answers(&self, at: Address) -> bool {
        let now = self.near.moment();
        match self.look(at) {
            Seen::Fresh(_) | Seen::Due(_) | Seen::WhileLoading(_) => true,
            Seen::InNeed if self.failures.is_known(at, now) => true,
            _ => self.failures.get(at, now).is_some(),
        }
    }

    /// What there is near, without asking anybody.
    pub(crate) fn look(&self, at: Address) -> Seen<V> {
        let now = self.near.moment();
        // Tags are looked up when the entry's lock is free again.
        let seen = self.near.find_with(at, self.need(), now, |kept| {
            match kept.value.tags.is_empty() {
                true => self.judge(kept, now),
                false => Seen::Unconfirmed(kept.clone()),
            }
        });
        let Some(Seen::Unconfirmed(kept)) = seen else {
            return seen.unwrap_or(Seen::Nothing);
        };
        match self.tags.known_to_hold(&kept.value, now) {
            Some(true) => self.judge(&kept, now),
            Some(false) => Seen::Nothing,
            None => Seen::Unconfirmed(kept),
        }
    }

    fn judge(&self, kept: &Kept<Copy<V>>, now: Moment) -> Seen<V> {
        match kept.value.age(now.since(kept.read)) {
            Age::Fresh(left) if self.is_due(&kept.value, left) => Seen::Due(kept.clone()),
            Age::Fresh(_) => Seen::Fresh(kept.value.value.clone()),
            Age::WhileLoading => Seen::WhileLoading(kept.clone()),
            Age::InNeed => Seen::InNeed,
            Age::Over => Seen::Nothing,
        }
    }

    async fn confirmed(&self, at: Address, kept: &Kept<Copy<V>>) -> Seen<V> {
        match self.tags.hold(&kept.value).await {
            Ok(true) => self.judge(kept, self.near.moment()),
            Ok(false) => {
                self.near.forget(at);
                Seen::Nothing
            }
            // The fetch finds out what to do about it.
            Err(_) => Seen::Nothing,
        }
    }

    fn is_due(&self, copy: &Copy<V>, left: Duration) -> bool {
        let (took, factor) = (copy.took, self.policy.early);
        // Beyond this no chance is small enough.
        if copy.revision == 0 || left > took * factor * 40 {
            return false;
        }
        is_early(left, took, factor, fastrand::f64())
    }

    /// The value that may be served now because none can be had in time.
    pub(crate) fn in_need(&self, at: Address) -> Option<Kept<Copy<V>>> {
        let kept = self.near.find(at, self.need())?;
        let usable = kept.value.age(self.near.since(kept.read)) != Age::Over;
        let holds = self.tags.known_to_hold(&kept.value, self.near.moment()) == Some(true);
        (usable && holds).then_some(kept)
    }

    fn serve_in_need(&self, at: Address) -> Option<Kept<Copy<V>>> {
        let kept = self.in_need(at);
        if kept.is_some() {
            count(&self.counters.stale);
        }
        kept
    }

    fn failed_lately(&self, at: Address) -> Option<Result<Option<Arc<V>>>> {
        let now = self.near.moment();
        if self.failures.is_known(at, now)
            && let Some(kept) = self.serve_in_need(at)
        {
            return Some(Ok(kept.value.value.clone()));
        }
        self.failures.get(at, now).map(Err)
    }

    /// Loads a value anew before its fresh time is over; nobody waits for it.
    fn load_early<L>(self: &Arc<Self>, at: Address, revision: u64, loader: L)
    where
        L: FnOnce() -> Loader<V>,
    {
        if let (_, Some(flight)) = self.flights.join_or_begin(at) {
            count(&self.counters.early);
            Trip::new(self, at, flight)
                .replacing(revision)
                .start(loader());
        }
    }

    /// Loads a value that is served meanwhile; nobody waits for it.
    fn load_beside<L>(self: &Arc<Self>, at: Address, loader: L)
    where
        L: FnOnce() -> Loader<V>,
    {
        if let (_, Some(flight)) = self.flights.join_or_begin(at) {
            Trip::new(self, at, flight).unattended().start(loader());
        }
    }

    /// Waits for a flight that brings a value which is fresh enough for this caller: another's, or its
    /// own.
    async fn fly<L>(self: &Arc<Self>, at: Address, loader: L) -> Result<Kept<Copy<V>>>
    where
        L: FnOnce() -> Loader<V>,
    {
        let began = self.near.moment();
        let soft = self.policy.soft_timeout.map(later);
        for _ in 0..JOINS {
            let (mut ticket, own) = self.flights.join_or_begin(at);
            if let Some(flight) = own {
                let trip = Trip::new(self, at, flight);
                // What landed since this caller looked.
                if let Some(kept) = self.landed(at) {
                    count(&self.counters.near_hits);
                    trip.land_at_once(kept.clone());
                    return Ok(kept);
                }
                trip.start(loader());
                let landed = self.wait(at, &mut ticket, soft).await?;
                return Ok(self.noted(landed, false));
            }
            let landed = match self.wait(at, &mut ticket, soft).await {
                Ok(landed) => landed,
                // An early load that had no need of going on: no answer for who needs a value.
                Err(error) if error.kind() == ErrorKind::Abandoned => continue,
                Err(error) => return Err(error),
            };
            if self.is_new_enough(&landed, began).await {
                return Ok(self.noted(landed, true));
            }
        }
        let (mut ticket, flight) = self.flights.begin(at);
        Trip::new(self, at, flight).start(loader());
        let landed = self.wait(at, &mut ticket, soft).await?;
        Ok(self.noted(landed, false))
    }

    /// A fresh copy that came since somebody looked.
    fn landed(&self, at: Address) -> Option<Kept<Copy<V>>> {
        let kept = self.in_need(at)?;
        let age = kept.value.age(self.near.since(kept.read));
        matches!(age, Age::Fresh(_)).then_some(kept)
    }

    /// Whether what another's flight brought shows all that a caller must see.
    async fn is_new_enough(&self, arrival: &Arrival<V>, began: Moment) -> bool {
        let Arrival { kept, .. } = arrival;
        began.since(kept.read) < self.policy.max_staleness
            && self.tags.hold(&kept.value).await.unwrap_or(true)
    }

    fn noted(&self, arrival: Arrival<V>, joined: bool) -> Kept<Copy<V>> {
        match (joined, arrival.from) {
            (true, _) => count(&self.counters.coalesced),
            (false, From::Store) => count(&self.counters.store_hits),
            (false, From::Loader) => {}
        }
        arrival.kept
    }

    /// Waits for a flight, or for what may be served instead.
    async fn wait(
        &self,
        at: Address,
        ticket: &mut Ticket<V>,
        soft: Option<Instant>,
    ) -> Result<Arrival<V>> {
        let mut overdue = false;
        loop {
            let landed = match &*ticket.borrow_and_update() {
                Progress::Landed(result) => Some(result.clone()),
                Progress::Asked | Progress::Loading { .. } => None,
            };
            if let Some(result) = landed {
                return result.or_else(|error| self.instead(at, error));
            }
            // After the soft limit, as soon as one is found.
            let instead = match self.meanwhile(at) {
                None if overdue => self.in_need(at),
                kept => kept,
            };
            if let Some(kept) = instead {
                count(&self.counters.stale);
                let from = From::Store;
                return Ok(Arrival { kept, from });
            }
            let changed = ticket.changed();
            let ended = match soft {
                Some(limit) if !overdue => {
                    let ended = tokio::time::timeout_at(limit, changed).await;
                    overdue = ended.is_err();
                    ended.unwrap_or(Ok(()))
                }
                _ => changed.await,
            };
            if ended.is_err() {
                let message = "a load ended without a result: its runtime has ended";
                return Err(Error::new(ErrorKind::Internal, message));
            }
        }
    }

    /// A stale value that the flight found in the store, if it may be served at once.
    fn meanwhile(&self, at: Address) -> Option<Kept<Copy<V>>> {
        let kept = self.near.find(at, self.need())?;
        let age = kept.value.age(self.near.since(kept.read));
        let holds = self.tags.known_to_hold(&kept.value, self.near.moment()) == Some(true);
        (age == Age::WhileLoading && holds).then_some(kept)
    }

    /// A stale value instead of an error.
    fn instead(&self, at: Address, error: Error) -> Result<Arrival<V>> {
        match self.serve_in_need(at) {
            Some(kept) => Ok(Arrival {
                kept,
                from: From::Store,
            }),
            None => Err(error),
        }
    }

    /// In a task of its own: a caller may be dropped when its client goes away, and the database has
    /// changed all the same.
    pub(crate) async fn invalidate(self: &Arc<Self>, at: Address) -> Result<()> {
        count(&self.counters.invalidations);
        let inner = Arc::clone(self);
        detached(async move {
            let drop = inner.store.invalidate(at);
            inner.dropping(at, News::Entry(at), drop).await
        })
        .await
    }

    /// The same for a tag.
    pub(crate) async fn invalidate_tag(self: &Arc<Self>, at: Address) -> Result<()> {
        count(&self.counters.invalidations);
        let inner = Arc::clone(self);
        detached(async move {
            let changed = inner.tags.change(at).await;
            changed.map_err(|error| {
                count(&inner.counters.store_errors);
                error.into()
            })
        })
        .await
    }

    /// What this process has of an entry goes before and after the store's. If the store can't be
    /// told, `otherwise` is said as soon as it can.
    pub(crate) async fn dropping(
        &self,
        at: Address,
        otherwise: News,
        operation: impl Future<Output = cloakroom_core::Result<()>>,
    ) -> Result<()> {
        self.failures.forget(at);
        let write = self.near.write(at);
        self.near.forget(at);
        let dropped = operation.await;
        if dropped.is_err() {
            // First of all: who begins to read from here on says it before.
            self.pending.add(otherwise);
        }
        // Loads that began in the meantime, too.
        self.flights.close(at);
        write.found(None);
        // Other caches of this process know it as soon as this one does.
        self.store.news().deliver(at, None);
        dropped.map_err(|error| {
            count(&self.counters.store_errors);
            error.into()
        })
    }

    /// A copy of a stored value; `None` if its bytes are of no known form.
    pub(crate) fn copy_of(&self, at: Address, stored: &Stored) -> Option<Copy<V>> {
        let copy = self.decoded(at, stored);
        if copy.is_none() {
            count(&self.counters.undecodable);
        }
        copy
    }

    /// The same, and counts nothing.
    pub(crate) fn decoded(&self, at: Address, stored: &Stored) -> Option<Copy<V>> {
        let envelope = Envelope::decode(at.digest, &stored.bytes)?;
        let (value, weight) = match envelope.value {
            Some(bytes) => {
                let value = self.codec.decode(bytes)?;
                let weight = self.codec.weight(&value, bytes.len());
                (Some(Arc::new(value)), weight)
            }
            None => (None, 0),
        };
        let tags = envelope.tags.iter();
        let tags = tags.map(|(tag, version)| (self.store.place(*tag), *version));
        Some(Copy {
            value,
            revision: stored.revision,
            fresh_for: stored.fresh_for,
            usable_for: stored.usable_for,
            while_loading: envelope.while_loading,
            took: envelope.took,
            tags: tags.collect(),
            weight,
        })
    }

    /// For how long a loaded value is fresh, how long it may be served while it is loaded anew after
    /// that, and how long it is kept.
    pub(crate) fn times(&self, load: &Load<V>) -> (Duration, Duration, Duration) {
        let policy = &self.policy;
        let own = match &load.value {
            Some(_) => policy.fresh_for,
            None => policy.absent_for,
        };
        let fresh = load.fresh_for.unwrap_or(own).max(Duration::ZERO);
        let fresh = crate::policy::jittered(fresh, policy.jitter, fastrand::f64());
        let while_loading = load.while_loading.unwrap_or(policy.while_loading);
        let on_error = load.on_error.unwrap_or(policy.on_error);
        let stale = while_loading.max(on_error).max(Duration::ZERO);
        (fresh, while_loading, fresh.saturating_add(stale))
    }
}

/// Goes on to its end also if its caller doesn't.
async fn detached(operation: impl Future<Output = Result<()>> + Send + 'static) -> Result<()> {
    let ended = tokio::spawn(operation).await;
    ended.unwrap_or_else(|_| {
        let message = "an invalidation did not end: its runtime has";
        Err(Error::new(ErrorKind::Internal, message))
    })
}

/// So long from now, on the runtime's clock.
pub(crate) fn later(time: Duration) -> Instant {
    let now = Instant::now();
    // What overflows is as good as never.
    let never = std::time::Duration::from_secs(86_400 * 365);
    let time = std::time::Duration::try_from(time).unwrap_or_default();
    now + time.min(never)
}
