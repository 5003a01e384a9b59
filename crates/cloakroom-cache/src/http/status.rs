//! `Cache-Status`: RFC 9211.

use super::reason::Reason;
use http::{HeaderMap, HeaderName, HeaderValue};
use time::Duration;

pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What the cache did with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// A stored response answered it, fresh for so much longer, or stale since.
    Hit { ttl: Duration },
    /// The handler was asked.
    Forwarded {
        why: Why,
        /// Its response was stored.
        stored: bool,
        /// It was asked for another request, and this one waited for it.
        collapsed: bool,
        /// Why it was not stored.
        detail: Option<Reason>,
    },
    /// Nothing is stored, and nothing else was wanted.
    NotStored,
}

/// Why the handler was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    Method,
    Bypass,
    /// Nothing is stored of the address.
    UriMiss,
    /// Nothing is stored that the request means.
    VaryMiss,
    /// What is stored is too old.
    Stale,
    /// The request didn't want what is stored.
    Request,
}

impl Status {
    pub(crate) fn forwarded(why: Why) -> Self {
        Self::Forwarded {
            why,
            stored: false,
            collapsed: false,
            detail: None,
        }
    }

    pub(crate) fn because(why: Why, reason: Reason) -> Self {
        Self::Forwarded {
            why,
            stored: false,
            collapsed: false,
            detail: Some(reason),
        }
    }

    /// Says it behind what others have said.
    pub(crate) fn append(self, cache: &str, headers: &mut HeaderMap) {
        let text = format!("{cache}{}", self.parameters());
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.append(CACHE_STATUS, value);
        }
    }

    fn parameters(self) -> String {
        match self {
            Self::Hit { ttl } => format!("; hit; ttl={}", ttl.whole_seconds()),
            Self::NotStored => "; detail=only-if-cached".to_owned(),
            Self::Forwarded {
                why,
                stored,
                collapsed,
                detail,
            } => {
                let mut text = format!("; fwd={}", why.word());
                if stored {
                    text.push_str("; stored");
                }
                if collapsed {
                    text.push_str("; collapsed");
                }
                if let Some(reason) = detail {
                    text.push_str("; detail=");
                    text.push_str(reason.word());
                }
                text
            }
        }
    }
}

impl Why {
    fn word(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Bypass => "bypass",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Stale => "stale",
            Self::Request => "request",
        }
    }
}

/// Whether a name may stand in the header as it is: a token of RFC 8941.
pub(crate) fn is_token(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'*';
    let part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte);
    name.bytes().next().is_some_and(letter) && name.bytes().all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_words_of_the_rfc() {
        let status = |status: Status| status.parameters();
        let ttl = Duration::seconds(-3);
        assert_eq!(status(Status::Hit { ttl }), "; hit; ttl=-3");
        let all = Status::Forwarded {
            why: Why::VaryMiss,
            stored: true,
            collapsed: true,
            detail: None,
        };
        assert_eq!(status(all), "; fwd=vary-miss; stored; collapsed");
        let pass = Status::because(Why::UriMiss, Reason::SetCookie);
        assert_eq!(status(pass), "; fwd=uri-miss; detail=set-cookie");
        assert_eq!(status(Status::forwarded(Why::Method)), "; fwd=method");
        assert!(is_token("Cloakroom/1") && !is_token("") && !is_token("a b") && !is_token("1"));
    }
}
