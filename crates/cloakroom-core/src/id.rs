//! The session id: the one secret.

use crate::{Address, Bucket, Buckets, Digest, Entropy, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

const BYTES: usize = 24;
const CHARS: usize = 32;
const SHORT_BYTES: usize = 16;
const SHORT_CHARS: usize = 22;

/// The secret that makes a request belong to a session.
///
/// 24 bytes: the bucket's number in 2, then 22 (176 bits) from the operating system's generator;
/// written as 32 base64url characters. It says nothing about user or payload, is never stored,
/// and can't print itself: `Debug` hides it and there is no `Display`.
///
/// An id that another library drew may be [*short*](Self::short): 128 bits that name no bucket, whose
/// bucket follows from its digest.
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
pub struct SessionId(Secret);

#[derive(Clone, PartialEq, Eq)]
enum Secret {
    Own([u8; BYTES]),
    Short([u8; SHORT_BYTES]),
}

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
        Ok(Self(Secret::Own(bytes)))
    }

    /// An id of 128 bits that another library drew, as tower-sessions does.
    ///
    /// ```
    /// use cloakroom_core::{Buckets, SessionId};
    ///
    /// let id = SessionId::short([7; 16]);
    /// assert!(id.bucket(&Buckets::default()).is_some());
    /// assert!(SessionId::parse_short(&id.expose_secret()).unwrap() == id);
    /// ```
    #[must_use]
    pub const fn short(bytes: [u8; SHORT_BYTES]) -> Self {
        Self(Secret::Short(bytes))
    }

    /// Reads a short id, as 22 base64url characters; `None` for anything else.
    #[must_use]
    pub fn parse_short(text: &str) -> Option<Self> {
        if text.len() != SHORT_CHARS {
            return None;
        }
        let mut bytes = [0; SHORT_BYTES];
        let written = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (written == SHORT_BYTES).then_some(Self::short(bytes))
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
        let id = Self(Secret::Own(bytes));
        (written == BYTES && id.bucket(buckets).is_some()).then_some(id)
    }

    /// The bucket that the id names, or `None` if the deployment has no such bucket.
    #[must_use]
    pub fn bucket(&self, buckets: &Buckets) -> Option<Bucket> {
        match &self.0 {
            Secret::Own(bytes) => buckets.get(u16::from_be_bytes([bytes[0], bytes[1]])),
            Secret::Short(_) => Some(short_bucket(self.digest(), buckets)),
        }
    }

    /// Where its session lies, or `None` if the deployment has no such bucket. Hashes the id once.
    #[must_use]
    pub fn address(&self, buckets: &Buckets) -> Option<Address> {
        let digest = self.digest();
        let bucket = match &self.0 {
            Secret::Own(_) => self.bucket(buckets)?,
            Secret::Short(_) => short_bucket(digest, buckets),
        };
        Some(Address { bucket, digest })
    }

    /// What stores and peers see of this id.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_id(self.bytes())
    }

    /// A short public mark that ties a revision to this id: 8 characters that reveal nothing.
    #[must_use]
    pub fn mark(&self) -> String {
        let hash = blake3::derive_key("cloakroom 2026-11 revision mark v1", self.bytes());
        URL_SAFE_NO_PAD.encode(&hash[..6])
    }

    /// The id in clear, to be sent to the client that it belongs to and nowhere else.
    #[must_use]
    pub fn expose_secret(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes())
    }

    fn bytes(&self) -> &[u8] {
        match &self.0 {
            Secret::Own(bytes) => bytes,
            Secret::Short(bytes) => bytes,
        }
    }
}

fn short_bucket(digest: Digest, buckets: &Buckets) -> Bucket {
    let [a, b, c, d, e, f, g, h, ..] = *digest.as_bytes();
    buckets.of_hash(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
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

    #[test]
    fn short_ids_spread_over_the_buckets_and_are_never_taken_for_long_ones() {
        let buckets = Buckets::default();
        let mut load = vec![0; 64];
        for n in 0..6_400u128 {
            let id = SessionId::short(n.to_le_bytes());
            let bucket = id.bucket(&buckets).unwrap();
            assert_eq!(id.address(&buckets).unwrap().bucket, bucket);
            load[usize::from(bucket.index())] += 1;
            assert!(SessionId::parse(&id.expose_secret(), &buckets).is_none());
        }
        assert!(load.iter().all(|l| (50..=150).contains(l)), "{load:?}");
        for bad in [
            "",
            "AAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAAB",
            "AAAAAAAAAAAAAAAAAAAAA=",
        ] {
            assert!(SessionId::parse_short(bad).is_none(), "{bad}");
        }
    }
}
