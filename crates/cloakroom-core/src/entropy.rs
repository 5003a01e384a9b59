//! Where randomness comes from: a seam, so that a test can play a broken generator.

use crate::{Error, ErrorKind, Result};

/// A source of unpredictable bytes for session ids.
pub trait Entropy: Send + Sync + std::fmt::Debug + 'static {
    /// Fills the buffer with unpredictable bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] when the source can't deliver; no session is made then.
    fn fill(&self, buffer: &mut [u8]) -> Result<()>;
}

/// The operating system's generator: the only source fit for production.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        getrandom::fill(buffer).map_err(|e| {
            Error::new(
                ErrorKind::Internal,
                "the operating system's random generator failed",
            )
            .with_source(e)
        })
    }
}
