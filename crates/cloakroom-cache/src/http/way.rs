//! What the cache does with a request, as far as its head tells: a pure decision.

use super::{directives::Directives, reason::Reason};
use http::{HeaderMap, HeaderName, Method, header, request::Parts};

/// What the cache does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Goes to the handler; afterwards what is stored of its address is invalid.
    Unsafe,
    /// Goes to the handler: its method is none that is cached.
    Method,
    /// Goes to the handler, because of this.
    Bypass(Reason),
    /// May be answered by what is stored, as these are.
    Lookup(Lookup),
}

/// How a stored response may answer a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// And if there is none, the handler makes one.
    Get,
    /// And if there is none, the handler answers.
    Head,
    /// And if there is none, nobody does: `only-if-cached`.
    OnlyStored,
}

impl Way {
    pub(crate) fn of(parts: &Parts, has_body: bool) -> Self {
        let headers = &parts.headers;
        let directives = Directives::of(headers);
        let lookup = match parts.method {
            Method::GET if directives.has("only-if-cached") => Lookup::OnlyStored,
            Method::HEAD if directives.has("only-if-cached") => Lookup::OnlyStored,
            Method::GET => Lookup::Get,
            Method::HEAD => Lookup::Head,
            Method::OPTIONS | Method::TRACE | Method::CONNECT => return Self::Method,
            _ => return Self::Unsafe,
        };
        let has = |name: HeaderName| headers.contains_key(name);
        match () {
            () if has(header::RANGE) => Self::Bypass(Reason::Range),
            () if has(header::IF_MATCH) || has(header::IF_UNMODIFIED_SINCE) => {
                Self::Bypass(Reason::Precondition)
            }
            () if has_body => Self::Bypass(Reason::Body),
            () if has(header::UPGRADE) => Self::Bypass(Reason::Upgrade),
            () if directives.has("no-store") => Self::Bypass(Reason::NoStore),
            () => Self::Lookup(lookup),
        }
    }
}

/// Whether a request proves who it is from in a way that only its handler understands.
pub(crate) fn is_authorized(headers: &HeaderMap, credentials: &[HeaderName]) -> bool {
    let usual = [header::AUTHORIZATION, header::PROXY_AUTHORIZATION];
    let all = usual.iter().chain(credentials);
    all.into_iter().any(|name| headers.contains_key(name))
}

/// What only a request's own handler may be asked: the answer that is stored is for all.
pub(crate) const CONDITIONS: [HeaderName; 2] = [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE];
