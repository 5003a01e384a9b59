//! A process's own copy of an entry.

use cloakroom_core::{Address, TagVersion};
use cloakroom_near::{Copied, Kept};
use std::sync::Arc;
use time::Duration;

/// About what a copy takes beside its value.
const OVERHEAD: usize = 256;
/// For how long a tag's version is remembered without asking again: its changes are announced.
const TAG_FOR: Duration = Duration::hours(1);

/// An entry as it was read or put, decoded.
pub(crate) struct Copy<V> {
    /// `None` if what the key names does not exist.
    pub(crate) value: Option<Arc<V>>,
    /// 0 if the store doesn't have it.
    pub(crate) revision: u64,
    /// From when it was read.
    pub(crate) fresh_for: Duration,
    /// From when it was read: fresh, or stale.
    pub(crate) usable_for: Duration,
    /// From the end of its fresh time.
    pub(crate) while_loading: Duration,
    /// How long its load took.
    pub(crate) took: Duration,
    /// Its tags, and their versions when its load began.
    pub(crate) tags: Box<[(Address, u64)]>,
    /// About how many bytes the value takes.
    pub(crate) weight: usize,
}

/// What a flight brings.
pub(crate) struct Arrival<V> {
    pub(crate) kept: Kept<Copy<V>>,
    pub(crate) from: From,
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Store,
    Loader,
}

/// How good a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// For so long more.
    Fresh(Duration),
    /// It may be served while it is loaded anew.
    WhileLoading,
    /// It may be served if it can't be loaded anew.
    InNeed,
    /// It may not be served.
    Over,
}

impl<V> Copy<V> {
    /// How good it is so long after it was read.
    pub(crate) fn age(&self, since: Duration) -> Age {
        match () {
            () if since < self.fresh_for => Age::Fresh(self.fresh_for - since),
            () if since >= self.usable_for => Age::Over,
            () if since < self.fresh_for.saturating_add(self.while_loading) => Age::WhileLoading,
            () => Age::InNeed,
        }
    }
}

impl<V: Send + Sync + 'static> Copied for Copy<V> {
    fn revision(&self) -> u64 {
        self.revision
    }

    fn weight(&self) -> usize {
        OVERHEAD + self.weight + 32 * self.tags.len()
    }

    fn good_for(&self) -> Duration {
        self.usable_for
    }

    /// What was loaded without the store holds no lease: a mark that stood meanwhile may end without
    /// a word.
    fn is_announced(&self) -> bool {
        self.revision != 0
    }
}

impl<V> Clone for Arrival<V> {
    fn clone(&self) -> Self {
        Self {
            kept: self.kept.clone(),
            from: self.from,
        }
    }
}

/// A process's own copy of a tag's version.
pub(crate) struct TagCopy(pub(crate) TagVersion);

impl Copied for TagCopy {
    fn revision(&self) -> u64 {
        1
    }

    fn weight(&self) -> usize {
        OVERHEAD
    }

    fn good_for(&self) -> Duration {
        TAG_FOR
    }
}
