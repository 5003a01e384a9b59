//! How an id travels between client and server.

mod cookie;
mod header;

pub use self::{
    cookie::{Cookie, SameSite},
    header::Header,
};
use cloakroom_core::SessionId;
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Presented {
    /// Nothing under our name.
    #[default]
    Nothing,
    /// Something that this deployment can't have issued, or two different ids.
    Rejected,
    /// A well-formed id; whether it leads anywhere is not known.
    Id(SessionId),
}

impl Presented {
    /// One more: two different ids, or one that is malformed, count as none.
    fn add(&mut self, id: Option<SessionId>) {
        *self = match (id, std::mem::replace(self, Self::Rejected)) {
            (Some(id), Self::Nothing) => Self::Id(id),
            (Some(id), Self::Id(same)) if id == same => Self::Id(id),
            _ => Self::Rejected,
        };
    }
}

/// The latest revision that the client has seen, of whichever session, by its own word: a false one
/// costs it a round trip.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    mark: String,
    revision: u64,
}

impl Seen {
    fn add(&mut self, text: &str) {
        let Some((mark, number)) = text.split_once('.') else {
            return;
        };
        if let Some(revision) = number.parse().ok().filter(|new| *new >= self.revision) {
            let mark = mark.to_owned();
            *self = Self { mark, revision };
        }
    }

    /// The revision, if it is one of this session's.
    pub(crate) fn of(&self, id: &SessionId) -> u64 {
        let ours = self.revision > 0 && self.mark == id.mark();
        if ours { self.revision } else { 0 }
    }
}

/// A part of what a request presented.
enum Part<'a> {
    Id(&'a str),
    Revision(&'a str),
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
    pub(crate) fn read(
        &self,
        headers: &mut HeaderMap,
        parse: impl Fn(&str) -> Option<SessionId>,
    ) -> (Presented, Seen) {
        if let Entry::Occupied(mut presented) = headers.entry(self.presented_in()) {
            presented.iter_mut().for_each(|v| v.set_sensitive(true));
        }
        let (mut presented, mut seen) = (Presented::default(), Seen::default());
        let each = |part: Part<'_>| match part {
            Part::Id(text) => presented.add(parse(text)),
            Part::Revision(text) => seen.add(text),
        };
        match self {
            Self::Cookie(cookie) => cookie.read(headers, each),
            Self::Header(header) => header.read(headers, each),
        }
        (presented, seen)
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

fn varies_by(headers: &HeaderMap, name: &str) -> bool {
    let all = headers.get_all(http::header::VARY).into_iter();
    all.filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|field| field.trim() == "*" || field.trim().eq_ignore_ascii_case(name))
}
