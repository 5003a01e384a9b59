//! The receiving end of the invalidation channel: what was heard, and how far it can be trusted.

use crate::{Address, Bucket, Buckets, Moment};
use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError, RwLock, Weak},
};
use time::Duration;

/// Hears of stale copies. Called by whoever hears it first: must be quick, must not block and must
/// not call the store.
pub trait Listener: Send + Sync {
    /// Copies of this session are stale: it has this revision now, or `None` if it ended.
    fn stale(&self, at: Address, revision: Option<u64>);

    /// It was revoked, and what was derived from it may live this long. Comes beside
    /// [`stale`](Self::stale).
    fn revoked(&self, _at: Address, _lasts: Duration) {}

    /// This process has changed a tag: values that are on their way may turn out to bear it.
    fn tag_changed(&self) {}

    /// All copies of the bucket are stale, also those that are on their way.
    fn all_stale(&self, bucket: Bucket);

    /// A term has ended: no copy of the bucket that was made before now is good.
    fn lost(&self, bucket: Bucket);
}

/// One stretch of time in which a bucket's channel was not in doubt. What was read from the store
/// in an earlier term may be stale without anybody having heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Term(u64);

/// What is known of a bucket's channel.
///
/// A copy that was read in the present term, and of which nothing was heard, is stale by no more
/// than [`age`](Self::age).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The present term.
    pub term: Term,
    heard: Heard,
    /// How far the last term was proven in which anything was.
    past: Option<(Term, Moment)>,
    /// How many of the bucket's messages there had been, of those that were heard.
    number: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// Nothing is proven in this term yet, or the channel is down.
    Nothing,
    /// All that was published before this moment.
    Until(Moment),
    /// Everything, the moment it happens: the store is in this process.
    Everything,
}

impl Lease {
    /// Of what concerns a copy that was read in this term, all that was published longer ago than
    /// this has been heard; `None` if nothing is proven.
    #[must_use]
    pub fn age(&self, term: Term, now: Moment) -> Option<Duration> {
        match (self.heard, self.past) {
            (Heard::Everything, _) if term == self.term => Some(Duration::ZERO),
            (Heard::Until(moment), _) if term == self.term => Some(now.since(moment)),
            (_, Some((past, moment))) if term == past => Some(now.since(moment)),
            _ => None,
        }
    }

    /// The number of the latest message that has been heard of the bucket: all up to it were published
    /// before now. `None` where messages bear no numbers, or none is known in this term.
    #[must_use]
    pub const fn number(&self) -> Option<u64> {
        self.number
    }

    fn end_term(&mut self) -> Term {
        if let Heard::Until(moment) = self.heard {
            self.past = Some((self.term, moment));
            self.heard = Heard::Nothing;
        }
        self.number = None;
        self.term.0 += 1;
        self.term
    }
}

/// A store's invalidation channel, as this process hears it.
///
/// The store keeps it: it begins a term for a bucket when it has subscribed to it and whenever it is
/// in doubt, delivers what it hears, and notes how far it has proven that it heard everything.
/// Caches [`listen`](Self::listen), and ask for the [`lease`](Self::lease) before they use a copy.
///
/// # Consistency
///
/// Every message is delivered to every listener before a later [`caught_up`](Self::caught_up)
/// shows in the lease.
pub struct Channel {
    leases: Box<[Mutex<Lease>]>,
    listeners: RwLock<Vec<Weak<dyn Listener>>>,
    interval: Duration,
}

impl Channel {
    /// A channel of which nothing is known yet, and whose store proves what it has heard once in
    /// an interval.
    #[must_use]
    pub fn new(buckets: &Buckets, interval: Duration) -> Self {
        Self::with(buckets, interval, Heard::Nothing)
    }

    /// A channel inside one process: the store delivers each message before the operation that
    /// caused it returns, so everything is always heard.
    #[must_use]
    pub fn in_process(buckets: &Buckets) -> Self {
        Self::with(buckets, Duration::ZERO, Heard::Everything)
    }

    fn with(buckets: &Buckets, interval: Duration, heard: Heard) -> Self {
        let term = Term::default();
        let lease = || {
            Mutex::new(Lease {
                term,
                heard,
                past: None,
                number: None,
            })
        };
        Self {
            leases: buckets.iter().map(|_| lease()).collect(),
            listeners: RwLock::default(),
            interval,
        }
    }

