//! Counters of what a layer has done.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])+ $name:ident),+ $(,)?) => {
        /// What the layers of one [`Sessions`](crate::Sessions) have done since it was built.
        ///
        /// Counted without locks; a snapshot may catch one counter before another.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats { $($(#[$doc])+ pub $name: u64),+ }

        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64),+ }

        impl Counters {
            pub(crate) fn snapshot(&self) -> Stats {
                Stats { $($name: self.$name.load(Relaxed)),+ }
            }
        }
    };
}

counters! {
    /// Sessions read from the store.
    loads,
    /// Of those, how many were there.
    loads_found,
    /// Commits and atomic updates that were written.
    commits,
    /// Atomic updates that found the attribute changed and went again.
    conflicts,
    /// Touches handed to the store.
    touches,
    /// Sessions made, anonymous or by login.
    created,
    /// Ids replaced, by rotation or at login.
    rotated,
    /// Sessions ended by logout or revocation.
    revoked,
    /// Sessions ended to keep a user within the limit.
    evicted,
    /// Requests whose id was malformed or ambiguous.
    rejected_ids,
    /// Writes that found their session gone or superseded.
    gone_writes,
    /// Operations that the store could not do.
    store_errors,
}

/// Counts one.
pub(crate) fn count(counter: &AtomicU64) {
    add(counter, 1);
}

/// Counts several.
pub(crate) fn add(counter: &AtomicU64, several: u64) {
    counter.fetch_add(several, Relaxed);
}
