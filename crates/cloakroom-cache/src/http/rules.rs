//! Whether a response is stored, and for how long: a pure decision. The table is in the
//! [module's documentation](super).

use super::{Settings, directives::Directives, reason::Reason, vary};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_cache_semantics::{CacheOptions, CachePolicy};
use std::time::SystemTime;
use time::Duration;

/// What is known of a response beside its head.
pub(crate) struct Circumstances<'a> {
    /// A principal is part of the key.
    pub(crate) principal: bool,
    /// For the response, not for the principal.
    pub(crate) session_read: bool,
    pub(crate) session_changed: bool,
    /// It comes from another cache's layer, which had a principal.
    pub(crate) inner_principal: bool,
    /// How many tags it bears.
    pub(crate) tags: usize,
    pub(crate) settings: &'a Settings,
}

/// What becomes of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is stored, for so long.
    Keep(Times),
    /// It serves its own request alone, because of this.
    Pass(Reason),
}

/// For how long a response is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Times {
    /// From when it came.
    pub(crate) fresh: Duration,
    /// After that, while it is made anew.
    pub(crate) while_loading: Duration,
    /// After that, if it can't be made anew.
    pub(crate) on_error: Duration,
    /// The fresh time in seconds that was taken because the response says nothing of one.
    pub(crate) assumed: Option<u64>,
}

/// Tags that a handler may give a response; one more is its address.
pub(crate) const MOST_TAGS: usize = crate::envelope::MOST_TAGS - 1;

impl Circumstances<'_> {
    /// What becomes of a response with this head, which came then.
    pub(crate) fn judge(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        came: SystemTime,
    ) -> Verdict {
        let says = Directives::of(headers);
        if let Some(reason) = self.whose_else(headers, &says) {
            return Verdict::Pass(reason);
        }
        if is_stream(headers) {
            return Verdict::Pass(Reason::Stream);
        }
        if self.tags > MOST_TAGS {
            tracing::warn!(
                tags = self.tags,
                "a response with too many tags is not stored"
            );
            return Verdict::Pass(Reason::Tags);
        }
        let times = times(self.settings, !self.principal, status, headers, came);
        match policy(status, headers, times.assumed, !self.principal, came).is_storable() {
            false => Verdict::Pass(Reason::Status),
            true if times.is_nothing() => Verdict::Pass(Reason::NotFresh),
            true => Verdict::Keep(times),
        }
    }

    /// Why it is this request's alone.
    fn whose_else(&self, headers: &HeaderMap, says: &Directives) -> Option<Reason> {
        let varies = vary::names(headers);
        match () {
            () if self.session_changed => Some(Reason::SessionChanged),
            () if self.inner_principal => Some(Reason::Principal),
            () if self.session_read && !self.principal => Some(Reason::Session),
            () if headers.contains_key(header::SET_COOKIE) => Some(Reason::SetCookie),
            () if headers.contains_key("clear-site-data") => Some(Reason::ClearSiteData),
            () if says.has("no-store") => Some(Reason::NoStore),
            () if says.has("private") && !self.principal => Some(Reason::Private),
            () if varies.is_none() => Some(Reason::VaryAll),
            () if !self.principal && varies.is_some_and(|by| by.contains(&header::COOKIE)) => {
                Some(Reason::VaryCookie)
            }
            () => None,
        }
    }
}

/// For how long a response is good, of a layer with these settings.
pub(crate) fn times(
    settings: &Settings,
    shared: bool,
    status: StatusCode,
    headers: &HeaderMap,
    came: SystemTime,
) -> Times {
    let says = Directives::of(headers);
    let says_when = says.has("max-age")
        || headers.contains_key(header::EXPIRES)
        || (shared && says.has("s-maxage"));
    let assumed = (!says_when && settings.fresh_for >= Duration::SECOND)
        .then(|| settings.fresh_for.whole_seconds().unsigned_abs());
    let fresh = policy(status, headers, assumed, shared, came).time_to_live(came);
    let fresh = Duration::try_from(fresh).unwrap_or(Duration::ZERO);
    let (while_loading, on_error) = match () {
        // It says that it must not be used once it is stale.
        () if says.has_any(&["no-cache", "must-revalidate", "proxy-revalidate"]) => {
            (Duration::ZERO, Duration::ZERO)
        }
        () => {
            // So does this, but for what the response itself says.
            let unless_said = |setting| match shared && says.has("s-maxage") {
                true => Duration::ZERO,
                false => setting,
            };
            let said = |name, setting| says.seconds(name).unwrap_or(unless_said(setting));
            (
                said("stale-while-revalidate", settings.stale_while_revalidate),
                said("stale-if-error", settings.stale_if_error),
            )
        }
    };
    // What says nothing and is not assumed to be fresh was never meant to be stored.
    let meant = fresh > Duration::ZERO || says_when;
    match meant {
        true => Times {
            fresh,
            while_loading,
            on_error,
            assumed,
        },
        false => Times {
            assumed,
            ..Times::default()
        },
    }
}

impl Times {
    fn is_nothing(&self) -> bool {
        self.fresh.max(self.while_loading).max(self.on_error) <= Duration::ZERO
    }
}

/// A stream of events never ends, and each of its readers has one of their own.
fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("text/event-stream")
        || kind.eq_ignore_ascii_case("multipart/x-mixed-replace")
}

/// The rules of RFC 9111 for a response to a `GET` that has nothing to hide, which came then.
///
/// They are given what they need to know of it and nothing else. By what it varies, and whose it is, is
/// decided here: of several lines of one header the library sees the first.
pub(crate) fn policy(
    status: StatusCode,
    headers: &HeaderMap,
    assumed: Option<u64>,
    shared: bool,
    came: SystemTime,
) -> CachePolicy {
    let mut head = Response::new(());
    *head.status_mut() = status;
    let relevant = [header::EXPIRES, header::DATE, header::AGE, header::PRAGMA];
    for name in relevant {
        if let Some(value) = headers.get(&name) {
            head.headers_mut().insert(name, value.clone());
        }
    }
    let says = Directives::of(headers);
    let speaks = headers.contains_key(header::CACHE_CONTROL) || assumed.is_some();
    if let Some(value) = says.plain(assumed).filter(|_| speaks) {
        head.headers_mut().insert(header::CACHE_CONTROL, value);
    }
    let options = CacheOptions {
        shared,
        // Nothing is guessed from when something was last modified.
        cache_heuristic: 0.0,
        immutable_min_time_to_live: std::time::Duration::ZERO,
        ignore_cargo_cult: false,
    };
    CachePolicy::new_options(&Request::new(()), &head, came, options)
}

/// Whether a stored response may answer a request that says how old it may be.
pub(crate) fn satisfies(policy: &CachePolicy, request: &HeaderMap, now: SystemTime) -> bool {
    let mut asked = Request::new(());
    if let Some(pragma) = request.get(header::PRAGMA) {
        asked.headers_mut().insert(header::PRAGMA, pragma.clone());
    }
    if request.contains_key(header::CACHE_CONTROL) {
        // Where both speak, this one does.
        asked.headers_mut().remove(header::PRAGMA);
        let plain = Directives::of(request).plain(None);
        let plain = plain.unwrap_or(HeaderValue::from_static("no-cache"));
        asked.headers_mut().insert(header::CACHE_CONTROL, plain);
    }
    policy
        .before_request(&asked, now)
        .satisfies_without_revalidation()
}
