//! What a near cache has done.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts since the near cache was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct NearStats {
    /// Reads that a copy answered.
    pub hits: u64,
    /// Reads that had to ask the store.
    pub misses: u64,
    /// Of those, reads that shared the load of another.
    pub joined: u64,
    /// Reads that found a copy which was not known to be fresh enough.
    pub doubted: u64,
    /// Values that were not kept, because something newer was announced while they were on their
    /// way.
    pub fenced: u64,
    /// Copies that were dropped because they were announced to be stale.
    pub stale: u64,
    /// Copies that were dropped to make room.
    pub evicted: u64,
    /// Reads that were answered by a copy that was older than wished, because the store could not
    /// be asked.
    pub at_worst: u64,
    /// Copies now.
    pub copies: u64,
    /// Bytes that they are reckoned to take.
    pub bytes: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) misses: AtomicU64,
    pub(crate) joined: AtomicU64,
    pub(crate) doubted: AtomicU64,
    pub(crate) fenced: AtomicU64,
    pub(crate) stale: AtomicU64,
    pub(crate) evicted: AtomicU64,
    pub(crate) at_worst: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl Counters {
    pub(crate) fn snapshot(&self) -> NearStats {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        NearStats {
            misses: read(&self.misses),
            joined: read(&self.joined),
            doubted: read(&self.doubted),
            fenced: read(&self.fenced),
            stale: read(&self.stale),
            evicted: read(&self.evicted),
            at_worst: read(&self.at_worst),
            ..NearStats::default()
        }
    }
}