    /// How often the store proves what it has heard.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// Tells a listener from now on, for as long as it lives.
    pub fn listen(&self, listener: Weak<dyn Listener>) {
        let listeners = self.listeners.write();
        let mut listeners = listeners.unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener.strong_count() > 0);
        listeners.push(listener);
    }

    /// What is known of a bucket's channel now.
    #[must_use]
    pub fn lease(&self, bucket: Bucket) -> Lease {
        *self.at(bucket)
    }

    /// What is known of all buckets' channels, by their numbers.
    #[must_use]
    pub fn leases(&self) -> Vec<Lease> {
        let lease = |lease: &Mutex<Lease>| *lease.lock().unwrap_or_else(PoisonError::into_inner);
        self.leases.iter().map(lease).collect()
    }

    /// For stores: ends the bucket's term, because its channel is in doubt or was just subscribed;
    /// both must end one. What is proven from now on is proven of the new term.
    pub fn begin_term(&self, bucket: Bucket) -> Term {
        let term = self.at(bucket).end_term();
        self.tell(|listener| listener.lost(bucket));
        term
    }

    /// For stores: all that was published before this moment has been delivered. Counts only in
    /// the term that it was proven in.
    pub fn caught_up(&self, bucket: Bucket, term: Term, until: Moment) {
        let mut lease = self.at(bucket);
        if lease.term == term {
            lease.heard = Heard::Until(until);
        }
    }

    /// For stores: this is the number of the latest message that was heard of a bucket. Counts only in
    /// the term that it was heard in.
    pub fn counted(&self, bucket: Bucket, term: Term, number: u64) {
        let mut lease = self.at(bucket);
        if lease.term == term {
            lease.number = Some(number);
        }
    }

    /// For stores: a session was written, or ended with `None`.
    pub fn deliver(&self, at: Address, revision: Option<u64>) {
        self.tell(|listener| listener.stale(at, revision));
    }

    /// For stores: something was revoked of which things may live this long.
    pub fn deliver_revoked(&self, at: Address, lasts: Duration) {
        self.tell(|listener| {
            listener.stale(at, None);
            listener.revoked(at, lasts);
        });
    }

    /// Tells all listeners of this process that it has changed a tag, before who changed it goes on.
    pub fn tag_changed(&self) {
        self.tell(|listener| listener.tag_changed());
    }

    /// For stores: all sessions of a bucket ended, or may have.
    pub fn deliver_all(&self, bucket: Bucket) {
        self.tell(|listener| listener.all_stale(bucket));
    }

    fn at(&self, bucket: Bucket) -> MutexGuard<'_, Lease> {
        let index = usize::from(bucket.index()) % self.leases.len();
        let lease = self.leases[index].lock();
        lease.unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, what: impl Fn(&dyn Listener)) {
        let listeners = self.listeners.read();
        let listeners = listeners.unwrap_or_else(PoisonError::into_inner);
        for listener in listeners.iter().filter_map(Weak::upgrade) {
            what(&*listener);
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("buckets", &self.leases.len())
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, ManualClock};

    fn setup() -> (ManualClock, Channel, Bucket) {
        let buckets = Buckets::default();
        let channel = Channel::new(&buckets, Duration::SECOND);
        (ManualClock::default(), channel, buckets.get(7).unwrap())
    }

    #[test]
    fn nothing_is_trusted_before_it_is_proven() {
        let (clock, channel, bucket) = setup();
        let term = channel.lease(bucket).term;
        assert_eq!(channel.lease(bucket).age(term, clock.moment()), None);
        let term = channel.begin_term(bucket);
        assert_eq!(channel.lease(bucket).age(term, clock.moment()), None);
        let sent = clock.moment();
        clock.advance(Duration::SECOND);
        channel.caught_up(bucket, term, sent);
        let lease = channel.lease(bucket);
        assert_eq!(lease.age(term, clock.moment()), Some(Duration::SECOND));
        assert_eq!(lease.term, term);
    }

    #[test]
    fn a_proof_of_an_earlier_term_counts_for_nothing() {
        let (clock, channel, bucket) = setup();
        let old = channel.begin_term(bucket);
        let new = channel.begin_term(bucket);
        channel.caught_up(bucket, old, clock.moment());
        let lease = channel.lease(bucket);
        assert_eq!((lease.term, lease.age(new, clock.moment())), (new, None));
        assert_eq!(lease.age(old, clock.moment()), None);
    }

    #[test]
    fn how_far_the_last_term_was_proven_is_remembered() {
        let (clock, channel, bucket) = setup();
        let old = channel.begin_term(bucket);
        channel.caught_up(bucket, old, clock.moment());
        clock.advance(Duration::SECOND);
        let new = channel.begin_term(bucket);
        channel.begin_term(bucket);
        clock.advance(Duration::SECOND);
        let lease = channel.lease(bucket);
        assert_eq!(lease.age(old, clock.moment()), Some(Duration::seconds(2)));
        assert_eq!(lease.age(new, clock.moment()), None);
    }

    #[test]
    fn other_buckets_are_left_alone() {
        let (clock, channel, bucket) = setup();
        let other = Buckets::default().get(8).unwrap();
        let term = channel.begin_term(other);
        channel.caught_up(other, term, clock.moment());
        channel.begin_term(bucket);
        assert!(channel.lease(other).age(term, clock.moment()).is_some());
    }
}
