//! What a loader brings.

use crate::Tag;
use time::Duration;

/// A loaded value, and what its loader says of it. A loader that has nothing to say returns the value
/// itself, or an `Option` where what the key names may not exist.
///
/// ```
/// use cloakroom_cache::Load;
/// use time::Duration;
///
/// let load = Load::new("tea").fresh_for(Duration::HOUR).tag("products").tag("product:7");
/// assert_eq!(load.value(), Some(&"tea"));
/// assert_eq!(Load::<&str>::from(None).value(), None);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Load<V> {
    pub(crate) value: Option<V>,
    pub(crate) fresh_for: Option<Duration>,
    pub(crate) while_loading: Option<Duration>,
    pub(crate) on_error: Option<Duration>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) keep: bool,
}

impl<V> Load<V> {
    /// A value.
    pub fn new(value: V) -> Self {
        Self::with(Some(value))
    }

    /// What the key names does not exist. Kept for a time of its own.
    pub fn absent() -> Self {
        Self::with(None)
    }

    fn with(value: Option<V>) -> Self {
        Self {
            value,
            fresh_for: None,
            while_loading: None,
            on_error: None,
            tags: Vec::new(),
            keep: true,
        }
    }

    /// The value, if there is one.
    #[must_use]
    pub fn value(&self) -> Option<&V> {
        self.value.as_ref()
    }

    /// It is fresh for this long, whatever the cache's own time is.
    pub fn fresh_for(mut self, time: Duration) -> Self {
        self.fresh_for = Some(time);
        self
    }

    /// For this long after its fresh time it may be served while it is loaded anew.
    pub fn stale_while_loading(mut self, time: Duration) -> Self {
        self.while_loading = Some(time);
        self
    }

    /// For this long after its fresh time it may be served if it can't be loaded anew.
    pub fn stale_on_error(mut self, time: Duration) -> Self {
        self.on_error = Some(time);
        self
    }

    /// It goes when this tag is invalidated; at most 64.
    pub fn tag(mut self, tag: impl Into<Tag>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Gives it to those who wait for it, and keeps it nowhere.
    pub fn not_kept(mut self) -> Self {
        self.keep = false;
        self
    }
}

impl<V> From<V> for Load<V> {
    fn from(value: V) -> Self {
        Self::new(value)
    }
}

impl<V> From<Option<V>> for Load<V> {
    fn from(value: Option<V>) -> Self {
        Self::with(value)
    }
}
