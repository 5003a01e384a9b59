//! What a history shows: what was counted, and which promises were broken.

use std::fmt;
use std::time::Duration;

/// What a history shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict {
    /// Reads that were answered.
    pub(crate) reads: usize,
    /// Writes and ends that were acknowledged.
    pub(crate) writes: usize,
    /// Operations that failed, or whose outcome nobody was told.
    pub(crate) failed: usize,
    /// The worst of the reads that asked for the bound or better.
    pub(crate) worst: Duration,
    pub(crate) slowest: Duration,
    /// Acknowledged writes, the making of sessions too, that Redis lost with a master.
    pub(crate) lost_writes: usize,
    /// Acknowledged ends that Redis lost with a master.
    pub(crate) lost_ends: usize,
    /// How long after a change of masters the last such end had been said again, at the longest.
    pub(crate) said_again: Duration,
    /// How long after the fault operations still failed.
    pub(crate) recovery: Duration,
    pub(crate) violations: Vec<Violation>,
}

/// A broken promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A read did not show what was acknowledged so long before.
    Stale {
        instance: usize,
        session: usize,
        by: Duration,
    },
    /// A read showed less than its client had seen.
    Backwards { session: usize },
    /// A read showed another value than was written.
    WrongValue { session: usize },
    /// A read found nothing, but nobody had ended the session.
    Vanished { session: usize },
    /// Two acknowledged writes made the same revision.
    Twice { session: usize },
    /// A write was acknowledged after the end was.
    Resurrected { session: usize },
    /// An acknowledged write is not in the store.
    LostWrite { session: usize },
    /// An ended session is in the store.
    LostEnd { session: usize },
    /// An operation took too long.
    Hung { took: Duration },
}

impl Violation {
    /// Whether it is about what a copy showed.
    pub(crate) fn is_stale(&self) -> bool {
        matches!(self, Self::Stale { .. })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            reads,
            writes,
            failed,
            worst,
            slowest,
            lost_writes,
            lost_ends,
            said_again,
            recovery,
            violations,
        } = self;
        write!(
            f,
            "{reads} reads, {writes} writes, {failed} failed, worst staleness {worst:.0?}, \
             slowest {slowest:.0?}, {lost_writes} writes and {lost_ends} ends lost by Redis, said \
             again after {said_again:.0?}, recovered after {recovery:.0?}, {} violations",
            violations.len()
        )?;
        let first = violations.iter().take(3);
        first.into_iter().try_for_each(|v| write!(f, "; {v:?}"))
    }
}
