//! What goes over the invalidation channel.

use crate::Digest;
use time::Duration;

/// "Your copies are stale": published by the very script that made them so.
///
/// On the wire, in words with a space between: the version `1`; the number of the message in its
/// bucket, each one more than the one before; and either the digest in hex and the new revision in
/// decimal, with `-` for a session that ended, or `*` when all sessions of the bucket ended. After
/// `-` may stand for how many milliseconds the end must be remembered.
///
/// ```
/// use cloakroom_core::{Invalidation, Stale};
///
/// let text = b"1 7 0123456789abcdef0123456789abcdef 42";
/// let invalidation = Invalidation::decode(text).unwrap();
/// assert_eq!(invalidation.number, 7);
/// assert!(matches!(invalidation.stale, Stale::One { revision: Some(42), .. }));
/// assert_eq!(Invalidation::decode(b"1 8 *").unwrap().stale, Stale::All);
/// // A later version's message is not understood: drop every copy of that bucket.
/// assert!(Invalidation::decode(b"2 whatever").is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalidation {
    /// Its place among the bucket's messages.
    pub number: u64,
    /// What is stale.
    pub stale: Stale,
}

/// Which copies are stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// Those of one session.
    One {
        /// Whose.
        digest: Digest,
        /// The revision that it has now, or `None` if it ended.
        revision: Option<u64>,
        /// For how long its end must be remembered by those who accept what was derived from it.
        remembered: Duration,
    },
    /// Those of every session of the bucket, which have all ended.
    All,
}

impl Invalidation {
    /// Reads a message; `None` when this version does not understand it, and the receiver must
    /// then drop all copies of the bucket that it came for.
    #[must_use]
    pub fn decode(message: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(message).ok()?.split(' ');
        let ("1", number) = (words.next()?, words.next()?.parse().ok()?) else {
            return None;
        };
        let stale = match words.next()? {
            "*" => Stale::All,
            digest => {
                let digest = Digest::from_hex(digest.as_bytes()).ok()?;
                let revision = match words.next()? {
                    "-" => None,
                    digits => Some(digits.parse().ok()?),
                };
                let milliseconds = match revision {
                    None => words.next().map_or(Ok(0), str::parse).ok()?,
                    Some(_) => 0,
                };
                Stale::One {
                    digest,
                    revision,
                    remembered: Duration::milliseconds(milliseconds),
                }
            }
        };
        words.next().is_none().then_some(Self { number, stale })
    }
}
