//! What is stored: a response, or that there is nothing to store.

use super::{reason::Reason, rules::policy, vary};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_cache_semantics::CachePolicy;
use std::{sync::Arc, time::SystemTime};
use time::{Duration, OffsetDateTime};

/// An entry of the cache.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Names the run of the handler that made it.
    pub(crate) run: u64,
    pub(crate) came: OffsetDateTime,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// The address was found to have nothing to store: for a while nobody waits for anybody.
    Pass(Reason),
    Page(Arc<Page>),
}

/// A response, without what belongs to one connection or one client.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The headers that it varies by.
    pub(crate) vary: Vec<HeaderName>,
    /// What its request said in them, [hashed](vary::values).
    pub(crate) chosen_by: Vec<Option<Vec<u8>>>,
    /// No principal is part of its key.
    pub(crate) shared: bool,
    /// The fresh time that was taken because the response says nothing of one.
    pub(crate) assumed: Option<u64>,
    pub(crate) policy: CachePolicy,
    pub(crate) fresh: Duration,
}

/// What a page is made of.
pub(crate) struct Parts {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) vary: Vec<HeaderName>,
    pub(crate) chosen_by: Vec<Option<Vec<u8>>>,
    pub(crate) shared: bool,
    pub(crate) assumed: Option<u64>,
    pub(crate) came: OffsetDateTime,
}

impl Page {
    /// Of headers as they are stored.
    pub(crate) fn new(parts: Parts) -> Self {
        let came = SystemTime::from(parts.came);
        let (status, assumed) = (parts.status, parts.assumed);
        let policy = policy(status, &parts.headers, assumed, parts.shared, came);
        let fresh = Duration::try_from(policy.time_to_live(came)).unwrap_or(Duration::MAX);
        Self {
            status,
            headers: parts.headers,
            body: parts.body,
            vary: parts.vary,
            chosen_by: parts.chosen_by,
            shared: parts.shared,
            assumed,
            policy,
            fresh,
        }
    }

    /// Whether it is the one that a request means.
    pub(crate) fn is_meant_by(&self, request: &HeaderMap) -> bool {
        vary::values(&self.vary, request) == self.chosen_by
    }
}

/// What of a response's head is stored, with a date, and with a tag of the body if it is to have one
/// and has none.
pub(crate) fn stored_headers(
    headers: &HeaderMap,
    came: OffsetDateTime,
    tag_of: Option<&[u8]>,
) -> HeaderMap {
    let mut stored = headers.clone();
    let named = headers.get_all(header::CONNECTION).into_iter();
    let named = named.filter_map(|value| value.to_str().ok());
    for name in named.flat_map(|list| list.split(',')) {
        stored.remove(name.trim());
    }
    for name in NOT_STORED {
        stored.remove(*name);
    }
    if !stored.contains_key(header::DATE) {
        let date = httpdate::fmt_http_date(came.into());
        if let Ok(date) = HeaderValue::try_from(date) {
            stored.insert(header::DATE, date);
        }
    }
    if let Some(body) = tag_of
        && !stored.contains_key(header::ETAG)
        && let Ok(tag) = HeaderValue::try_from(tag(body))
    {
        stored.insert(header::ETAG, tag);
    }
    stored
}

/// What belongs to one connection, or to one client; and the length, which the body tells.
const NOT_STORED: &[&str] = &[
    "authentication-info",
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "set-cookie2",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A weak one: layers around the cache may compress the body, and leave the tag as it is.
fn tag(body: &[u8]) -> String {
    let hash = blake3::derive_key("cloakroom 2026-11 response tag v1", body);
    let short = u128::from_be_bytes(std::array::from_fn(|at| hash[at]));
    format!("W/\"{short:032x}\"")
}

impl Entry {
    pub(crate) fn page(&self) -> Option<&Arc<Page>> {
        match &self.kind {
            Kind::Page(page) => Some(page),
            Kind::Pass(_) => None,
        }
    }
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page")
            .field("status", &self.status)
            .field("body", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_connection_or_a_client_is_stored() {
        let mut headers = HeaderMap::new();
        for name in NOT_STORED {
            headers.insert(*name, HeaderValue::from_static("x"));
        }
        headers.insert(header::CONNECTION, HeaderValue::from_static("close, X-Hop"));
        headers.insert("x-hop", HeaderValue::from_static("1"));
        headers.append("link", HeaderValue::from_static("a"));
        headers.append("link", HeaderValue::from_static("b"));
        headers.append("set-cookie", HeaderValue::from_static("b=2"));
        let stored = stored_headers(&headers, OffsetDateTime::UNIX_EPOCH, None);
        let names: Vec<_> = stored.keys().map(HeaderName::as_str).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        assert_eq!(stored.get_all("link").iter().count(), 2);
        assert_eq!(stored["date"], "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
