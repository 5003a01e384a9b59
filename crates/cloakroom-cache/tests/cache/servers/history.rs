//! What a history of changes and reads of one key proves: a pure function.

use std::time::{Duration, Instant};

/// A change whose invalidation has returned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) instance: usize,
    pub(crate) returned: Instant,
}

/// A read, and the version that it showed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Read {
    pub(crate) version: u64,
    pub(crate) instance: usize,
    pub(crate) began: Instant,
}

/// All of one key.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) changes: Vec<Change>,
    pub(crate) reads: Vec<Read>,
}

/// What a read showed too little of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stale {
    pub(crate) shown: u64,
    pub(crate) owed: u64,
}

impl History {
    /// The reads that showed less than they must.
    pub(crate) fn stale(&self, bound: Duration) -> Vec<Stale> {
        let all = self.reads.iter().map(|read| Stale {
            shown: read.version,
            owed: self.owed(read, bound),
        });
        all.filter(|read| read.shown < read.owed).collect()
    }

    /// Which version a read must show at least: what was changed by its own instance before it began,
    /// and by any other longer before than the bound.
    fn owed(&self, read: &Read, bound: Duration) -> u64 {
        let seen = self.changes.iter().filter(|change| {
            let limit = if change.instance == read.instance {
                change.returned
            } else {
                change.returned + bound
            };
            limit < read.began
        });
        seen.map(|change| change.version).max().unwrap_or(0)
    }

    /// How long ago the oldest change was that a read did not show.
    pub(crate) fn worst(&self) -> Duration {
        let ages = self.reads.iter().filter_map(|read| {
            let missed = self.changes.iter().filter(|c| c.version > read.version);
            let first = missed.map(|change| change.returned).min()?;
            read.began.checked_duration_since(first)
        });
        ages.max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_millis(100);

    fn history(changes: &[(u64, usize, u64)], reads: &[(u64, usize, u64)]) -> History {
        let zero = Instant::now();
        let at = |ms: u64| zero + Duration::from_millis(ms);
        let change = |&(version, instance, ms)| Change {
            version,
            instance,
            returned: at(ms),
        };
        let read = |&(version, instance, ms)| Read {
            version,
            instance,
            began: at(ms),
        };
        History {
            changes: changes.iter().map(change).collect(),
            reads: reads.iter().map(read).collect(),
        }
    }

    #[test]
    fn another_instance_may_be_stale_for_as_long_as_the_bound() {
        let fine = history(&[(1, 0, 10)], &[(0, 1, 5), (0, 1, 110), (1, 1, 111)]);
        assert_eq!(fine.stale(BOUND), []);
        assert_eq!(fine.worst(), BOUND);
        let bad = history(&[(1, 0, 10)], &[(0, 1, 111)]);
        assert_eq!(bad.stale(BOUND), [Stale { shown: 0, owed: 1 }]);
    }

    #[test]
    fn the_same_instance_is_never_stale() {
        let bad = history(&[(1, 0, 10), (2, 0, 20)], &[(2, 0, 21), (1, 0, 21)]);
        assert_eq!(bad.stale(BOUND), [Stale { shown: 1, owed: 2 }]);
    }

    #[test]
    fn an_old_value_that_comes_back_is_found() {
        let bad = history(&[(1, 0, 0), (2, 1, 0)], &[(2, 0, 150), (1, 0, 160)]);
        assert_eq!(bad.stale(BOUND), [Stale { shown: 1, owed: 2 }]);
    }

    #[test]
    fn a_read_may_show_what_has_not_returned_yet() {
        let fine = history(&[(1, 0, 50)], &[(1, 1, 20), (0, 0, 49)]);
        assert_eq!(fine.stale(BOUND), []);
    }
}
