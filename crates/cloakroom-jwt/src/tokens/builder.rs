//! What an issuer has to know.

use super::Tokens;
use crate::{
    MAX_LIFE, RevocationCheck, VerifierBuilder,
    verifier::{self, refuse},
};
use cloakroom_core::{Clock, Entropy, OsEntropy, Result};
use std::sync::Arc;
use time::Duration;

/// Long enough that clients don't ask for tokens all the time, short enough that what was revoked
/// needs to be known for a few minutes only.
const LIFE: Duration = Duration::minutes(5);

/// Makes [`Tokens`]. See [`Tokens::builder`].
#[derive(Debug, Clone)]
pub struct TokensBuilder {
    verifier: VerifierBuilder,
    life: Duration,
    entropy: Arc<dyn Entropy>,
}

impl TokensBuilder {
    pub(super) fn new(verifier: VerifierBuilder) -> Self {
        Self {
            verifier,
            life: LIFE,
            entropy: Arc::new(OsEntropy),
        }
    }

    /// Adds a service that the tokens are for; at least one is needed.
    #[must_use]
    pub fn audience(mut self, name: impl Into<String>) -> Self {
        self.verifier = self.verifier.audience(name);
        self
    }

    /// How long tokens live: five minutes by default, [`MAX_LIFE`] at most, in whole seconds.
    #[must_use]
    pub fn life(mut self, life: Duration) -> Self {
        self.life = life;
        self
    }

    /// The [leeway](VerifierBuilder::leeway) of the verifier.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.verifier = self.verifier.leeway(leeway);
        self
    }

    /// Another clock than the machine's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.verifier = self.verifier.clock(clock);
        self
    }

    /// Another source of randomness than the operating system's, which is for tests alone.
    #[must_use]
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// The [check of revocation](VerifierBuilder::revocation) of the verifier.
    #[must_use]
    pub fn revocation(mut self, check: Arc<dyn RevocationCheck>) -> Self {
        self.verifier = self.verifier.revocation(check);
        self
    }

    /// The issuer.
    ///
    /// # Errors
    ///
    /// [`Config`](cloakroom_core::ErrorKind::Config) for an empty issuer, an empty audience or none, a
    /// leeway of more than five seconds, or a life that is less than a second or more than an hour.
    pub fn build(self) -> Result<Tokens> {
        if self.life < Duration::SECOND || self.life > MAX_LIFE {
            return refuse("an access token lives between one second and one hour");
        }
        let VerifierBuilder {
            keys,
            issuer,
            audiences,
            clock,
            ..
        } = self.verifier.clone();
        Ok(Tokens(Arc::new(super::Inner {
            verifier: verifier::VerifierBuilder::build(self.verifier)?,
            keys,
            issuer,
            audiences,
            clock,
            life: Duration::seconds(self.life.whole_seconds()),
            entropy: self.entropy,
        })))
    }
}
