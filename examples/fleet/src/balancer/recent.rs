//! The last requests, for the page.

use crate::version::Version;
use serde::Serialize;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use time::OffsetDateTime;

/// How many requests are kept.
const KEPT: usize = 50;

/// The longest path that is kept, in characters.
const LONGEST_PATH: usize = 120;

/// One request that was forwarded, or could not be.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Entry {
    #[serde(with = "time::serde::rfc3339")]
    time: OffsetDateTime,
    method: String,
    path: String,
    status: u16,
    instance: Option<Arc<str>>,
    version: Option<Version>,
    ms: f64,
}

impl Entry {
    /// Begins the entry of a request that comes in now. A query is never kept.
    pub(super) fn begin(method: &http::Method, uri: &http::Uri) -> Self {
        Self {
            time: OffsetDateTime::now_utc(),
            method: method.to_string(),
            path: uri.path().chars().take(LONGEST_PATH).collect(),
            status: 0,
            instance: None,
            version: None,
            ms: 0.0,
        }
    }

    /// Completes it: who answered (nobody: `None`), how, and after how long.
    pub(super) fn end(
        self,
        by: Option<(Arc<str>, Version)>,
        status: http::StatusCode,
        took: std::time::Duration,
    ) -> Self {
        let (instance, version) = by.unzip();
        Self {
            status: status.as_u16(),
            instance,
            version,
            ms: (took.as_secs_f64() * 10_000.0).round() / 10.0,
            ..self
        }
    }
}

/// The last requests, oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<VecDeque<Entry>>);

impl Recent {
    /// Adds one; the oldest may go.
    pub(super) fn push(&self, entry: Entry) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// All that are kept.
    pub(super) fn list(&self) -> Vec<Entry> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Method, StatusCode, Uri};
    use std::time::Duration;

    #[test]
    fn the_last_fifty_stay_and_queries_go() {
        let recent = Recent::default();
        for n in 0..60 {
            let uri: Uri = format!("/slow{n}?value=secret").parse().unwrap();
            let entry = Entry::begin(&Method::GET, &uri);
            recent.push(entry.end(None, StatusCode::OK, Duration::from_micros(1_260)));
        }
        let list = recent.list();
        assert_eq!((list.len(), list[0].path.as_str()), (50, "/slow10"));
        let json = serde_json::to_value(&list[49]).unwrap();
        assert_eq!(
            (&json["path"], &json["ms"]),
            (&"/slow59".into(), &1.3.into())
        );
    }
}
