//! Time as a seam: one file reads the machine's clock.

use std::sync::{Arc, Mutex, PoisonError};
use time::{Duration, OffsetDateTime};

/// What the time is.
pub trait Clock: Send + Sync + std::fmt::Debug + 'static {
    /// The time of day.
    fn now(&self) -> OffsetDateTime;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
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
