//! Time as a seam: one file reads the machine's clock.

use std::{
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::{Instant, SystemTime},
};
use time::{Duration, OffsetDateTime};

/// What the time is.
pub trait Clock: Send + Sync + std::fmt::Debug + 'static {
    /// The time of day.
    fn now(&self) -> OffsetDateTime;

    /// A point to measure from.
    fn moment(&self) -> Moment {
        let day = nanoseconds((self.now() - OffsetDateTime::UNIX_EPOCH).whole_nanoseconds());
        let steady = day;
        Moment { steady, day }
    }
}

/// A point in time to measure from, on this machine alone.
///
/// A steady clock stands still while a machine sleeps, and the time of day may be set back; so both
/// are read, and what has passed is the longer of the two. That may be too long, which is safe
/// where something must not be trusted for longer than a limit, and never too short.
///
/// ```
/// use cloakroom_core::{Clock, SystemClock};
/// use time::Duration;
///
/// let (earlier, later) = (SystemClock.moment(), SystemClock.moment());
/// assert!(later.since(earlier) >= Duration::ZERO);
/// assert_eq!(earlier.since(earlier), Duration::ZERO);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Nanoseconds since an origin, on a steady clock.
    steady: i64,
    /// Nanoseconds since 1970, by the time of day.
    day: i64,
}

impl Moment {
    /// How much time has passed since an earlier moment; zero if it was later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let steady = self.steady.saturating_sub(earlier.steady);
        let day = self.day.saturating_sub(earlier.day);
        Duration::nanoseconds(steady.max(day).max(0))
    }

    /// How much time has passed since an earlier moment by the steady clock alone, which nobody sets:
    /// never more than has. For what must not be forgotten before its time.
    #[must_use]
    pub fn since_at_least(self, earlier: Self) -> Duration {
        let steady = self.steady.saturating_sub(earlier.steady);
        Duration::nanoseconds(steady.max(0))
    }
}

/// What would be before 1677 or after 2262 is at that end.
fn nanoseconds(number: i128) -> i64 {
    number.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn moment(&self) -> Moment {
        static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
        let whole = |time: std::time::Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        let day = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => whole(since),
            Err(before) => -whole(before.duration()),
        };
        let steady = whole(ORIGIN.elapsed());
        Moment { steady, day }
    }
}

/// A clock that stands still until a test moves it. Clones show the same time.
///
/// ```
/// use cloakroom_core::{Clock, ManualClock};
/// use time::Duration;
///
/// let clock = ManualClock::default();
/// let before = clock.now();
/// clock.advance(Duration::minutes(30));
/// assert_eq!(clock.now() - before, Duration::minutes(30));
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<OffsetDateTime>>);

impl ManualClock {
    /// Moves the time on, or back when negative.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.saturating_add(by);
    }
}

impl Default for ManualClock {
    /// Starts on 2026-01-01, midnight UTC.
    fn default() -> Self {
        Self(Arc::new(Mutex::new(
            OffsetDateTime::UNIX_EPOCH + Duration::days(20_454),
        )))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
