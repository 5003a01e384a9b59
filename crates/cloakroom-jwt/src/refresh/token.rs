//! The token: its text, its place, and what it opens.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom_core::{Address, Bucket, Buckets, Digest, Entropy, OsEntropy, Result};
use std::fmt;

/// What every refresh token begins with, so that nobody takes it for something else.
const PREFIX: &str = "crr1_";
const NAME: usize = 16;
pub(super) const SECRET: usize = 32;
const BYTES: usize = 2 + NAME + SECRET;
/// A family's refresh token. Its text is a secret; `Debug` shows none of it.
#[derive(Clone)]
pub struct RefreshToken {
    bucket: Bucket,
    name: [u8; NAME],
    pub(super) secret: [u8; SECRET],
}

impl RefreshToken {
    pub(super) fn draw(bucket: Bucket) -> Result<Self> {
        Ok(Self {
            bucket,
            name: drawn()?,
            secret: drawn()?,
        })
    }

    pub(super) fn with_secret(&self, secret: [u8; SECRET]) -> Self {
        Self {
            secret,
            ..self.clone()
        }
    }

    /// Reads a token's text; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str, buckets: &Buckets) -> Option<Self> {
        let encoded = text.strip_prefix(PREFIX)?;
        if encoded.len() != BYTES.div_ceil(3) * 4 - (3 - BYTES % 3) % 3 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let (bucket, rest) = bytes.split_at_checked(2)?;
        let (name, secret) = rest.split_at_checked(NAME)?;
        Some(Self {
            bucket: buckets.get(u16::from_be_bytes(bucket.try_into().ok()?))?,
            name: name.try_into().ok()?,
            secret: secret.try_into().ok()?,
        })
    }

    /// The text that the client keeps: a secret.
    #[must_use]
    pub fn expose_secret(&self) -> String {
        let bucket = self.bucket.index().to_be_bytes();
        let bytes = [&bucket, &self.name[..], &self.secret[..]].concat();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Where its family lies. In a domain of its own: no session's id leads there.
    #[must_use]
    pub fn address(&self) -> Address {
        // With the bucket: the same name in another one is another family, which does not exist.
        let name = [&self.bucket.index().to_be_bytes(), &self.name[..]].concat();
        let digest = derived("cloakroom 2026-11 refresh family v1", &name);
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        Address {
            bucket: self.bucket,
            digest: Digest::from_bytes(short),
        }
    }

    pub(super) fn digest(&self) -> String {
        let secret = [&self.name[..], &self.secret[..]].concat();
        URL_SAFE_NO_PAD.encode(derived("cloakroom 2026-11 refresh secret v1", &secret))
    }

    /// Seals another token's secret, or opens it: only whoever has this token's can.
    pub(super) fn seal(&self, other: &[u8; SECRET]) -> [u8; SECRET] {
        let secret = [&self.name[..], &self.secret[..]].concat();
        let mut sealed = derived("cloakroom 2026-11 refresh seal v1", &secret);
        sealed.iter_mut().zip(other).for_each(|(s, o)| *s ^= o);
        sealed
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

fn derived(context: &str, secret: &[u8]) -> [u8; 32] {
    blake3::derive_key(context, secret)
}

pub(super) fn drawn<const N: usize>() -> Result<[u8; N]> {
    let mut drawn = [0; N];
    OsEntropy.fill(&mut drawn)?;
    Ok(drawn)
}
