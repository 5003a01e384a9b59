//! The public name of a session, for device lists.

use crate::{Entropy, Error, ErrorKind, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

const BYTES: usize = 9;

/// An opaque name of one of a user's sessions: fit for a page or a URL, useless as an id.
///
/// 72 random bits, kept when the session's id is rotated. A handle is only ever looked up among
/// the sessions of one user, so guessing it gains nothing.
///
/// ```
/// use cloakroom_core::{Handle, OsEntropy};
///
/// let handle = Handle::generate(&OsEntropy)?;
/// assert_eq!(handle.to_string().parse::<Handle>()?, handle);
/// assert!("not a handle".parse::<Handle>().is_err());
///
/// let json = serde_json::to_string(&handle).unwrap();
/// assert_eq!(serde_json::from_str::<Handle>(&json).unwrap(), handle);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle([u8; BYTES]);

impl Handle {
    /// Makes a new handle.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] when the source of randomness fails.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self> {
        let mut bytes = [0; BYTES];
        entropy.fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl std::fmt::Display for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handle({self})")
    }
}

/// As its text.
impl serde::Serialize for Handle {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From its text, as in a path or a form.
impl<'de> serde::Deserialize<'de> for Handle {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl std::str::FromStr for Handle {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut bytes = [0; BYTES];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(BYTES) => Ok(Self(bytes)),
            _ => Err(Error::new(
                ErrorKind::Invalid,
                "a session's handle has 12 base64url characters",
            )),
        }
    }
}
