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
/// let (clock, mut queue) = (ManualClock::default(), TouchQueue::new(Duration::minutes(1), Duration::HOUR));
/// # let bucket = Buckets::default().get(0).unwrap();
/// # let at = Address { bucket, digest: SessionId::generate(bucket, &OsEntropy)?.digest() };
/// for _ in 0..1000 {
///     queue.used(at, Duration::ZERO, Duration::HOUR, clock.now());
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
    /// The interval is meant for windows of this length and longer.
    window: Duration,
    known: HashMap<Address, Known>,
    due: BTreeSet<(OffsetDateTime, Address)>,
}

/// A session that was used, touched or written within the last interval.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// The latest use that the store doesn't know of.
    latest: Option<OffsetDateTime>,
    due: OffsetDateTime,
    idle: Duration,
}

/// A window is touched at least so often while it is used, however long the interval is.
const IN_A_WINDOW: i32 = 20;

impl TouchQueue {
    /// A queue that lets at most one touch of a session through in this time; for sessions with idle
    /// windows shorter than `window`, in a twentieth of theirs, if that is less.
    #[must_use]
    pub fn new(interval: Duration, window: Duration) -> Self {
        Self {
            interval,
            window,
            known: HashMap::new(),
            due: BTreeSet::new(),
        }
    }

    /// Notes that a session with this idle window was used now, and that the store last saw it used
    /// this long `ago`.
    pub fn used(&mut self, at: Address, ago: Duration, idle: Duration, now: OffsetDateTime) {
        let interval = self.interval_of(idle);
        let latest = now.saturating_add(interval);
        match self.known.get_mut(&at) {
            Some(known) if known.due <= latest => {
                known.latest = known.latest.max(Some(now));
                known.idle = idle;
            }
            // Put off for longer than its window allows, or since the clock was set back.
            Some(_) => {
                self.forget(at);
                self.remember(at, Some(now), latest, idle);
            }
            None => {
                let wait = (interval - ago).clamp(Duration::ZERO, interval);
                self.remember(at, Some(now), now.saturating_add(wait), idle);
            }
        }
    }

