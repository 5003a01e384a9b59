//! The compact form: three segments of base64url.

use crate::Refusal;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// No token is longer, in bytes: longer ones are neither made nor looked at.
pub const MAX_TOKEN: usize = 4096;

/// A token's segments, not decoded.
pub(crate) struct Compact<'a> {
    pub(crate) header: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) signature: &'a str,
    /// What is signed: header and payload as they stand.
    pub(crate) signed: &'a str,
}

impl<'a> Compact<'a> {
    /// Cuts a token up, once its length is known to be small.
    pub(crate) fn cut(token: &'a str) -> Result<Self, Refusal> {
        if token.len() > MAX_TOKEN {
            return Err(Refusal::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Segments)?;
        let (header, payload) = signed.split_once('.').ok_or(Refusal::Segments)?;
        if payload.contains('.') {
            return Err(Refusal::Segments);
        }
        Ok(Self {
            header,
            payload,
            signature,
            signed,
        })
    }

    pub(crate) fn signature(&self) -> Result<[u8; 64], Refusal> {
        let bytes = decode(self.signature)?;
        bytes.try_into().map_err(|_| Refusal::Signature)
    }
}

/// Strictly: no padding, no other alphabet, no white space, no stray bits in the last symbol.
pub(crate) fn decode(segment: &str) -> Result<Vec<u8>, Refusal> {
    let decoded = URL_SAFE_NO_PAD.decode(segment);
    decoded.map_err(|_| Refusal::Encoding)
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
