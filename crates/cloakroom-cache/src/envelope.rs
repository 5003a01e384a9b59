//! What stands around a value in the store: what is known of it beside its revision and its times.
//!
//! Version 1, numbers big-endian:
//!
//! | bytes | holds |
//! |---|---|
//! | 1 | the version, 1 |
//! | 1 | flags: 1 if there is no value, because what the key names does not exist |
//! | 4 | how long the load took, in µs |
//! | 4 | for how long after its fresh time it may be served while it is loaded anew, in ms |
//! | 1 | how many tags follow |
//! | 24 each | a tag's digest, and its version when the load began |
//! | … | the value |
//! | 8 | a checksum of the entry's digest and all before |
//!
//! What is anything else, of a later version, cut short or damaged, is a miss.

use cloakroom_core::Digest;
use time::Duration;

const VERSION: u8 = 1;
const ABSENT: u8 = 1;
const HEADER: usize = 11;
const TAG: usize = 24;
const CHECKSUM: usize = 8;
/// More tags than this are refused.
pub(crate) const MOST_TAGS: usize = 64;

/// A value and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(hidden)]
pub struct Envelope<'a> {
    /// The value's bytes; `None` if what the key names does not exist.
    pub value: Option<&'a [u8]>,
    /// How long its load took.
    pub took: Duration,
    /// For how long after its fresh time it may be served while it is loaded anew.
    pub while_loading: Duration,
    /// Its tags, and their versions.
    pub tags: Vec<(Digest, u64)>,
}

impl<'a> Envelope<'a> {
    /// As bytes, for the entry of this digest.
    #[must_use]
    pub fn encode(&self, of: Digest) -> Vec<u8> {
        let value = self.value.unwrap_or_default();
        let mut bytes = Vec::with_capacity(HEADER + self.tags.len() * TAG + value.len() + CHECKSUM);
        bytes.push(VERSION);
        bytes.push(if self.value.is_none() { ABSENT } else { 0 });
        bytes.extend(clamped(self.took.whole_microseconds()).to_be_bytes());
        bytes.extend(clamped(self.while_loading.whole_milliseconds()).to_be_bytes());
        bytes.push(u8::try_from(self.tags.len()).unwrap_or(u8::MAX));
        for (tag, version) in self.tags.iter().take(MOST_TAGS) {
            bytes.extend(tag.as_bytes());
            bytes.extend(version.to_be_bytes());
        }
        bytes.extend(value);
        let checksum = checksum(of, &bytes);
        bytes.extend(checksum);
        bytes
    }

    /// What the bytes of the entry of this digest say; `None` if they are no envelope of a version
    /// that is known.
    #[must_use]
    pub fn decode(of: Digest, bytes: &'a [u8]) -> Option<Self> {
        let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM)?)?;
        let (header, rest) = body.split_at_checked(HEADER)?;
        let [VERSION, flags, times @ .., count] = header else {
            return None;
        };
        if sum != checksum(of, body) || *flags > ABSENT || usize::from(*count) > MOST_TAGS {
            return None;
        }
        let (took, while_loading) = times.split_at_checked(4)?;
        let (tags, value) = rest.split_at_checked(usize::from(*count) * TAG)?;
        Some(Self {
            value: (*flags != ABSENT).then_some(value),
            took: Duration::microseconds(number(took)?),
            while_loading: Duration::milliseconds(number(while_loading)?),
            tags: tags.chunks_exact(TAG).map(tag).collect::<Option<_>>()?,
        })
    }
}

fn clamped(number: i128) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

fn number(bytes: &[u8]) -> Option<i64> {
    Some(i64::from(u32::from_be_bytes(bytes.try_into().ok()?)))
}

fn tag(bytes: &[u8]) -> Option<(Digest, u64)> {
    let (digest, version) = bytes.split_at_checked(16)?;
    let digest = Digest::from_bytes(digest.try_into().ok()?);
    Some((digest, u64::from_be_bytes(version.try_into().ok()?)))
}

fn checksum(of: Digest, body: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = blake3::Hasher::new_derive_key("cloakroom 2026-11 cache envelope v1");
    hasher.update(of.as_bytes()).update(body);
    let mut short = [0; CHECKSUM];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..CHECKSUM]);
    short
}
