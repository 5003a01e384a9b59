//! How values become bytes.

use serde::{Serialize, de::DeserializeOwned};

/// Turns values into bytes and back.
///
/// What does not decode is a miss, and loaded again; so a codec whose form changes needs no care but
/// another [schema](crate::CacheBuilder::schema).
pub trait Codec<V>: Send + Sync + 'static {
    /// The value as bytes.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being written.
    fn encode(&self, value: &V) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>;

    /// The value of these bytes; `None` if they are none of this form.
    fn decode(&self, bytes: &[u8]) -> Option<V>;

    /// About how many bytes the value takes in memory, given how many it takes as bytes.
    fn weight(&self, _value: &V, encoded: usize) -> usize {
        encoded
    }
}

/// JSON: the default. Fields that a later version adds are ignored by an earlier one, where serde
/// does so.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

impl<V: Serialize + DeserializeOwned> Codec<V> for Json {
    fn encode(&self, value: &V) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(serde_json::to_vec(value)?)
    }

    fn decode(&self, bytes: &[u8]) -> Option<V> {
        serde_json::from_slice(bytes).ok()
    }
}
