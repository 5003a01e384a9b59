//! The half of a key that signs.

use super::{PublicKey, checked_name, invalid, own_name};
use cloakroom_core::{Entropy, Error, ErrorKind, OsEntropy, Result};
use ed25519_dalek::{
    Signer as _,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, spki::der::pem::LineEnding},
};
use std::ops::Deref;

/// An Ed25519 key that signs tokens, with its name. The secret is wiped from memory with it.
///
/// All instances that sign have the same key, from wherever the deployment keeps its secrets.
///
/// ```
/// use cloakroom_jwt::SigningKey;
///
/// let key = SigningKey::generate()?.named("2026-11")?;
/// let pem = key.expose_pem()?;                     // for the place where secrets are kept
/// let again = SigningKey::from_pem(&pem)?.named("2026-11")?;
/// assert_eq!(again.public(), key.public());
/// assert_eq!(format!("{key:?}"), r#"SigningKey("2026-11")"#);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
pub struct SigningKey {
    kid: String,
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// A new key of the operating system's randomness, named by the digest of its public half.
    ///
    /// # Errors
    ///
    /// [`Internal`](ErrorKind::Internal) when the source of randomness fails.
    pub fn generate() -> Result<Self> {
        Self::generate_with(&OsEntropy)
    }

    /// A new key of this randomness.
    ///
    /// # Errors
    ///
    /// [`Internal`](ErrorKind::Internal) when the source of randomness fails.
    pub fn generate_with(entropy: &dyn Entropy) -> Result<Self> {
        let mut seed = [0; 32];
        entropy.fill(&mut seed)?;
        Ok(Self::from_seed(&seed))
    }

    /// The key that RFC 8032 makes of these 32 secret bytes.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self::new(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// A key from PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) if the text holds no such key; the message tells nothing of it.
    pub fn from_pem(pem: &str) -> Result<Self> {
        let key = ed25519_dalek::SigningKey::from_pkcs8_pem(pem);
        key.map(Self::new)
            .map_err(|_| invalid("that is no Ed25519 private key in PKCS#8 PEM"))
    }

    /// A key from PKCS#8 in DER.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) if the bytes are no such key; the message tells nothing of them.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let key = ed25519_dalek::SigningKey::from_pkcs8_der(der);
        key.map(Self::new)
            .map_err(|_| invalid("that is no Ed25519 private key in PKCS#8 DER"))
    }

    fn new(key: ed25519_dalek::SigningKey) -> Self {
        let kid = own_name(key.verifying_key().as_bytes());
        Self { kid, key }
    }

    /// The same key by another name.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) unless it is 1 to 64 visible ASCII characters.
    pub fn named(mut self, kid: impl Into<String>) -> Result<Self> {
        self.kid = checked_name(kid)?;
        Ok(self)
    }

    /// Its name: what `kid` says in the header of the tokens that it signs.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The half that verifies, by the same name.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::of(&self.kid, self.key.verifying_key())
    }

    /// **The secret**, in PKCS#8 PEM, to be kept where secrets are. What is returned wipes itself.
    ///
    /// # Errors
    ///
    /// [`Internal`](ErrorKind::Internal) if it can't be written, which no key is known to cause.
    pub fn expose_pem(&self) -> Result<impl Deref<Target = String> + use<>> {
        let pem = self.key.to_pkcs8_pem(LineEnding::LF);
        pem.map_err(|_| Error::new(ErrorKind::Internal, "a key could not be written as PEM"))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.kid).finish()
    }
}
