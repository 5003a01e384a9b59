//! Buckets: which sessions share a Redis Cluster slot.

use crate::{Error, ErrorKind, Result};
use std::sync::Arc;

/// The number of slots of a Redis Cluster.
const SLOTS: u32 = 16_384;
/// A tag's slot lies within this many slots of its bucket's place.
const WINDOW: u32 = 16;

/// One of the deployment's buckets: everything that changes together shares one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(u16);

impl Bucket {
    /// The bucket's number, counted from 0.
    #[must_use]
    pub const fn index(self) -> u16 {
        self.0
    }
}

/// The deployment's buckets, each with the hash tag that its keys bear.
///
/// Every key of a bucket holds the same `{tag}`, so Redis Cluster keeps them in one slot and one
/// script may change them all. The tags are chosen so that the buckets lie evenly over the 16384
/// slots: bare `{0}`, `{1}`, … would leave masters idle. The first bucket's tag is the same
/// whatever the number of buckets, so the deployment's settings can be found under it.
///
/// Cheap to clone. All instances of a deployment must use the same number; stores check it.
///
/// ```
/// use cloakroom_core::Buckets;
///
/// let buckets = Buckets::new(64)?;
/// assert_eq!(buckets.len(), 64);
/// assert!(buckets.get(64).is_none());
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Buckets {
    tags: Arc<[Box<str>]>,
}

impl Buckets {
    /// The number of buckets when the application says nothing: 64, so that up to 64 masters
    /// get a share and a routing table stays small enough to read.
    pub const DEFAULT: u16 = 64;

    /// Lays out `count` buckets.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] unless `count` is between 1 and 1024.
    pub fn new(count: u16) -> Result<Self> {
        if !(1..=1024).contains(&count) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("the number of buckets must be between 1 and 1024, not {count}"),
            ));
        }
        let tags = (0..u32::from(count)).map(|i| tag_near(i * SLOTS / u32::from(count)));
        Ok(Self {
            tags: tags.collect(),
        })
    }

    /// How many there are; never 0.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always a bucket")]
    pub fn len(&self) -> u16 {
        self.tags.len() as u16
    }

    /// The bucket with this number, or `None` when the deployment has no such bucket.
    #[must_use]
    pub fn get(&self, index: u16) -> Option<Bucket> {
        (index < self.len()).then_some(Bucket(index))
    }

    /// The bucket that a hash falls into.
    #[must_use]
    pub fn of_hash(&self, hash: u64) -> Bucket {
        Bucket((hash % u64::from(self.len())) as u16)
    }

    /// The tag of a bucket, without braces.
    #[must_use]
    pub fn tag(&self, bucket: Bucket) -> &str {
        &self.tags[usize::from(bucket.0) % self.tags.len()]
    }

    /// All buckets, in order.
    pub fn iter(&self) -> impl Iterator<Item = Bucket> + use<> {
        (0..self.len()).map(Bucket)
    }
}

impl Default for Buckets {
    fn default() -> Self {
        let tags = (0..u32::from(Self::DEFAULT))
            .map(|i| tag_near(i * SLOTS / u32::from(Self::DEFAULT)))
            .collect();
        Self { tags }
    }
}

/// The first of the short tags whose slot is within the window that starts at `place`.
fn tag_near(place: u32) -> Box<str> {
    (0u32..)
        .map(short_tag)
        .find(|tag| {
            let slot = u32::from(crc16(tag.as_bytes())) % SLOTS;
            (place..place + WINDOW).contains(&slot)
        })
        .unwrap_or_default()
        .into_boxed_str()
}

/// `n` written with the digits `0…9a…z`.
fn short_tag(mut n: u32) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut tag = Vec::new();
    loop {
        tag.push(char::from(DIGITS[(n % 36) as usize]));
        n /= 36;
        if n == 0 {
            return tag.into_iter().rev().collect();
        }
    }
}

/// The Redis Cluster slot of a key: of what stands between its first `{` and the next `}`, or of
/// the whole key when there is nothing between them.
///
/// ```
/// assert_eq!(cloakroom_core::key_slot(b"{user1000}.following"), 3443);
/// ```
#[must_use]
pub fn key_slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|b| *b == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|b| *b == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    crc16(tag.unwrap_or(key)) % SLOTS as u16
}

/// CRC-16/XMODEM, the checksum that Redis Cluster places keys by.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc: u16, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_is_the_one_redis_uses() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(key_slot(b"foo"), 12182);
        assert_eq!(key_slot(b"{}foo"), crc16(b"{}foo") % 16384);
    }

    #[test]
    fn tags_differ_and_are_short() {
        let buckets = Buckets::default();
        let mut tags: Vec<_> = buckets.iter().map(|b| buckets.tag(b).to_owned()).collect();
        assert!(tags.iter().all(|t| t.len() <= 4 && !t.is_empty()));
        tags.sort();
        tags.dedup();
        assert_eq!(tags.len(), 64);
    }

    #[test]
    fn the_first_tag_does_not_depend_on_the_count() {
        let first = |n| {
            let b = Buckets::new(n).unwrap();
            b.tag(b.get(0).unwrap()).to_owned()
        };
        assert!([2, 64, 100, 1024].iter().all(|n| first(*n) == first(1)));
    }

    /// Slots are dealt to masters in equal, contiguous ranges, as `redis-cli --cluster create` does.
    #[test]
    fn buckets_spread_evenly_over_masters() {
        let buckets = Buckets::default();
        for masters in [3u32, 5, 8, 16] {
            let mut load = vec![0u32; masters as usize];
            for bucket in buckets.iter() {
                let slot = u32::from(key_slot(format!("{{{}}}", buckets.tag(bucket)).as_bytes()));
                load[(slot * masters / SLOTS) as usize] += 1;
            }
            let even = 64.0 / f64::from(masters);
            for l in load {
                let off = (f64::from(l) - even).abs() / even;
                assert!(
                    off <= 0.08,
                    "{masters} masters: {l} buckets, even is {even}"
                );
            }
        }
    }

    #[test]
    fn refuses_impossible_counts() {
        assert!(Buckets::new(0).is_err());
        assert!(Buckets::new(1025).is_err());
    }
}
