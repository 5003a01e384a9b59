//! Sessions that the cases make.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::subject::Entry;

/// How long a session lives if its case says nothing: so long it stays in the store afterwards.
const LIFETIME: Duration = Duration::minutes(10);

/// An id that no session has.
pub(crate) fn fresh_id() -> i128 {
    // Each `RandomState` is keyed anew, from the operating system's entropy and a count.
    let half = || i128::from(RandomState::new().build_hasher().finish());
    (half() << 64) | half()
}

/// The instant that is this far from now.
pub(crate) fn from_now(by: Duration) -> OffsetDateTime {
    OffsetDateTime::now_utc() + by
}

impl Entry {
    /// A session to make: a new id, no attributes, ten minutes to live.
    pub(crate) fn fresh() -> Self {
        Self {
            id: fresh_id(),
            data: HashMap::new(),
            expiry_date: from_now(LIFETIME),
        }
    }

    pub(crate) fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.data.insert(name.into(), value.into());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.data.remove(name);
        self
    }

    pub(crate) fn under(self, id: i128) -> Self {
        Self { id, ..self }
    }

    pub(crate) fn until(self, expiry_date: OffsetDateTime) -> Self {
        Self {
            expiry_date,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_id_comes_twice() {
        let ids: HashSet<_> = (0..10_000).map(|_| fresh_id()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().any(|id| *id < 0) && ids.iter().any(|id| *id > 0));
    }
}
