//! What goes over the invalidation channel.

use crate::Digest;

/// "Your copy of this session is stale": published by the very script that changed it.
///
/// On the wire: the version byte `1`, the digest in hex, then the new revision in decimal, or `-`
/// when the session ended.
///
/// ```
/// use cloakroom_core::Invalidation;
///
/// let text = b"10123456789abcdef0123456789abcdef42";
/// let invalidation = Invalidation::decode(text).unwrap();
/// assert_eq!(invalidation.revision, Some(42));
/// assert_eq!(invalidation.encode(), text);
/// // A later version's message is not understood: drop every copy of that bucket.
/// assert!(Invalidation::decode(b"2whatever").is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalidation {
    /// Whose copy is stale.
    pub digest: Digest,
    /// The revision that it has now, or `None` if it ended.
    pub revision: Option<u64>,
}

impl Invalidation {
    /// Reads a message; `None` when this version does not understand it, and the receiver must
    /// then drop all copies of the bucket that it came for.
    #[must_use]
    pub fn decode(message: &[u8]) -> Option<Self> {
        let (b'1', rest) = message.split_first()? else {
            return None;
        };
        let (digest, revision) = rest.split_at_checked(32)?;
        let revision = match revision {
            b"-" => None,
            digits => Some(std::str::from_utf8(digits).ok()?.parse().ok()?),
        };
        Some(Self {
            digest: Digest::from_hex(digest).ok()?,
            revision,
        })
    }

    /// Writes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let digest = self.digest.to_hex();
        match self.revision {
            Some(revision) => format!("1{digest}{revision}"),
            None => format!("1{digest}-"),
        }
        .into_bytes()
    }
}
