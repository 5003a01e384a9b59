//! A response, read to its end.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::HeaderMap;
use http::header::SET_COOKIE;
use serde_json::Value;

/// A response, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Reads a response to its end.
    pub(crate) async fn read(response: reqwest::Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await?;
        Ok(Self {
            status,
            headers,
            body,
        })
    }

    /// Checks the status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// The body as text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body as a JSON object with exactly these members.
    #[track_caller]
    pub(crate) fn object(&self, members: &[&str]) -> Value {
        let body = self.json();
        check_members(&body, members);
        body
    }

    /// Checks that the body is `{"error": …}` and that the error says `part`.
    #[track_caller]
    pub(crate) fn complains(&self, part: &str) {
        let body = self.json();
        let error = body["error"].as_str().unwrap_or_default();
        assert!(error.contains(part), "{part:?} is not in {body}");
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What `Set-Cookie` lines give the cookie `id`; a removal gives it an empty value.
    pub(crate) fn new_id(&self) -> Option<&str> {
        let lines = self.headers.get_all(SET_COOKIE).iter();
        lines
            .filter_map(|line| line.to_str().ok()?.split(';').next()?.strip_prefix("id="))
            .next_back()
    }
}

/// Checks that a JSON object has exactly these members.
#[track_caller]
pub(crate) fn check_members(object: &Value, members: &[&str]) {
    let found: BTreeSet<_> = object
        .as_object()
        .unwrap_or_else(|| panic!("{object} is no object"))
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(found, members.iter().copied().collect(), "{object}");
}
