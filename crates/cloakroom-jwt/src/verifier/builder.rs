//! What a verifier has to know.

use super::{Inner, NoRevocation, RevocationCheck, Verifier};
use crate::KeyRing;
use cloakroom_core::{Clock, Error, ErrorKind, Result, SystemClock};
use std::sync::Arc;
use time::Duration;

/// More leeway than this is refused: it lengthens the life of every token.
const MAX_LEEWAY: Duration = Duration::seconds(5);

/// Makes a [`Verifier`]. See [`Verifier::builder`].
#[derive(Debug, Clone)]
pub struct VerifierBuilder {
    pub(crate) keys: KeyRing,
    pub(crate) issuer: String,
    pub(crate) audiences: Vec<String>,
    leeway: Duration,
    pub(crate) clock: Arc<dyn Clock>,
    check: Arc<dyn RevocationCheck>,
}

impl VerifierBuilder {
    pub(crate) fn new(keys: KeyRing, issuer: String) -> Self {
        Self {
            keys,
            issuer,
            audiences: Vec::new(),
            leeway: Duration::ZERO,
            clock: Arc::new(SystemClock),
            check: Arc::new(NoRevocation),
        }
    }

    /// Adds a name that this service goes by. A token must be for one of them; at least one is needed.
    #[must_use]
    pub fn audience(mut self, name: impl Into<String>) -> Self {
        self.audiences.push(name.into());
        self
    }

    /// For how long a token counts beyond its end, and before its beginning, for clocks that differ.
    /// None by default, five seconds at most.
    ///
    /// A token's times are whole seconds, and no two clocks agree: so it counts up to one second
    /// before its beginning in any case. It would be refused by whoever gets it within a millisecond
    /// and is a millisecond behind.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Another clock than the machine's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Asks this about each token that is otherwise good. By default nothing is ever revoked.
    #[must_use]
    pub fn revocation(mut self, check: Arc<dyn RevocationCheck>) -> Self {
        self.check = check;
        self
    }

    /// The verifier.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for an empty issuer, an empty audience or none, or a leeway that
    /// is negative or too long.
    pub fn build(self) -> Result<Verifier> {
        if self.issuer.is_empty() {
            return refuse("the issuer's name is empty");
        }
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return refuse("tokens need an audience: name this service");
        }
        if self.leeway.is_negative() || self.leeway > MAX_LEEWAY {
            return refuse("a leeway is between zero and five seconds");
        }
        Ok(Verifier(Arc::new(Inner {
            keys: self.keys,
            issuer: self.issuer,
            audiences: self.audiences,
            leeway: self.leeway,
            clock: self.clock,
            check: self.check,
        })))
    }
}

pub(crate) fn refuse<T>(message: &'static str) -> Result<T> {
    Err(Error::new(ErrorKind::Config, message))
}
