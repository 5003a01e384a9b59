//! What a store sees of a session id, and where the session lies.

use crate::{Bucket, Error, ErrorKind, Result};
use std::fmt::Write as _;

/// A 128-bit BLAKE3 digest of a session id.
///
/// Stores, peers and dumps hold only this. It can't be turned back, and presenting it as an id
/// leads nowhere: it would be hashed again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 16]);

impl Digest {
    pub(crate) fn of_id(id: &[u8]) -> Self {
        let hash = blake3::derive_key("cloakroom 2026-11 session digest v1", id);
        let mut short = [0; 16];
        short.copy_from_slice(&hash[..16]);
        Self(short)
    }

    /// A digest that was made elsewhere, of something else than a session id, in a domain of its own.
    #[must_use]
    pub const fn from_bytes(digest: [u8; 16]) -> Self {
        Self(digest)
    }

    /// The digest's raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The 32 hexadecimal characters that stand in keys and messages.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(32), |mut hex, b| {
            let _ = write!(hex, "{b:02x}");
            hex
        })
    }

    /// Reads what [`to_hex`](Self::to_hex) wrote.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] for anything else.
    pub fn from_hex(hex: &[u8]) -> Result<Self> {
        let bad = || Error::new(ErrorKind::Corrupt, "a stored digest is not 32 hex digits");
        let mut digest = [0; 16];
        if hex.len() != 32 {
            return Err(bad());
        }
        for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16).ok_or_else(bad)?;
            let low = char::from(pair[1]).to_digit(16).ok_or_else(bad)?;
            *byte = (high << 4 | low) as u8;
        }
        Ok(Self(digest))
    }
}

/// Shows the first 4 of 16 bytes: enough to follow one session through a log, too little to
/// find it by.
impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest({}…)", &self.to_hex()[..8])
    }
}

/// Where a session lies: its bucket and its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The bucket that all keys of this session bear.
    pub bucket: Bucket,
    /// The digest that the record is stored under and bound to.
    pub digest: Digest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_both_ways_and_debug_is_short() {
        let digest = Digest::of_id(b"x");
        assert_eq!(
            Digest::from_hex(digest.to_hex().as_bytes()).unwrap(),
            digest
        );
        assert!(Digest::from_hex(b"zz").is_err());
        assert!(Digest::from_hex(&[b'g'; 32]).is_err());
        assert_eq!(format!("{digest:?}").len(), "Digest(00000000…)".len());
    }
}
