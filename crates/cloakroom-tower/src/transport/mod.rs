//! How an id travels between client and server.

mod cookie;
mod header;

pub use self::{
    cookie::{Cookie, SameSite},
    header::Header,
};
use cloakroom_core::{Buckets, SessionId};
use http::{HeaderMap, HeaderName, header::Entry};
use time::Duration;

/// How an id travels: by [`Cookie`], the default, or by [`Header`] for clients without cookies.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Transport {
    /// `Cookie` and `Set-Cookie`.
    Cookie(Cookie),
    /// A header of the application's own.
    Header(Header),
}

impl From<Cookie> for Transport {
    fn from(cookie: Cookie) -> Self {
        Self::Cookie(cookie)
    }
}

impl From<Header> for Transport {
    fn from(header: Header) -> Self {
        Self::Header(header)
    }
}

/// What a request presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presented {
    /// Nothing under our name.
    Nothing,
    /// Something that this deployment can't have issued, or two different ids.
    Rejected,
    /// A well-formed id; whether it leads anywhere is not known.
    Id(SessionId),
}

/// What a response tells the client of its id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Tell {
    /// Nothing.
    #[default]
    Nothing,
    /// The session was written: this is its revision now.
    Revision { id: SessionId, revision: u64 },
    /// Here is your id, to be kept for so long, or until the client closes.
    Issue {
        id: SessionId,
        revision: u64,
        keep: Option<Duration>,
    },
    /// Forget your id: the session that it led to has ended.
    Remove,
}

impl Transport {
    /// Reads what was presented, and marks it as sensitive, so that no log shows it.
    pub(crate) fn read(&self, headers: &mut HeaderMap, buckets: &Buckets) -> Presented {
        if let Entry::Occupied(mut presented) = headers.entry(self.presented_in()) {
            presented.iter_mut().for_each(|v| v.set_sensitive(true));
        }
        let read = |text: &str| SessionId::parse(text, buckets);
        match self {
            Self::Cookie(cookie) => cookie.read(headers, read),
            Self::Header(header) => header.read(headers, read),
        }
    }

    /// The latest revision of this session that the client has seen, by its own word: a false one
    /// costs it a round trip.
    pub(crate) fn seen(&self, headers: &HeaderMap, id: &SessionId) -> u64 {
        let seen = match self {
            Self::Cookie(cookie) => cookie.seen(headers),
            Self::Header(header) => header.seen(headers),
        };
        let marked = seen.iter().filter_map(|text| text.split_once('.'));
        let numbers = marked.filter_map(|(mark, number)| Some((mark, number.parse().ok()?)));
        let latest = numbers.max_by_key(|(_, number)| *number);
        match latest {
            Some((mark, number)) if mark == id.mark() => number,
            _ => 0,
        }
    }

    /// Writes what the client is told, and keeps caches from sharing it.
    pub(crate) fn write(&self, headers: &mut HeaderMap, tell: &Tell, consulted: bool) {
        let written = match self {
            Self::Cookie(cookie) => cookie.write(headers, tell),
            Self::Header(header) => header.write(headers, tell),
        };
        let name = self.presented_in();
        if written {
            let no_store = http::HeaderValue::from_static("no-store");
            headers.insert(http::header::CACHE_CONTROL, no_store);
        }
        if (consulted || written) && !varies_by(headers, name.as_str()) {
            headers.append(http::header::VARY, name.into());
        }
    }

    /// The header that requests present their id in.
    fn presented_in(&self) -> HeaderName {
        match self {
            Self::Cookie(_) => http::header::COOKIE,
            Self::Header(header) => header.name().clone(),
        }
    }

    pub(crate) fn check(&self) -> cloakroom_core::Result<()> {
        match self {
            Self::Cookie(cookie) => cookie.check(),
            Self::Header(_) => Ok(()),
        }
    }
}

/// Ties a revision to its id, so that one never speaks for another.
pub(crate) fn revision_text(id: &SessionId, revision: u64) -> String {
    format!("{}.{revision}", id.mark())
}

/// One id from all that were presented: two different ones, or one that is malformed, count as
/// none.
fn only<'a>(
    values: impl Iterator<Item = &'a str>,
    read: impl Fn(&str) -> Option<SessionId>,
) -> Presented {
    let mut presented = Presented::Nothing;
    for value in values {
        presented = match (read(value), presented) {
            (Some(id), Presented::Nothing) => Presented::Id(id),
            (Some(id), Presented::Id(same)) if id == same => Presented::Id(id),
            _ => return Presented::Rejected,
        };
    }
    presented
}

fn varies_by(headers: &HeaderMap, name: &str) -> bool {
    let all = headers.get_all(http::header::VARY).into_iter();
    all.filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|field| field.trim() == "*" || field.trim().eq_ignore_ascii_case(name))
}
