//! Touches: sliding idle windows without a write for each read.

use crate::Address;
use std::collections::{BTreeSet, HashMap};
use time::{Duration, OffsetDateTime};

/// "This session was used this long ago": what slides its idle window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    /// Which session.
    pub at: Address,
    /// How long ago, so that no instance's clock is compared with the store's.
    pub ago: Duration,
}

/// Gathers uses of sessions into at most one touch for each in an interval.
///
/// A use is due one interval after the session was last touched: at once when that is long ago,
/// later otherwise, and then the touch tells of the latest use. So no use is ever forgotten, and
/// 1,000 reads in an interval cost at most one touch.
///
/// Plain state with no clock of its own: who owns it says what time it is.
///
/// ```
/// use cloakroom_core::{Buckets, Clock, ManualClock, OsEntropy, SessionId, Address, TouchQueue};
/// use time::Duration;
///
/// let (clock, mut queue) = (ManualClock::default(), TouchQueue::new(Duration::minutes(1)));
/// # let bucket = Buckets::default().get(0).unwrap();
/// # let at = Address { bucket, digest: SessionId::generate(bucket, &OsEntropy)?.digest() };
/// for _ in 0..1000 {
///     queue.used(at, Duration::ZERO, clock.now());
/// }
/// assert!(queue.take_due(clock.now()).is_empty());
/// clock.advance(Duration::minutes(1));
/// let touches = queue.take_due(clock.now());
/// assert_eq!(touches.len(), 1);
/// assert_eq!(touches[0].ago, Duration::minutes(1));
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Debug)]
pub struct TouchQueue {
    interval: Duration,
    known: HashMap<Address, Known>,
    due: BTreeSet<(OffsetDateTime, Address)>,
}

/// A session that was used, touched or written within the last interval.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// The latest use that the store doesn't know of.
    latest: Option<OffsetDateTime>,
    due: OffsetDateTime,
}

impl TouchQueue {
    /// A queue that lets at most one touch of a session through in this time.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self {
            interval,
            known: HashMap::new(),
            due: BTreeSet::new(),
        }
    }

    /// Notes that a session was used now, and that the store last saw it used this long `ago`.
    pub fn used(&mut self, at: Address, ago: Duration, now: OffsetDateTime) {
        let soonest = now.saturating_add(self.interval);
        match self.known.get_mut(&at) {
            Some(known) if known.due <= soonest => {
                known.latest = known.latest.max(Some(now));
                return;
            }
            // The clock was set back: what it showed before must not put touches off.
            Some(_) => self.forget(at),
            None => {}
        }
        let wait = (self.interval - ago).clamp(Duration::ZERO, self.interval);
        self.remember(at, Some(now), now.saturating_add(wait));
    }

    /// Notes that a session was written now, which slid its window too.
    pub fn written(&mut self, at: Address, now: OffsetDateTime) {
        self.forget(at);
        self.remember(at, None, now.saturating_add(self.interval));
    }

    /// Forgets a session that has ended.
    pub fn forget(&mut self, at: Address) {
        if let Some(known) = self.known.remove(&at) {
            self.due.remove(&(known.due, at));
        }
    }

    /// Takes the touches that are due.
    pub fn take_due(&mut self, now: OffsetDateTime) -> Vec<Touch> {
        let mut touches = Vec::new();
        while let Some((due, at)) = self.due.first().copied() {
            if due > now {
                break;
            }
            if let Some(touch) = self.take(at, now) {
                touches.push(touch);
                self.written(at, now);
            }
        }
        touches
    }

    /// Takes all touches, due or not: for a shutdown.
    pub fn take_all(&mut self, now: OffsetDateTime) -> Vec<Touch> {
        let all: Vec<_> = self.known.keys().copied().collect();
        all.into_iter()
            .filter_map(|at| self.take(at, now))
            .collect()
    }

    /// Gives back touches that the store did not take, to be due again in an interval.
    pub fn put_back(&mut self, touches: &[Touch], now: OffsetDateTime) {
        for touch in touches {
            let used = now.saturating_sub(touch.ago);
            match self.known.get_mut(&touch.at) {
                Some(known) => known.latest = known.latest.max(Some(used)),
                None => self.remember(touch.at, Some(used), now.saturating_add(self.interval)),
            }
        }
    }

    /// When there is something to do next, or `None` when nothing waits.
    #[must_use]
    pub fn next_due(&self) -> Option<OffsetDateTime> {
        self.due.first().map(|(due, _)| *due)
    }

    fn remember(&mut self, at: Address, latest: Option<OffsetDateTime>, due: OffsetDateTime) {
        self.known.insert(at, Known { latest, due });
        self.due.insert((due, at));
    }

    fn take(&mut self, at: Address, now: OffsetDateTime) -> Option<Touch> {
        let known = self.known.remove(&at)?;
        self.due.remove(&(known.due, at));
        let ago = (now - known.latest?).max(Duration::ZERO);
        Some(Touch { at, ago })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Buckets, Clock, ManualClock, OsEntropy, SessionId};

    fn setup() -> (ManualClock, TouchQueue, Address) {
        let bucket = Buckets::default().get(0).unwrap();
        let digest = SessionId::generate(bucket, &OsEntropy).unwrap().digest();
        let queue = TouchQueue::new(Duration::MINUTE);
        (ManualClock::default(), queue, Address { bucket, digest })
    }

    #[test]
    fn a_use_long_after_the_last_is_due_at_once_and_only_once() {
        let (clock, mut queue, at) = setup();
        queue.used(at, Duration::minutes(5), clock.now());
        assert_eq!(queue.take_due(clock.now()).len(), 1);
        // A store whose answers are old must not be touched again and again.
        queue.used(at, Duration::minutes(5), clock.now());
        assert!(queue.take_due(clock.now()).is_empty());
        clock.advance(Duration::MINUTE);
        assert_eq!(queue.take_due(clock.now()).len(), 1);
    }

    #[test]
    fn the_touch_tells_of_the_latest_use() {
        let (clock, mut queue, at) = setup();
        queue.used(at, Duration::ZERO, clock.now());
        clock.advance(Duration::seconds(50));
        queue.used(at, Duration::ZERO, clock.now());
        clock.advance(Duration::seconds(10));
        assert_eq!(queue.take_due(clock.now())[0].ago, Duration::seconds(10));
    }

    #[test]
    fn what_was_written_or_ended_needs_no_touch() {
        let (clock, mut queue, at) = setup();
        queue.used(at, Duration::minutes(5), clock.now());
        queue.written(at, clock.now());
        clock.advance(Duration::MINUTE);
        assert!(queue.take_due(clock.now()).is_empty());
        queue.used(at, Duration::minutes(5), clock.now());
        queue.forget(at);
        assert!(queue.take_all(clock.now()).is_empty());
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn a_touch_that_failed_comes_again() {
        let (clock, mut queue, at) = setup();
        queue.used(at, Duration::minutes(5), clock.now());
        let touches = queue.take_due(clock.now());
        queue.put_back(&touches, clock.now());
        clock.advance(Duration::MINUTE);
        assert_eq!(queue.take_due(clock.now())[0].ago, Duration::MINUTE);
        assert!(queue.take_all(clock.now()).is_empty());
    }
}
