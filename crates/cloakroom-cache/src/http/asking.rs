//! What a request asks for: the key of its answer, and what else decides about it.

use super::entry::{Entry, Page};
use crate::{CacheKey, KeyWriter, Tag};
use bytes::Bytes;
use cloakroom_core::SessionUse;
use http::{HeaderMap, Uri, header, request::Parts};
use time::OffsetDateTime;

/// A request that may be answered by what is stored.
pub(crate) struct Asking {
    pub(crate) headers: HeaderMap,
    pub(crate) address: Address,
    pub(crate) principal: Option<String>,
    pub(crate) used: SessionUse,
    /// How often its session had been read when the principal was known: what was read to find it
    /// stands in the key.
    pub(crate) reads: u64,
    pub(crate) began: OffsetDateTime,
}

/// What a client called for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    scheme: Option<String>,
    host: Option<Vec<u8>>,
    path: String,
}

impl Address {
    pub(crate) fn of(parts: &Parts) -> Self {
        let uri = called(parts);
        let host = match uri.authority() {
            Some(authority) => Some(authority.as_str().as_bytes()),
            None => parts.headers.get(header::HOST).map(|host| host.as_bytes()),
        };
        Self {
            scheme: uri.scheme_str().map(str::to_ascii_lowercase),
            host: host.map(<[u8]>::to_ascii_lowercase),
            path: path_of(uri),
        }
    }

    /// The tag of all that is stored of it, for whatever host.
    pub(crate) fn tag(&self, cache: &str) -> Tag {
        tag_of_path(cache, &self.path)
    }

    /// The same of another address, as this one's response names it: `None` if it isn't on this host.
    pub(crate) fn tag_beside(&self, cache: &str, other: &str) -> Option<Tag> {
        let uri: Uri = other.parse().ok()?;
        let same_host = uri.authority().is_none_or(|authority| {
            let name = authority.as_str().to_ascii_lowercase();
            self.host.as_deref() == Some(name.as_bytes())
        });
        let absolute = same_host && uri.path().starts_with('/');
        absolute.then(|| tag_of_path(cache, &path_of(&uri)))
    }
}

/// In axum's nested routers a request's own address lacks what stands in front.
#[cfg(feature = "axum")]
fn called(parts: &Parts) -> &Uri {
    let original = parts.extensions.get::<axum::extract::OriginalUri>();
    original.map_or(&parts.uri, |original| &original.0)
}

#[cfg(not(feature = "axum"))]
fn called(parts: &Parts) -> &Uri {
    &parts.uri
}

pub(crate) fn path_of(uri: &Uri) -> String {
    uri.path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned()
}

/// One of a fixed number, which all addresses share: the store remembers a tag for long, and clients
/// make up as many addresses as they like.
pub(crate) fn tag_of_path(cache: &str, path: &str) -> Tag {
    let name = KeyWriter::bytes_of(&(cache, path));
    let hash = blake3::derive_key("cloakroom 2026-11 address tag v1", &name);
    Tag::of(&("http address", u16::from_be_bytes([hash[0], hash[1]])))
}

impl Asking {
    /// The key of the response that is looked at first.
    pub(crate) fn key(&self) -> Bytes {
        KeyWriter::bytes_of(&(0, self)).into()
    }

    /// The key of the response that is meant where an address has several.
    pub(crate) fn key_beside(&self, page: &Page) -> Bytes {
        let names: Vec<_> = page.vary.iter().map(|name| name.as_str()).collect();
        let values = super::vary::values(&page.vary, &self.headers);
        let values: Vec<_> = values.into_iter().map(|v| v.map(Bytes::from)).collect();
        KeyWriter::bytes_of(&(1, self, names, values)).into()
    }

    /// Whether its session was read for the response.
    pub(crate) fn read_session(&self) -> bool {
        self.used.reads() > self.reads
    }

    /// Whether an entry was made while this request waited.
    pub(crate) fn waited_for(&self, entry: &Entry) -> bool {
        entry.came > self.began
    }
}

impl CacheKey for Asking {
    fn write(&self, key: &mut KeyWriter) {
        let Address { scheme, host, path } = &self.address;
        let host = host.clone().map(Bytes::from);
        (scheme.clone(), host, path, self.principal.clone()).write(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn address(uri: &str, host: &str) -> Address {
        let request = Request::builder().uri(uri).header("host", host).body(());
        Address::of(&request.unwrap().into_parts().0)
    }

    #[test]
    fn hosts_are_told_apart_in_whatever_case() {
        let one = address("/a?b=1", "Shop.example");
        assert_eq!(one, address("/a?b=1", "shop.EXAMPLE"));
        assert_ne!(one, address("/a?b=1", "other.example"));
        assert_ne!(one, address("/a?b=2", "shop.example"));
        assert_ne!(one, address("/a", "shop.example"));
        assert_eq!(one.tag("c"), address("/a?b=1", "other.example").tag("c"));
        assert_ne!(one.tag("c"), one.tag("d"));
    }

    #[test]
    fn other_hosts_addresses_are_not_beside_it() {
        let one = address("/a", "shop.example");
        let beside = |other| one.tag_beside("c", other);
        assert_eq!(beside("/b"), Some(tag_of_path("c", "/b")));
        assert_eq!(
            beside("http://shop.example/b"),
            Some(tag_of_path("c", "/b"))
        );
        assert_eq!(beside("http://other.example/b"), None);
        assert_eq!(beside("b"), None);
    }
}
