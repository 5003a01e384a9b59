//! What TLS is told: whom to trust, and who this client says it is.

use bytes::Bytes;
use cloakroom_core::{Error, ErrorKind, Result};
use std::fmt;

/// Certificates for TLS, the same for all servers and Sentinels, as text in the form PEM.
///
/// `Debug` shows which there are, never what is in them.
///
/// ```
/// use cloakroom_redis::Certificates;
///
/// let certificates = Certificates::default();
/// assert!(certificates.authorities.is_none(), "those of the system are trusted");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// The authorities that are trusted to sign servers' certificates, in place of the system's.
    pub authorities: Option<Bytes>,
    /// What this client shows to servers that ask who it is.
    pub own: Option<OwnCertificate>,
}

/// A client's certificate and its private key.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnCertificate {
    /// The certificate, then those that lead to its authority, if there are any in between.
    pub chain: Bytes,
    /// The private key. A secret.
    pub key: Bytes,
}

impl Certificates {
    /// Fails unless there is something in each text that looks like what it must be. A key in the
    /// place of a certificate would be read as none at all.
    pub(crate) fn check(&self) -> Result<()> {
        const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
        let own = self.own.as_ref();
        for (what, text, mark) in [
            ("the CA", self.authorities.as_ref(), CERTIFICATE),
            (
                "the client's certificate",
                own.map(|own| &own.chain),
                CERTIFICATE,
            ),
            (
                "the client's key",
                own.map(|own| &own.key),
                "PRIVATE KEY-----",
            ),
        ] {
            if text.is_some_and(|text| !holds(text, mark)) {
                let said = format!("{what} must be text in the form PEM, with {mark} in it");
                return Err(Error::new(ErrorKind::Config, said));
            }
        }
        Ok(())
    }
}

fn holds(text: &[u8], mark: &str) -> bool {
    text.windows(mark.len()).any(|part| part == mark.as_bytes())
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("authorities", &self.authorities.is_some())
            .field("own", &self.own)
            .finish()
    }
}

impl fmt::Debug for OwnCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnCertificate")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused_and_not_shown() {
        let hush = Bytes::from_static(b"-----BEGIN PRIVATE KEY-----\nhush");
        let authorities = Certificates {
            authorities: Some(hush.clone()),
            own: None,
        };
        let chain = Bytes::from_static(b"-----BEGIN CERTIFICATE-----");
        let own = |chain: &Bytes, key: &Bytes| Certificates {
            authorities: None,
            own: Some(OwnCertificate {
                chain: chain.clone(),
                key: key.clone(),
            }),
        };
        assert!(own(&chain, &hush).check().is_ok());
        for (wrong, what) in [
            (authorities, "the CA"),
            (own(&hush, &hush), "the client's certificate"),
            (own(&chain, &chain), "the client's key"),
        ] {
            let said = format!("{} {wrong:?}", wrong.check().unwrap_err());
            assert!(said.contains(what) && !said.contains("hush"), "{said}");
        }
    }
}
