//! Certificates of a test's own.

use std::fmt;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use time::OffsetDateTime;

/// An authority that signs certificates for one test. It is kept nowhere: what it signed is worth
/// nothing when the test has ended.
///
/// ```
/// use cloakroom_testkit::Authority;
///
/// let authority = Authority::new();
/// let server = authority.certify(&["127.0.0.1", "cache.test"]);
/// assert!(server.chain.starts_with("-----BEGIN CERTIFICATE-----"));
/// assert_eq!(server.authority, authority.pem());
/// ```
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate, its key and its authority's certificate, as text in the form PEM.
#[derive(Clone)]
pub struct Certificate {
    /// The certificate.
    pub chain: String,
    /// Its private key.
    pub key: String,
    /// The certificate of whoever signed it.
    pub authority: String,
}

impl Authority {
    /// Makes one, which nobody trusts yet.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        let mut params = named("a test's authority", &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(params, key());
        Self(issuer.expect("an authority can sign itself"))
    }

    /// Its certificate: for those who are to trust it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Signs a certificate for these names and addresses.
    #[must_use]
    pub fn certify(&self, names: &[&str]) -> Certificate {
        self.sign(&named("a test's server", names))
    }

    /// Signs one that has run out.
    #[must_use]
    pub fn certify_until_yesterday(&self, names: &[&str]) -> Certificate {
        let mut params = named("a test's former server", names);
        params.not_after = OffsetDateTime::now_utc() - Duration::from_secs(24 * 60 * 60);
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Certificate {
        let key = key();
        let signed = params.signed_by(&key, &self.0);
        Certificate {
            chain: signed.expect("an authority can sign").pem(),
            key: key.serialize_pem(),
            authority: self.pem(),
        }
    }
}

fn named(subject: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names are ASCII");
    params.distinguished_name.push(DnType::CommonName, subject);
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("keys can be made")
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}