    /// Notes that a session was written now, which slid its window too.
    pub fn written(&mut self, at: Address, now: OffsetDateTime) {
        let idle = self.known.get(&at).map_or(self.window, |known| known.idle);
        self.forget(at);
        self.remember(at, None, now.saturating_add(self.interval_of(idle)), idle);
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
            let known = self.known.get(&at).copied();
            if let (Some(touch), Some(known)) = (self.take(at, now), known) {
                touches.push(touch);
                let due = now.saturating_add(self.interval_of(known.idle));
                self.remember(at, None, due, known.idle);
            }
        }
        touches
    }

    /// Takes all touches, due or not: for a shutdown.
    pub fn take_all(&mut self, now: OffsetDateTime) -> Vec<Touch> {
        let all = self.known.iter_mut();
        let touch = |(at, known): (&Address, &mut Known)| {
            let ago = (now - known.latest.take()?).max(Duration::ZERO);
            Some(Touch { at: *at, ago })
        };
        all.filter_map(touch).collect()
    }

    /// Gives back touches that the store did not take, which were `taken` then: to be due again in an
    /// interval. What was forgotten meanwhile, and whose window has passed by now, is let go.
    pub fn put_back(&mut self, touches: &[Touch], taken: OffsetDateTime) {
        for touch in touches {
            let used = taken.saturating_sub(touch.ago);
            if let Some(known) = self.known.get_mut(&touch.at)
                && touch.ago < known.idle
            {
                known.latest = known.latest.max(Some(used));
            }
        }
    }

    /// When there is something to do next, or `None` when nothing waits.
    #[must_use]
    pub fn next_due(&self) -> Option<OffsetDateTime> {
        self.due.first().map(|(due, _)| *due)
    }

    fn remember(
        &mut self,
        at: Address,
        latest: Option<OffsetDateTime>,
        due: OffsetDateTime,
        idle: Duration,
    ) {
        let known = Known { latest, due, idle };
        self.known.insert(at, known);
        self.due.insert((due, at));
    }

    fn interval_of(&self, idle: Duration) -> Duration {
        if idle < self.window {
            self.interval.min(idle / IN_A_WINDOW).max(Duration::ZERO)
        } else {
            self.interval
        }
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
        let queue = TouchQueue::new(Duration::MINUTE, Duration::HOUR);
        (ManualClock::default(), queue, Address { bucket, digest })
    }

    #[test]
    fn a_use_long_after_the_last_is_due_at_once_and_only_once() {
        let (clock, mut queue, at) = setup();
        queue.used(at, Duration::minutes(5), Duration::HOUR, clock.now());
        assert_eq!(queue.take_due(clock.now()).len(), 1);
        // A store whose answers are old must not be touched again and again.
        queue.used(at, Duration::minutes(5), Duration::HOUR, clock.now());
        assert!(queue.take_due(clock.now()).is_empty());
        clock.advance(Duration::MINUTE);
        assert_eq!(queue.take_due(clock.now()).len(), 1);
    }

    #[test]
    fn the_touch_tells_of_the_latest_use() {
        let (clock, mut queue, at) = setup();
        queue.used(at, Duration::ZERO, Duration::HOUR, clock.now());
        clock.advance(Duration::seconds(50));
        queue.used(at, Duration::ZERO, Duration::HOUR, clock.now());
        clock.advance(Duration::seconds(10));
        assert_eq!(queue.take_due(clock.now())[0].ago, Duration::seconds(10));
    }

    #[test]
    fn what_was_written_or_ended_needs_no_touch() {
        let (clock, mut queue, at) = setup();
        queue.used(at, Duration::minutes(5), Duration::HOUR, clock.now());
        queue.written(at, clock.now());
        clock.advance(Duration::MINUTE);
        assert!(queue.take_due(clock.now()).is_empty());
        queue.used(at, Duration::minutes(5), Duration::HOUR, clock.now());
        queue.forget(at);
        assert!(queue.take_all(clock.now()).is_empty());
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn a_short_window_is_touched_sooner_and_no_oftener_than_it_needs() {
        let (clock, mut queue, at) = setup();
        let (idle, step) = (Duration::seconds(20), Duration::milliseconds(100));
        queue.written(at, clock.now());
        let mut touches = 0;
        for _ in 0..200 {
            clock.advance(step);
            // What a copy shows of its last use doesn't change.
            queue.used(at, Duration::seconds(19), idle, clock.now());
            touches += queue.take_due(clock.now()).len();
        }
        assert!((18..=20).contains(&touches), "{touches} in 20 s");
    }

    #[test]
    fn a_touch_that_failed_comes_again() {
        let (clock, mut queue, at) = setup();
        queue.used(at, Duration::minutes(5), Duration::HOUR, clock.now());
        let taken = clock.now();
        let touches = queue.take_due(taken);
        // The attempt takes its time, and moves no use.
        clock.advance(Duration::SECOND);
        queue.put_back(&touches, taken);
        clock.advance(Duration::seconds(59));
        assert_eq!(queue.take_due(clock.now())[0].ago, Duration::MINUTE);
        assert!(queue.take_all(clock.now()).is_empty());
    }

    #[test]
    fn a_touch_that_failed_for_a_window_is_let_go() {
        let (clock, mut queue, at) = setup();
        queue.used(at, Duration::minutes(5), Duration::HOUR, clock.now());
        for minute in 0..=60 {
            let taken = clock.now();
            let touches = queue.take_due(taken);
            assert_eq!(touches.len(), 1, "{minute}");
            queue.put_back(&touches, taken);
            clock.advance(Duration::MINUTE);
        }
        assert!(queue.take_due(clock.now()).is_empty());
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn a_longer_interval_than_usual_is_kept_to() {
        let (clock, _, at) = setup();
        let mut queue = TouchQueue::new(Duration::minutes(10), Duration::minutes(30));
        queue.written(at, clock.now());
        clock.advance(Duration::minutes(9));
        queue.used(at, Duration::minutes(9), Duration::minutes(30), clock.now());
        assert!(queue.take_due(clock.now()).is_empty());
        clock.advance(Duration::minutes(1));
        assert_eq!(queue.take_due(clock.now()).len(), 1);
    }
}
