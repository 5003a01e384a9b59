//! Where a server is and how to log in to it.

use cloakroom_core::{Error, ErrorKind, Result};
use std::fmt;
use url::Url;

/// One server's address, read from a URL: `redis://[user[:password]@]host[:port][/database]`, or
/// `rediss://` for TLS.
///
/// `Debug` and `Display` show neither user nor password.
///
/// ```
/// use cloakroom_redis::Endpoint;
///
/// let endpoint = Endpoint::parse("rediss://app:secret@cache.internal/2")?;
/// assert_eq!((endpoint.port, endpoint.database, endpoint.tls), (6379, 2, true));
/// assert_eq!(endpoint.to_string(), "rediss://cache.internal:6379/2");
/// assert!(Endpoint::parse("http://cache.internal").is_err());
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether to speak TLS.
    pub tls: bool,
    /// ACL user, if any.
    pub username: Option<String>,
    /// Password, if any.
    pub password: Option<String>,
    /// Database number.
    pub database: i64,
}

impl Endpoint {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], with what is wrong and without the URL, which may hold a password.
    pub fn parse(url: &str) -> Result<Self> {
        Self::parse_with_port(url, 6379)
    }

    /// The same, with another port when the URL names none.
    pub(crate) fn parse_with_port(url: &str, port: u16) -> Result<Self> {
        let bad = |what: String| Error::new(ErrorKind::Config, what);
        let url = Url::parse(url).map_err(|e| bad(format!("the store's URL is malformed: {e}")))?;
        let tls = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            other => {
                return Err(bad(format!(
                    "the store's URL must begin with redis:// or rediss://, or with \
                     redis-sentinel://, redis-cluster:// and the like, not {other}://"
                )));
            }
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| bad("the store's URL names no host".into()))?;
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(port),
            tls,
            username: decoded(url.username()),
            password: url.password().and_then(decoded),
            database: database(&url).map_err(bad)?,
        })
    }

    /// Another server, to be reached in the same way.
    pub(crate) fn at(&self, host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            ..self.clone()
        }
    }
}

fn database(url: &Url) -> Result<i64, String> {
    match url.path().trim_matches('/') {
        "" => Ok(0),
        path => match path.parse() {
            Ok(number) if number >= 0 => Ok(number),
            _ => {
                Err("the store URL's path must be a database's number, as in redis://host/2".into())
            }
        },
    }
}

/// Undoes percent-encoding; empty is none.
fn decoded(text: &str) -> Option<String> {
    let value = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    (!value.is_empty()).then(|| value.into_owned())
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let Self {
            host,
            port,
            database,
            ..
        } = self;
        write!(f, "{scheme}://{host}:{port}/{database}")
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_credentials_and_hides_them() {
        let endpoint = Endpoint::parse("redis://al%40ice:p%2Fs+w&x@[::1]:7000/").unwrap();
        assert_eq!(endpoint.username.as_deref(), Some("al@ice"));
        assert_eq!(endpoint.password.as_deref(), Some("p/s+w&x"));
        assert_eq!(endpoint.host, "::1");
        assert!(!format!("{endpoint:?}{endpoint}").contains("p/s+w"));
    }

    #[test]
    fn says_what_is_wrong() {
        for (url, part) in [
            ("localhost", "malformed"),
            ("redis:///1", "no host"),
            ("redis://h/x", "number"),
            ("redis-cluster://a", "redis://"),
            ("postgres://h", "redis://"),
        ] {
            let error = Endpoint::parse(url).unwrap_err().to_string();
            assert!(error.contains(part), "{url}: {error}");
        }
    }
}
