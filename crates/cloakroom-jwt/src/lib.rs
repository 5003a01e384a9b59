//! Cloakroom's access tokens: short-lived, signed by keys that rotate, strictly verified.
//!
//! A session asks the store what it holds; a token says itself, and any service that has the public
//! key can read it. That is for services that don't share the store. The price is that a token counts
//! until it expires, unless a [check](RevocationCheck) knows better.
//!
//! ```
//! use cloakroom_jwt::{Grant, KeyRing, Refusal, SigningKey, Tokens};
//! use cloakroom_core::ManualClock;
//! use time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> cloakroom_core::Result<()> {
//! let clock = ManualClock::default();
//! let ring = KeyRing::new(SigningKey::generate()?);
//! let tokens = Tokens::builder(ring, "https://login.example")
//!     .audience("shop")
//!     .clock(clock.clone())
//!     .build()?;
//!
//! let issued = tokens.issue(&Grant::new("alice").scope("orders:read".parse()?))?;
//! let token = tokens.verifier().verify(issued.token()).await.unwrap();
//! assert_eq!(token.registered().subject, "alice");
//! assert!(token.require_scope("orders:write").is_err());
//!
//! clock.advance(Duration::minutes(5));
//! assert!(matches!(tokens.verifier().verify(issued.token()).await, Err(Refusal::Expired)));
//! # Ok(()) }
//! ```
//!
//! # Where to go on
//!
//! - [`KeyRing`]: keys, their rotation, JWK Sets. [`SigningKey`], [`PublicKey`].
//! - [`Tokens`]: issuing. [`Grant`]: what a token says.
//! - [`Verifier`]: the rules. [`Refusal`]: what the client is told.
//! - [`TokenLayer`] for any tower service; `AccessToken` for axum's handlers.
//!
//! # One algorithm
//!
//! Ed25519, by the name `EdDSA`. There is nothing to negotiate, so nothing to confuse; keys and
//! signatures are 32 and 64 bytes. Signatures are checked by the strict rule, under which points of
//! small order, other spellings of a point and an `S` beyond the group's order are refused, by
//! `ed25519-dalek` itself.
//!
//! # Why not through jsonwebtoken's `encode` and `decode`
//!
//! `jsonwebtoken` gives this crate the types of JWK Sets, and in tests it is the other implementation
//! that reads and writes the same tokens. Signing and verifying do not go through it:
//!
//! - Its cryptography is one `CryptoProvider` for the whole process. Which one that is follows from
//!   the features and calls of all crates of the application together; with both of its backends, or
//!   neither, there is none until somebody installs one, and a library must not choose for its
//!   application. What this crate does depends on no such choice.
//! - Which rule a signature is checked by is the backend's matter; there is no way to ask for the
//!   strict one.
//! - Of the rules that a [`Verifier`] has, its `Validation` would repeat some, and reads the token a
//!   second time for it.

#[cfg(feature = "axum")]
mod axum;
mod bearer;
mod claims;
mod compact;
mod header;
mod json;
mod key;
mod layer;
mod refresh;
mod refusal;
mod revoked;
mod ring;
mod scope;
mod service;
mod tokens;
mod verifier;

#[cfg(feature = "axum")]
pub use crate::axum::{AccessToken, AnyClaims};
pub use crate::{
    claims::{APP, Registered, Verified},
    compact::MAX_TOKEN,
    key::{PublicKey, SigningKey},
    layer::{TokenFuture, TokenLayer, TokenService},
    refresh::{Families, Family, FamilyPolicy, Login, RefreshToken, Used},
    refusal::Refusal,
    revoked::{OnUnavailable, Revoked, RevokedBuilder, RevokedStats, Subject},
    ring::{Jwks, KeyRing},
    scope::Scope,
    service::{LoginService, LoginServiceBuilder, Pair, Refreshed},
    tokens::{Grant, Issued, Tokens, TokensBuilder},
    verifier::{MAX_LIFE, RevocationCheck, Standing, Verifier, VerifierBuilder},
};
