//! The cookie transport.

use super::{Part, Tell, revision_text};
pub use ::cookie::SameSite;
use cloakroom_core::{Error, ErrorKind, Result};
use http::{HeaderMap, HeaderValue, header};
use std::borrow::Cow;
use time::Duration;

/// Browsers keep no cookie longer than this.
const LONGEST_KEPT: Duration = Duration::days(400);
/// Nor do they heed longer attributes; three of these and the id stay below their 4096 bytes.
const LONGEST_PART: usize = 1024;

/// How the session's cookies look.
///
/// Defaults: name `__Host-id`, `Secure`, `HttpOnly`, `SameSite=Lax` (a link from elsewhere finds
/// the user logged in; a form posted from elsewhere does not), `Path=/`, no `Domain`, and no
/// `Max-Age` unless the session is remembered.
///
/// A second cookie, named with `-rev` behind it, tells the revision that the client has seen. It
/// is apart so that a response of an older request can never put an old id over a new one.
///
/// ```
/// use cloakroom_tower::{Cookie, SameSite};
///
/// let cookie = Cookie::new().name("__Host-shop").same_site(SameSite::Strict);
/// assert_eq!(cookie.revision_name(), "__Host-shop-rev");
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Cookie {
    name: Cow<'static, str>,
    revision_name: String,
    same_site: SameSite,
    path: Cow<'static, str>,
    domain: Option<String>,
    secure: bool,
}

impl Cookie {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            name: Cow::Borrowed(""),
            revision_name: String::new(),
            same_site: SameSite::Lax,
            path: Cow::Borrowed("/"),
            domain: None,
            secure: true,
        }
        .name("__Host-id")
    }

    /// Another name. One that begins with `__Host-` lets browsers refuse what a sub-domain or a
    /// plain-text connection tries to plant.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self.revision_name = format!("{}-rev", self.name);
        self
    }

    /// Whether other sites' requests carry the cookie.
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Limits the cookie to a path. Needs a name without `__Host-`.
    pub fn path(mut self, path: impl Into<Cow<'static, str>>) -> Self {
        self.path = path.into();
        self
    }

    /// Shares the cookie with sub-domains. Needs a name without `__Host-`.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Lets the cookie travel in plain text, under the name `id`: for development on localhost
    /// and nothing else.
    pub fn insecure_development() -> Self {
        Self {
            secure: false,
            ..Self::new().name("id")
        }
    }

    /// The name of the cookie that holds the id.
    #[must_use]
    pub fn id_name(&self) -> &str {
        &self.name
    }

    /// The name of the cookie that holds the revision.
    #[must_use]
    pub fn revision_name(&self) -> &str {
        &self.revision_name
    }

    pub(super) fn check(&self) -> Result<()> {
        let bad = |what: &'static str| Err(Error::new(ErrorKind::Config, what));
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let clean = |text: &str| text.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b';');
        let begins = |prefix: &str| {
            // Browsers know the prefixes in whatever case.
            let begin = self.name.get(..prefix.len());
            begin.is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
        };
        let domain = self.domain.as_deref().unwrap_or_default();
        let parts = [&*self.name, &*self.path, domain];
        match () {
            () if parts.iter().any(|part| part.len() > LONGEST_PART) => bad(
                "a cookie's name, path and domain have at most 1024 bytes each; browsers ignore longer ones",
            ),
            () if self.name.is_empty() || !self.name.bytes().all(token) => {
                bad("a cookie's name is made of letters, digits and !#$%&'*+-.^_`|~")
            }
            () if !self.path.starts_with('/') || !clean(&self.path) => {
                bad("a cookie's path begins with / and holds no control character or ;")
            }
            () if self
                .domain
                .as_deref()
                .is_some_and(|d| d.is_empty() || !clean(d)) =>
            {
                bad("a cookie's domain is a host's name")
            }
            () if begins("__Host-")
                && (self.domain.is_some() || self.path != "/" || !self.secure) =>
            {
                bad(
                    "a cookie named __Host-… is secure, has the path / and no domain; choose another name",
                )
            }
            () if !self.secure && begins("__Secure-") => {
                bad("a cookie named __Secure-… is secure; choose another name")
            }
            () if !self.secure && self.same_site == SameSite::None => {
                bad("browsers refuse SameSite=None without Secure")
            }
            () => Ok(()),
        }
    }

    /// Shows each of our cookies that a request bears.
    pub(super) fn read(&self, headers: &HeaderMap, mut each: impl FnMut(Part<'_>)) {
        for line in headers.get_all(header::COOKIE) {
            // Other applications' cookies may hold bytes that are no text; ours is ASCII.
            let line = String::from_utf8_lossy(line.as_bytes());
            for cookie in ::cookie::Cookie::split_parse(&*line).filter_map(Result::ok) {
                if cookie.name() == self.name {
                    each(Part::Id(cookie.value()));
                } else if cookie.name() == self.revision_name {
                    each(Part::Revision(cookie.value()));
                }
            }
        }
    }

    /// Says whether anything was written.
    pub(super) fn write(&self, headers: &mut HeaderMap, tell: &Tell) -> bool {
        match tell {
            Tell::Nothing => return false,
            Tell::Revision { id, revision } => {
                let value = revision_text(id, *revision);
                self.set(headers, &self.revision_name, &value, None);
            }
            Tell::Issue { id, revision, keep } => {
                let keep = keep.map(|keep| keep.min(LONGEST_KEPT));
                self.set(headers, &self.name, &id.expose_secret(), keep);
                let value = revision_text(id, *revision);
                self.set(headers, &self.revision_name, &value, keep);
            }
            Tell::Remove => {
                self.set(headers, &self.name, "", Some(Duration::ZERO));
                self.set(headers, &self.revision_name, "", Some(Duration::ZERO));
            }
        }
        true
    }

    fn set(&self, headers: &mut HeaderMap, name: &str, value: &str, keep: Option<Duration>) {
        let mut cookie = ::cookie::Cookie::build((name, value))
            .http_only(true)
            .secure(self.secure)
            .same_site(self.same_site)
            .path(&*self.path);
        if let Some(domain) = &self.domain {
            cookie = cookie.domain(domain);
        }
        if let Some(keep) = keep {
            cookie = cookie.max_age(keep);
        }
        let text = cookie.build().to_string();
        if let Ok(mut value) = HeaderValue::try_from(text) {
            value.set_sensitive(true);
            headers.append(header::SET_COOKIE, value);
        }
    }
}

impl Default for Cookie {
    fn default() -> Self {
        Self::new()
    }
}
