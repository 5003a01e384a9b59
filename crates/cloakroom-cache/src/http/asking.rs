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
    /// What a proxy says of what its client called for, or a client that was let through: handlers and
    /// what they are made of may believe it.
    forwarded: Vec<Option<Vec<u8>>>,
}

/// Headers that say so, beside `Forwarded`.
const FORWARDED: [&str; 9] = [
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-forwarded-ssl",
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
];

impl Address {
    /// `None` if the request names two hosts: who makes its answer may believe either.
    pub(crate) fn of(parts: &Parts) -> Option<Self> {
        let address = Self::called(parts);
        let hosts = parts.headers.get_all(header::HOST);
        let mut hosts = hosts.iter().map(|host| host.as_bytes());
        let one = hosts.all(|host| {
            let named = address.host.as_deref();
            named.is_some_and(|named| named.eq_ignore_ascii_case(host))
        });
        one.then_some(address)
    }

    /// Of the host that it names first.
    pub(crate) fn called(parts: &Parts) -> Self {
        let uri = called(parts);
        let host = match uri.authority() {
            Some(authority) => Some(authority.as_str().as_bytes()),
            None => parts.headers.get(header::HOST).map(|host| host.as_bytes()),
        };
        Self {
            scheme: uri.scheme_str().map(str::to_ascii_lowercase),
            host: host.map(<[u8]>::to_ascii_lowercase),
            path: path_of(uri),
            forwarded: forwarded(&parts.headers),
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

fn forwarded(headers: &HeaderMap) -> Vec<Option<Vec<u8>>> {
    let lines = |name: &str| {
        let lines: Vec<_> = headers.get_all(name).iter().collect();
        let lines: Vec<_> = lines.iter().map(|value| value.as_bytes()).collect();
        (!lines.is_empty()).then(|| lines.join(&b", "[..]))
    };
    let all: Vec<_> = FORWARDED.into_iter().map(lines).collect();
    let standard = lines("forwarded").map(|value| without_clients(&value));
    all.into_iter().chain([standard]).collect()
}

/// The value of `Forwarded` without who has forwarded it for whom: that is another for each client.
fn without_clients(value: &[u8]) -> Vec<u8> {
    let pairs = value.split(|byte| b",;".contains(byte));
    let names_a_client = |pair: &&[u8]| {
        let start = pair.trim_ascii().get(..4);
        start.is_some_and(|start| start.eq_ignore_ascii_case(b"for="))
            || pair
                .trim_ascii()
                .get(..3)
                .is_some_and(|start| start.eq_ignore_ascii_case(b"by="))
    };
    let rest: Vec<_> = pairs.filter(|pair| !names_a_client(pair)).collect();
    rest.join(&b';')
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
        let Address {
            scheme,
            host,
            path,
            forwarded,
        } = &self.address;
        let host = host.clone().map(Bytes::from);
        let forwarded = forwarded.iter().cloned();
        let forwarded: Vec<_> = forwarded.map(|value| value.map(Bytes::from)).collect();
        (
            scheme.clone(),
            host,
            path,
            forwarded,
            self.principal.clone(),
        )
            .write(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn address(uri: &str, host: &str) -> Address {
        let request = Request::builder().uri(uri).header("host", host).body(());
        Address::of(&request.unwrap().into_parts().0).unwrap()
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
    fn of_what_was_forwarded_for_whom_nothing_counts() {
        let rest = |value: &[u8]| String::from_utf8(without_clients(value)).unwrap();
        let one = rest(b"for=1.2.3.4;host=a;proto=https");
        assert_eq!(
            one,
            rest(b"For=\"[::1]:4\"; By=x;host=a;proto=https".as_slice())
        );
        assert_ne!(one, rest(b"for=1.2.3.4;host=b;proto=https"));
        assert!(rest(b"for=\"x;host=b\"").contains("host=b"));
        assert!(rest(b"for=x,host=b").contains("host=b"));
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
