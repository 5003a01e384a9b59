//! Tokens made by hand: text, base64 and another library's signatures.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom_core::ManualClock;
use cloakroom_jwt::{KeyRing, PublicKey, Verifier};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

pub(crate) const KID: &str = "k1";
pub(crate) const ISSUER: &str = "https://login.example";
pub(crate) const AUDIENCE: &str = "shop";
/// Where a `ManualClock` starts.
pub(crate) const NOW: i64 = 20_454 * 86_400;

/// Changes to an object: a member's text, or `None` to leave it out.
pub(crate) type Changes<'a> = &'a [(&'a str, Option<&'a str>)];

pub(crate) fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

pub(crate) fn public(seed: u8, kid: &str) -> PublicKey {
    let bytes = pair(seed).public_key().as_ref().try_into().unwrap();
    PublicKey::from_bytes(&bytes).unwrap().named(kid).unwrap()
}

/// The verifier of tokens signed by `pair(1)`, at `NOW`.
pub(crate) fn verifier(ring: &KeyRing) -> Verifier {
    Verifier::builder(ring.clone(), ISSUER)
        .audience(AUDIENCE)
        .clock(ManualClock::default())
        .build()
        .unwrap()
}

pub(crate) fn ring() -> KeyRing {
    let ring = KeyRing::empty();
    ring.trust(public(1, KID)).unwrap();
    ring
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn object(base: &[(&str, String)], changes: Changes<'_>) -> String {
    let mut members: Vec<(&str, String)> = base.to_vec();
    for (name, text) in changes {
        members.retain(|(own, _)| own != name);
        members.extend(text.map(|text| (*name, text.to_owned())));
    }
    let members = members
        .iter()
        .map(|(name, text)| format!("\"{name}\":{text}"));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

pub(crate) fn header(changes: Changes<'_>) -> String {
    let quoted = |text: &str| format!("\"{text}\"");
    let base = [
        ("typ", quoted("at+jwt")),
        ("alg", quoted("EdDSA")),
        ("kid", quoted(KID)),
    ];
    object(&base, changes)
}

pub(crate) fn payload(changes: Changes<'_>) -> String {
    let quoted = |text: &str| format!("\"{text}\"");
    let base = [
        ("iss", quoted(ISSUER)),
        ("sub", quoted("alice")),
        ("aud", quoted(AUDIENCE)),
        ("exp", (NOW + 300).to_string()),
        ("iat", NOW.to_string()),
        ("nbf", NOW.to_string()),
        ("jti", quoted("AAAAAAAAAAAAAAAAAAAAAA")),
    ];
    object(&base, changes)
}

/// Signs whatever stands before the last dot.
pub(crate) fn sign(seed: u8, signed: &str) -> String {
    let signature = pair(seed).sign(signed.as_bytes());
    format!("{signed}.{}", b64(signature))
}

pub(crate) fn token(header: &str, payload: &str) -> String {
    sign(1, &format!("{}.{}", b64(header), b64(payload)))
}

/// A token with a good payload and a changed header.
pub(crate) fn headed(changes: Changes<'_>) -> String {
    token(&header(changes), &payload(&[]))
}

/// A token with a good header and a changed payload.
pub(crate) fn saying(changes: Changes<'_>) -> String {
    token(&header(&[]), &payload(changes))
}
