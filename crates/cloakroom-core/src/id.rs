//! The session id: the one secret.

use crate::{Bucket, Buckets, Digest, Entropy, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

const BYTES: usize = 24;
const CHARS: usize = 32;

/// The secret that makes a request belong to a session.
///
/// 24 bytes: the bucket's number in 2, then 22 (176 bits) from the operating system's generator;
/// written as 32 base64url characters. It says nothing about user or payload, is never stored,
/// and can't print itself: `Debug` hides it and there is no `Display`.
///
/// ```
/// use cloakroom_core::{Buckets, OsEntropy, SessionId};
///
/// let buckets = Buckets::default();
/// let id = SessionId::generate(buckets.get(7).unwrap(), &OsEntropy)?;
/// let back = SessionId::parse(&id.expose_secret(), &buckets).unwrap();
/// assert!(back == id);
/// assert_eq!(back.bucket(&buckets).unwrap().index(), 7);
/// assert_eq!(format!("{id:?}"), "SessionId(…)");
/// assert!(SessionId::parse("../../etc/passwd", &buckets).is_none());
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SessionId([u8; BYTES]);

impl SessionId {
    /// Makes a new id for a session in `bucket`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`](crate::ErrorKind::Internal) when the source of randomness fails.
    pub fn generate(bucket: Bucket, entropy: &dyn Entropy) -> Result<Self> {
        let mut bytes = [0; BYTES];
        bytes[..2].copy_from_slice(&bucket.index().to_be_bytes());
        entropy.fill(&mut bytes[2..])?;
        Ok(Self(bytes))
    }

    /// Reads what a client sent; `None` for anything that this deployment can't have issued:
    /// wrong length, a character outside base64url, a bucket that does not exist.
    ///
    /// Costs no I/O and no allocation, so hostile input ends here.
    #[must_use]
    pub fn parse(text: &str, buckets: &Buckets) -> Option<Self> {
        if text.len() != CHARS {
            return None;
        }
        let mut bytes = [0; BYTES];
        let written = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let id = Self(bytes);
        (written == BYTES && id.bucket(buckets).is_some()).then_some(id)
    }

    /// The bucket that the id names, or `None` if the deployment has no such bucket.
    #[must_use]
    pub fn bucket(&self, buckets: &Buckets) -> Option<Bucket> {
        buckets.get(u16::from_be_bytes([self.0[0], self.0[1]]))
    }

    /// What stores and peers see of this id.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_id(&self.0)
    }

    /// A short public mark that ties a revision to this id: 8 characters that reveal nothing.
    #[must_use]
    pub fn mark(&self) -> String {
        let hash = blake3::derive_key("cloakroom 2026-11 revision mark v1", &self.0);
        URL_SAFE_NO_PAD.encode(&hash[..6])
    }

    /// The id in clear, to be sent to the client that it belongs to and nowhere else.
    #[must_use]
    pub fn expose_secret(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl std::fmt::Debug for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionId(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsEntropy;
    use std::collections::HashSet;

    #[test]
    fn ids_do_not_collide_and_use_the_whole_alphabet() {
        let buckets = Buckets::default();
        let bucket = buckets.get(0).unwrap();
        let mut seen = HashSet::new();
        let mut counts = vec![[0u32; 256]; CHARS];
        const N: u32 = 100_000;
        for _ in 0..N {
            let text = SessionId::generate(bucket, &OsEntropy)
                .unwrap()
                .expose_secret();
            for (i, b) in text.bytes().enumerate() {
                counts[i][usize::from(b)] += 1;
            }
            assert!(seen.insert(text));
        }
        // The first two characters and part of the third are the bucket; the rest is random.
        // χ² with 63 degrees of freedom exceeds 140 with a chance below one in 10⁷.
        let expected = f64::from(N) / 64.0;
        for (i, column) in counts.iter().enumerate().skip(3) {
            let used = column.iter().filter(|c| **c > 0);
            assert_eq!(used.clone().count(), 64, "position {i}");
            let chi: f64 = used
                .map(|c| (f64::from(*c) - expected).powi(2) / expected)
                .sum();
            assert!(chi < 140.0, "position {i}: χ² = {chi}");
        }
    }

    #[test]
    fn hostile_text_is_no_id() {
        let buckets = Buckets::default();
        let good = SessionId::generate(buckets.get(3).unwrap(), &OsEntropy)
            .unwrap()
            .expose_secret();
        let cut = &good[..31];
        for bad in [
            "",
            " ",
            cut,
            &format!("{good}A"),
            &format!("{cut}="),
            &format!("{cut}+"),
            &format!("{cut}/"),
            &format!("{cut}\n"),
            &format!("{cut}\0"),
            &format!("{cut}%"),
            &format!("{}é", &good[..30]),
            &format!("{}٣", &good[..30]),
            "{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}{0",
            "********************************",
            "../../../../../../../../etc/pass",
            "%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2",
            &"A".repeat(65_536),
            // Bucket 64 of 64: well-formed elsewhere, never issued here.
            &format!("AEA{}", &good[3..]),
        ] {
            assert!(SessionId::parse(bad, &buckets).is_none(), "{bad:.40}");
        }
        assert!(SessionId::parse(&good, &buckets).is_some());
    }
}
