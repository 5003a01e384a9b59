//! Loads that failed a moment ago, and are not tried again yet.

use crate::Error;
use cloakroom_core::{Address, Moment};
use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use time::Duration;

/// More are forgotten, all at once.
const MOST: usize = 16_384;

#[derive(Debug, Default)]
pub(crate) struct Failures {
    /// Read first: mostly there are none.
    count: AtomicUsize,
    failed: Mutex<HashMap<Address, Failure>>,
}

#[derive(Debug)]
struct Failure {
    when: Moment,
    /// For so long the error answers.
    back_off: Duration,
    /// For so long nothing is loaded where a stale value will do.
    stale_back_off: Duration,
    error: Error,
}

impl Failures {
    pub(crate) fn note(
        &self,
        at: Address,
        when: Moment,
        (back_off, stale_back_off): (Duration, Duration),
        error: Error,
    ) {
        if back_off.max(stale_back_off) <= Duration::ZERO {
            return;
        }
        let mut failed = self.failed();
        if failed.len() >= MOST {
            failed.retain(|_, failure| failure.lasts(when));
            if failed.len() >= MOST {
                failed.clear();
            }
        }
        let failure = Failure {
            when,
            back_off,
            stale_back_off,
            error,
        };
        failed.insert(at, failure);
        self.count.store(failed.len(), Relaxed);
    }

    /// It was loaded, or invalidated.
    pub(crate) fn forget(&self, at: Address) {
        if self.count.load(Relaxed) > 0 {
            let mut failed = self.failed();
            failed.remove(&at);
            self.count.store(failed.len(), Relaxed);
        }
    }

    /// Whether a load failed so lately that a stale value is to be served without another.
    pub(crate) fn is_known(&self, at: Address, now: Moment) -> bool {
        self.find(at, |failure| {
            now.since(failure.when) < failure.stale_back_off
        })
        .is_some()
    }

    /// The error that answers reads for a while.
    pub(crate) fn get(&self, at: Address, now: Moment) -> Option<Error> {
        self.find(at, |failure| now.since(failure.when) < failure.back_off)
    }

    fn find(&self, at: Address, lasts: impl Fn(&Failure) -> bool) -> Option<Error> {
        if self.count.load(Relaxed) == 0 {
            return None;
        }
        let failed = self.failed();
        let failure = failed.get(&at).filter(|failure| lasts(failure))?;
        Some(failure.error.clone())
    }

    fn failed(&self) -> MutexGuard<'_, HashMap<Address, Failure>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failure {
    fn lasts(&self, now: Moment) -> bool {
        now.since(self.when) < self.back_off.max(self.stale_back_off)
    }
}
