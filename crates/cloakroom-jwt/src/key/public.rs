//! The half of a key that verifies.

use super::{checked_name, invalid, own_name};
use cloakroom_core::Result;
use ed25519_dalek::{Signature, VerifyingKey};

/// An Ed25519 key that verifies, with its name.
///
/// ```
/// use cloakroom_jwt::{PublicKey, SigningKey};
///
/// let key = SigningKey::generate()?;
/// let public = PublicKey::from_bytes(&key.public().to_bytes())?;
/// assert_eq!(public, key.public());
/// assert_eq!(public.named("2026-11")?.kid(), "2026-11");
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    kid: String,
    key: VerifyingKey,
}

impl PublicKey {
    /// The key of these 32 bytes, named by their digest.
    ///
    /// # Errors
    ///
    /// [`Invalid`](cloakroom_core::ErrorKind::Invalid) for bytes that are no point of the curve, for
    /// another spelling of one, and for the eight points for which anybody can sign.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self> {
        let refused = || invalid("that is no Ed25519 public key fit for use");
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| refused())?;
        let canonical = key.to_edwards().compress().to_bytes() == *bytes;
        if !canonical || key.is_weak() {
            return Err(refused());
        }
        let kid = own_name(bytes);
        Ok(Self { kid, key })
    }

    /// The same key by another name.
    ///
    /// # Errors
    ///
    /// [`Invalid`](cloakroom_core::ErrorKind::Invalid) unless it is 1 to 64 visible ASCII characters.
    pub fn named(mut self, kid: impl Into<String>) -> Result<Self> {
        self.kid = checked_name(kid)?;
        Ok(self)
    }

    /// Its name: what `kid` says in the header of the tokens that it verifies.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The key's 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    pub(super) fn of(kid: &str, key: VerifyingKey) -> Self {
        let kid = kid.to_owned();
        Self { kid, key }
    }

    /// Whether this key signed the message: by the strict rule, under which each key and message
    /// has only signatures that the signer made.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = Signature::from_bytes(signature);
        self.key.verify_strict(message, &signature).is_ok()
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PublicKey").field(&self.kid).finish()
    }
}
