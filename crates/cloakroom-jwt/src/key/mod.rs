//! Keys and their names.

mod public;
mod signing;

pub use public::PublicKey;
pub use signing::SigningKey;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom_core::{Error, ErrorKind, Result};

/// A key's name is no longer than this, in bytes.
pub(crate) const MAX_KID: usize = 64;

/// The name that a key has unless it is given another: 128 bits of a digest of its public half, so
/// that each instance calls it the same.
fn own_name(public: &[u8; 32]) -> String {
    let digest = blake3::hash(public);
    let (half, _) = digest.as_bytes().split_at(16);
    URL_SAFE_NO_PAD.encode(half)
}

/// A name that a token's header can bear.
fn checked_name(kid: impl Into<String>) -> Result<String> {
    let kid = kid.into();
    let fits = (1..=MAX_KID).contains(&kid.len()) && kid.bytes().all(|b| b.is_ascii_graphic());
    let refused = || invalid("a key's name is 1 to 64 visible ASCII characters");
    fits.then_some(kid).ok_or_else(refused)
}

pub(crate) fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, message)
}
