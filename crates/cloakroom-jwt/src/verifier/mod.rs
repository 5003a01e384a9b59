//! Verification: one path, every rule on it.

mod builder;
mod check;

pub use builder::VerifierBuilder;
pub(crate) use builder::refuse;
pub(crate) use check::NoRevocation;
pub use check::{RevocationCheck, Standing};

use crate::{
    KeyRing, PublicKey, Refusal, Registered, Verified, claims,
    compact::{self, Compact},
    header, json,
    layer::TokenLayer,
    ring::Found,
};
use cloakroom_core::Clock;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// No token lives longer: longer lives are neither given nor accepted.
///
/// A key that was retired, and an entry of a list of what was revoked, must last for as long as the
/// longest token; so there has to be a longest.
pub const MAX_LIFE: Duration = Duration::HOUR;

/// A token counts so long before its beginning, at least. See [`VerifierBuilder::leeway`].
const TICK: Duration = Duration::SECOND;

/// Accepts access tokens, or says why not. Cheap to clone.
///
/// No rule can be turned off. In this order:
///
/// | what | must be |
/// |---|---|
/// | length | at most [`MAX_TOKEN`](crate::MAX_TOKEN), before anything is decoded |
/// | form | three segments of unpadded base64url in its canonical spelling; objects that name no member twice |
/// | header | `alg` `EdDSA`, `typ` `at+jwt`, no `crit`, a `kid` that is in the ring; keys in the header are not read |
/// | signature | the key's, by the strict rule of Ed25519; what is in the payload is not read before |
/// | `exp` `iat` `nbf` `jti` `sub` `iss` `aud` | all there, each of its type |
/// | time | begun, not expired, and no longer in all than [`MAX_LIFE`] |
/// | `iss`, `aud` | ours, letter by letter |
/// | revocation | [not revoked](RevocationCheck) |
///
/// Costs one check of a signature and asks nobody, but for what the check of revocation asks.
///
/// ```
/// use cloakroom_jwt::{Grant, KeyRing, Refusal, SigningKey, Tokens, Verifier};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cloakroom_core::Result<()> {
/// let ring = KeyRing::new(SigningKey::generate()?);
/// let tokens = Tokens::builder(ring.clone(), "https://login.example").audience("shop").build()?;
/// let issued = tokens.issue(&Grant::new("alice"))?;
///
/// let shop = Verifier::builder(ring.clone(), "https://login.example").audience("shop").build()?;
/// assert_eq!(shop.verify(issued.token()).await.unwrap().registered().subject, "alice");
///
/// let bank = Verifier::builder(ring, "https://login.example").audience("bank").build()?;
/// assert!(matches!(bank.verify(issued.token()).await, Err(Refusal::Audience)));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Verifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    keys: KeyRing,
    issuer: String,
    audiences: Vec<String>,
    leeway: Duration,
    clock: Arc<dyn Clock>,
    check: Arc<dyn RevocationCheck>,
}

impl Verifier {
    /// Begins a verifier of this issuer's tokens, which are signed by a key of this ring.
    pub fn builder(keys: KeyRing, issuer: impl Into<String>) -> VerifierBuilder {
        VerifierBuilder::new(keys, issuer.into())
    }

    /// Accepts a token by all rules.
    ///
    /// # Consistency
    ///
    /// That of the [`RevocationCheck`].
    ///
    /// # Errors
    ///
    /// The first [`Refusal`] that applies.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed, so nothing is half done.
    pub async fn verify(&self, token: &str) -> Result<Verified, Refusal> {
        let verified = self.verify_ignoring_revocation(token)?;
        match self.known(&verified) {
            Some(standing) => standing?,
            None => self.ask(&verified).await?,
        }
        Ok(verified)
    }

    /// Accepts a token by all rules but one: **one that was revoked passes**.
    ///
    /// For a caller that asks about revocation itself.
    ///
    /// # Errors
    ///
    /// The first [`Refusal`] that applies.
    pub fn verify_ignoring_revocation(&self, token: &str) -> Result<Verified, Refusal> {
        let now = self.0.clock.now();
        let compact = Compact::cut(token)?;
        let key = self.key(&header::kid(compact.header)?, now)?;
        if !key.has_signed(compact.signed.as_bytes(), &compact.signature()?) {
            return Err(Refusal::Signature);
        }
        let payload = json::object(&compact::decode(compact.payload)?)?;
        let (registered, app) = claims::read(payload)?;
        self.in_time(&registered, now)?;
        self.for_us(&registered)?;
        Ok(Verified::new(registered, app))
    }

    /// A layer that lets requests with a token pass and answers all others.
    #[must_use]
    pub fn layer(&self) -> TokenLayer {
        TokenLayer::new(self.clone())
    }

    fn key(&self, kid: &str, now: OffsetDateTime) -> Result<Arc<PublicKey>, Refusal> {
        match self.0.keys.find(kid, now) {
            Found::Key(key) => Ok(key),
            Found::Retired => Err(Refusal::RetiredKey),
            Found::Unknown => Err(Refusal::UnknownKey),
        }
    }

    fn in_time(&self, claims: &Registered, now: OffsetDateTime) -> Result<(), Refusal> {
        let leeway = self.0.leeway;
        let soon = now + leeway.max(TICK);
        if now - leeway >= claims.expires_at {
            return Err(Refusal::Expired);
        }
        if claims.not_before > soon || claims.issued_at > soon {
            return Err(Refusal::NotYet);
        }
        if claims.expires_at - claims.issued_at > MAX_LIFE {
            return Err(Refusal::LongLived);
        }
        Ok(())
    }

    fn for_us(&self, claims: &Registered) -> Result<(), Refusal> {
        if claims.issuer != self.0.issuer {
            return Err(Refusal::Issuer);
        }
        let ours = |name: &String| self.0.audiences.contains(name);
        let found = claims.audience.iter().any(ours);
        found.then_some(()).ok_or(Refusal::Audience)
    }

    /// What is known of revocation without asking.
    pub(crate) fn known(&self, token: &Verified) -> Option<Result<(), Refusal>> {
        let known = self.0.check.known(token.registered());
        known.map(standing)
    }

    /// Asks whether a token was revoked.
    pub(crate) async fn ask(&self, token: &Verified) -> Result<(), Refusal> {
        let answer = self.0.check.ask(token.registered()).await;
        standing(answer.map_err(Refusal::Unavailable)?)
    }
}

fn standing(standing: Standing) -> Result<(), Refusal> {
    match standing {
        Standing::Good => Ok(()),
        Standing::Revoked => Err(Refusal::Revoked),
    }
}
