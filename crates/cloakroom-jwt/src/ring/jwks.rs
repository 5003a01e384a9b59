//! Key rings as JWK Sets (RFC 7517, RFC 8037).

use super::{KeyRing, Trusted, invalid};
use crate::PublicKey;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom_core::Result;
use jsonwebtoken::{
    Algorithm,
    jwk::{
        AlgorithmParameters, CommonParameters, EllipticCurve, Jwk, KeyAlgorithm,
        OctetKeyPairParameters, OctetKeyPairType, PublicKeyUse,
    },
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use time::OffsetDateTime;

/// The public halves of a ring's keys, as the document that other services read.
///
/// Its text is the JSON. With the feature `axum` it is a response that caches may keep for five
/// minutes:
///
/// ```
/// use axum::{Router, routing::get};
/// use cloakroom_jwt::{KeyRing, SigningKey};
/// use time::OffsetDateTime;
///
/// let ring = KeyRing::new(SigningKey::generate()?);
/// let document = ring.jwks(OffsetDateTime::now_utc());
/// let app: Router = Router::new()
///     .route("/.well-known/jwks.json", get(async move || ring.jwks(OffsetDateTime::now_utc())));
///
/// let elsewhere = KeyRing::empty();                // a service that only verifies
/// assert_eq!(elsewhere.trust_jwks(&document.to_string())?, 1);
/// # let _ = app;
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Debug, Clone, Serialize)]
pub struct Jwks {
    keys: Vec<Jwk>,
}

impl Jwks {
    /// For how long a cache may keep the document, in seconds; a new key must be in it for longer
    /// than that before it signs.
    pub const MAX_AGE: u32 = 300;
}

impl std::fmt::Display for Jwks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let json = serde_json::to_string(self).map_err(|_| std::fmt::Error)?;
        f.write_str(&json)
    }
}

impl KeyRing {
    /// The keys that verify now, sorted by name: those about to sign and those that did, too. Not
    /// those [of peers](Self::trust_jwks_of).
    #[must_use]
    pub fn jwks(&self, now: OffsetDateTime) -> Jwks {
        let ring = self.read();
        let alive = ring
            .trusted
            .values()
            .filter(|trusted| !trusted.is_over(now));
        let mut keys: Vec<_> = alive.map(|trusted| written(&trusted.key)).collect();
        keys.sort_by(|a, b| a.common.key_id.cmp(&b.common.key_id));
        Jwks { keys }
    }

    /// Trusts the Ed25519 keys of this document and no others, but the one that signs here; how many
    /// the document had. Does nothing if it can't be used.
    ///
    /// Keys of other kinds, for other uses or without a name are passed over, as RFC 7517 says. The
    /// document must come by a way that can be trusted: who can write it can sign tokens.
    ///
    /// # Errors
    ///
    /// [`Invalid`](cloakroom_core::ErrorKind::Invalid) for what is no JWK Set, for two keys of one name,
    /// and for one that holds a private key; also if it has no key that can be used, so that an empty
    /// answer does not end all tokens.
    pub fn trust_jwks(&self, json: &str) -> Result<usize> {
        let read = read(json)?;
        let count = read.len();
        self.write(|keys| {
            let mut trusted = read;
            if let Some(active) = &keys.active {
                let (own, until) = (active.public(), None);
                if trusted.get(own.kid()).is_some_and(|t| *t.key != own) {
                    return Err(invalid("the JWK Set gives another key the name of ours"));
                }
                let key = own.into();
                trusted.insert(active.kid().to_owned(), Trusted { key, until });
            }
            keys.trusted = trusted;
            keys.peers.clear();
            Ok(count)
        })
    }

    /// Trusts the keys of this peer's document, in place of those that its last one had; how many
    /// there are. Our own keys and other peers' stay. Does nothing if the document can't be used.
    ///
    /// For signers with keys of their own that read each other's documents, like a blue and a green
    /// deployment. A peer's keys are not in [`jwks`](Self::jwks): were they, two that read each other
    /// would keep a key alive that its owner has given up. So whoever only verifies reads the document
    /// of each signer.
    ///
    /// ```
    /// use cloakroom_jwt::{KeyRing, SigningKey};
    /// use time::OffsetDateTime;
    ///
    /// let now = OffsetDateTime::now_utc();
    /// let blue = KeyRing::new(SigningKey::generate()?);
    /// let green = KeyRing::new(SigningKey::generate()?);
    /// let own = blue.jwks(now).to_string();
    /// blue.trust_jwks_of("green", &green.jwks(now).to_string())?;
    ///
    /// assert_eq!(blue.len(), 2);
    /// assert_eq!(blue.jwks(now).to_string(), own);
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`trust_jwks`](Self::trust_jwks), and [`Invalid`](cloakroom_core::ErrorKind::Invalid) if the
    /// document gives another key the name of one that is here.
    pub fn trust_jwks_of(&self, peer: &str, json: &str) -> Result<usize> {
        let read = read(json)?;
        let count = read.len();
        self.write(|keys| {
            let last = keys.peers.remove(peer);
            let clash = read.values().find_map(|t| keys.free_for(&t.key).err());
            if let Some(error) = clash {
                keys.peers.extend(last.map(|last| (peer.to_owned(), last)));
                return Err(error);
            }
            keys.peers.insert(peer.to_owned(), read);
            Ok(count)
        })
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

fn read(json: &str) -> Result<HashMap<String, Trusted>> {
    let document: Document =
        serde_json::from_str(json).map_err(|_| invalid("that is no JWK Set"))?;
    if document.keys.iter().any(|key| key.get("d").is_some()) {
        return Err(invalid(
            "the JWK Set holds a private key: it must be replaced",
        ));
    }
    let mut trusted = HashMap::new();
    for key in document.keys.into_iter().filter_map(usable) {
        let (kid, until, key) = (key.kid().to_owned(), None, key.into());
        if trusted.insert(kid, Trusted { key, until }).is_some() {
            return Err(invalid("two keys of the JWK Set have one name"));
        }
    }
    if trusted.is_empty() {
        return Err(invalid("the JWK Set has no Ed25519 key with a name"));
    }
    Ok(trusted)
}

/// The key, if it is one for us.
fn usable(value: serde_json::Value) -> Option<PublicKey> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let AlgorithmParameters::OctetKeyPair(pair) = jwk.algorithm else {
        return None;
    };
    let common = jwk.common;
    let fits = pair.curve == EllipticCurve::Ed25519
        && matches!(common.key_algorithm, None | Some(KeyAlgorithm::EdDSA))
        && matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
    let bytes = fits
        .then(|| URL_SAFE_NO_PAD.decode(pair.x).ok())
        .flatten()?;
    let key = PublicKey::from_bytes(&bytes.try_into().ok()?).ok()?;
    key.named(common.key_id?).ok()
}

fn written(key: &PublicKey) -> Jwk {
    Jwk {
        common: CommonParameters {
            public_key_use: Some(PublicKeyUse::Signature),
            key_algorithm: Some(KeyAlgorithm::from(Algorithm::EdDSA)),
            key_id: Some(key.kid().to_owned()),
            ..CommonParameters::default()
        },
        algorithm: AlgorithmParameters::OctetKeyPair(OctetKeyPairParameters {
            key_type: OctetKeyPairType::OctetKeyPair,
            curve: EllipticCurve::Ed25519,
            x: URL_SAFE_NO_PAD.encode(key.to_bytes()),
        }),
    }
}
