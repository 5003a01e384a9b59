//! Counters of what a cache has done.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])+ $name:ident),+ $(,)?) => {
        /// What a [`Cache`](crate::Cache) has done in this process since it was built.
        ///
        /// Counted without locks; a snapshot may catch one counter before another.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct CacheStats { $($(#[$doc])+ pub $name: u64),+ }

        impl CacheStats {
            /// Each counter's name and value, for whatever gathers metrics.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($name), self.$name)),+].into_iter()
            }
        }

        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64),+ }

        impl Counters {
            pub(crate) fn snapshot(&self) -> CacheStats {
                CacheStats { $($name: self.$name.load(Relaxed)),+ }
            }
        }
    };
}

counters! {
    /// Reads that a fresh near copy answered, without asking anybody.
    near_hits,
    /// Reads that the store's value answered.
    store_hits,
    /// Loaders run.
    loads,
    /// Reads that shared the fetch or load of another in this process.
    coalesced,
    /// Fetches that found another instance loading, and waited for it.
    waited,
    /// Load leases taken because their holder let them end: it died, or hung.
    takeovers,
    /// Loads begun before the value's fresh time was over.
    early,
    /// Reads answered by a stale value.
    stale,
    /// Values not kept, because they may be older than an invalidation, or a tag's change.
    refused,
    /// Values not kept, because they were too large.
    too_large,
    /// Stored bytes that were of no known form, and so misses.
    undecodable,
    /// Loaders that failed.
    load_errors,
    /// Loaders that panicked.
    panics,
    /// Loads, or waits for another's, that took longer than they may.
    timeouts,
    /// Operations that the store could not do.
    store_errors,
    /// Entries and tags invalidated.
    invalidations,
}

/// Counts one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
