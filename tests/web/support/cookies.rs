//! What a response does to the client's cookies.

use std::collections::BTreeMap;

use http::{HeaderMap, header};

/// The name of the cookie that holds the id, by default.
pub(crate) const ID: &str = "__Host-id";

/// The name of the cookie that holds the revision.
pub(crate) const REVISION: &str = "__Host-id-rev";

/// One `Set-Cookie` header, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetCookie {
    pub(crate) name: String,
    pub(crate) value: String,
    /// By name in lower case; those without a value have an empty one.
    pub(crate) attributes: BTreeMap<String, String>,
}

impl SetCookie {
    pub(crate) fn all(headers: &HeaderMap) -> Vec<Self> {
        let lines = headers.get_all(header::SET_COOKIE).into_iter();
        lines
            .map(|line| Self::parse(line.to_str().unwrap()))
            .collect()
    }

    fn parse(line: &str) -> Self {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let attribute = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (name.to_lowercase(), value.to_owned())
        };
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
            attributes: parts.map(attribute).collect(),
        }
    }

    /// The client is told to forget the cookie.
    pub(crate) fn removes(&self) -> bool {
        self.value.is_empty() && self.max_age() == Some(0)
    }

    /// In seconds.
    pub(crate) fn max_age(&self) -> Option<i64> {
        Some(self.attributes.get("max-age")?.parse().unwrap())
    }
}
