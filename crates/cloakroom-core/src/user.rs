//! Users: the accounts that sessions belong to.

use crate::{Bucket, Buckets, Digest, Error, ErrorKind, Result};
use std::sync::Arc;

/// The longest id of a user, in bytes.
const LONGEST: usize = 256;

/// Turns the application's user ids into the digests that keys bear.
///
/// All instances of a deployment must use the same secret, or one user's sessions would lie in
/// several places; stores compare the [`fingerprint`](Self::fingerprint).
#[derive(Clone)]
pub struct UserHasher {
    key: [u8; 32],
}

impl UserHasher {
    /// A hasher keyed by the deployment's secret. An empty one is allowed: it hides nothing more
    /// than the record does, which names the user anyway, but lets users who choose their own
    /// ids aim for one bucket.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self {
            key: blake3::derive_key("cloakroom 2026-11 user digest v1", secret),
        }
    }

    /// Finds the place of a user's sessions.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if the id is empty or longer than 256 bytes.
    pub fn user(&self, id: &str, buckets: &Buckets) -> Result<User> {
        if id.is_empty() || id.len() > LONGEST {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("a user's id has 1 to {LONGEST} bytes, not {}", id.len()),
            ));
        }
        let hash = blake3::keyed_hash(&self.key, id.as_bytes());
        let mut place = [0; 8];
        place.copy_from_slice(&hash.as_bytes()[16..24]);
        let hex = hash.to_hex();
        Ok(User {
            id: id.into(),
            digest: Digest::from_hex(&hex.as_bytes()[..32])?,
            bucket: buckets.of_hash(u64::from_be_bytes(place)),
        })
    }

    /// What tells two deployments' secrets apart without telling them.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        blake3::keyed_hash(&self.key, b"fingerprint").to_hex()[..16].to_owned()
    }
}

impl Default for UserHasher {
    fn default() -> Self {
        Self::new(b"")
    }
}

impl std::fmt::Debug for UserHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UserHasher(…)")
    }
}

/// An account, and where its sessions lie. `Debug` shows its place, never its id.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The application's own id of it.
    pub id: Arc<str>,
    /// What stands in keys for it.
    pub digest: Digest,
    /// The bucket of all its sessions.
    pub bucket: Bucket,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("digest", &self.digest)
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_separate_and_bad_ids_are_refused() {
        let buckets = Buckets::default();
        let (a, b) = (UserHasher::new(b"a"), UserHasher::new(b"b"));
        let of = |h: &UserHasher| h.user("alice", &buckets).unwrap();
        assert_eq!(of(&a), of(&a));
        assert_ne!(of(&a).digest, of(&b).digest);
        assert_ne!(a.fingerprint(), b.fingerprint());
        assert!(a.user("", &buckets).is_err());
        assert!(a.user(&"x".repeat(257), &buckets).is_err());
    }
}
