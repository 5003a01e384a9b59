//! Time as a seam: one file reads the machine's clock.

use std::{
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Instant,
};
use time::{Duration, OffsetDateTime};

/// What the time is.
pub trait Clock: Send + Sync + std::fmt::Debug + 'static {
    /// The time of day.
    fn now(&self) -> OffsetDateTime;

    /// A point to measure from.
    fn moment(&self) -> Moment {
        let day = self.now();
        let steady = day - OffsetDateTime::UNIX_EPOCH;
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
    steady: Duration,
    day: OffsetDateTime,
}

impl Moment {
    /// How much time has passed since an earlier moment; zero if it was later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let steady = self.steady - earlier.steady;
        steady.max(self.day - earlier.day).max(Duration::ZERO)
    }

    /// How much time has passed since an earlier moment, and never more: the shorter of what the two
    /// clocks say. For what must not be forgotten before its time.
    #[must_use]
    pub fn since_at_least(self, earlier: Self) -> Duration {
        let steady = self.steady - earlier.steady;
        steady.min(self.day - earlier.day).max(Duration::ZERO)
    }
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
        let steady = Duration::try_from(ORIGIN.elapsed()).unwrap_or(Duration::MAX);
        let day = self.now();
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
