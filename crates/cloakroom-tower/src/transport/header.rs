//! The header transport.

use super::{Part, Tell, revision_text};
use cloakroom_core::{Error, ErrorKind, Result};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Headers that caches, proxies or this layer itself read otherwise.
const RESERVED: [HeaderName; 10] = [
    header::COOKIE,
    header::SET_COOKIE,
    header::VARY,
    header::CACHE_CONTROL,
    header::AUTHORIZATION,
    header::HOST,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
];

/// Carries the id in a header of the application's own, for clients without cookies.
///
/// A request sends the id in it. A response that issues an id has it under the same name, and
/// with it the revision, under the name with `-revision` behind it; one that ends the session has
/// the id empty. A client that sends the latest revision back reads its own writes on any instance.
///
/// ```
/// use cloakroom_tower::Header;
///
/// assert!(Header::new("x-session").is_ok());
/// assert!(Header::new("no good").is_err());
/// assert!(Header::new("cookie").is_err());
/// ```
#[derive(Debug, Clone)]
pub struct Header {
    name: HeaderName,
    revision_name: HeaderName,
}

impl Header {
    /// Uses the header of this name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if no header can have this name, or if it means something else in
    /// HTTP.
    pub fn new(name: &str) -> Result<Self> {
        if RESERVED
            .iter()
            .any(|taken| name.eq_ignore_ascii_case(taken.as_str()))
        {
            return Err(Error::new(
                ErrorKind::Config,
                "this header means something else in HTTP; choose a name of your own",
            ));
        }
        let parse = |name: String| {
            HeaderName::try_from(name).map_err(|e| {
                Error::new(ErrorKind::Config, "no header can have this name").with_source(e)
            })
        };
        Ok(Self {
            name: parse(name.to_ascii_lowercase())?,
            revision_name: parse(format!("{}-revision", name.to_ascii_lowercase()))?,
        })
    }

    pub(super) fn name(&self) -> &HeaderName {
        &self.name
    }

    /// Shows each of our headers that a request bears.
    pub(super) fn read(&self, headers: &HeaderMap, mut each: impl FnMut(Part<'_>)) {
        for id in headers.get_all(&self.name) {
            // What is no text is no id.
            each(Part::Id(id.to_str().unwrap_or_default()));
        }
        for revision in headers.get_all(&self.revision_name) {
            each(Part::Revision(revision.to_str().unwrap_or_default()));
        }
    }

    pub(super) fn write(&self, headers: &mut HeaderMap, tell: &Tell) -> bool {
        match tell {
            Tell::Nothing => return false,
            Tell::Revision { id, revision } => {
                set(headers, &self.revision_name, &revision_text(id, *revision));
            }
            Tell::Issue { id, revision, .. } => {
                set(headers, &self.name, &id.expose_secret());
                set(headers, &self.revision_name, &revision_text(id, *revision));
            }
            Tell::Remove => {
                set(headers, &self.name, "");
                headers.remove(&self.revision_name);
            }
        }
        true
    }
}

fn set(headers: &mut HeaderMap, name: &HeaderName, value: &str) {
    if let Ok(mut value) = HeaderValue::from_str(value) {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
}
