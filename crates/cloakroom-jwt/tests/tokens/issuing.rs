//! Issuing, and what builders refuse.

use crate::forge::{ISSUER, NOW, ring, saying};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom_core::{ErrorKind, ManualClock};
use cloakroom_jwt::{
    Grant, KeyRing, MAX_TOKEN, Refusal, SigningKey, Tokens, TokensBuilder, Verifier,
};
use std::collections::HashSet;
use time::Duration;

fn builder() -> TokensBuilder {
    let key = SigningKey::from_seed(&[5; 32]).named("k5").unwrap();
    Tokens::builder(KeyRing::new(key), ISSUER)
        .audience("shop")
        .clock(ManualClock::default())
}

fn json(segment: &str) -> serde_json::Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).unwrap()).unwrap()
}

#[test]
fn a_token_says_what_was_granted_and_nothing_else() {
    let tokens = builder().build().unwrap();
    let grant = Grant::new("alice")
        .client_id("app")
        .scope("a b".parse().unwrap())
        .session("s1")
        .epoch("7")
        .app(&serde_json::json!({ "exp": 1, "sub": "bob" }))
        .unwrap();
    let issued = tokens.issue(&grant).unwrap();
    let segments: Vec<_> = issued.token().split('.').collect();
    let header = serde_json::json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": "k5" });
    assert_eq!(json(segments[0]), header);
    let payload = serde_json::json!({
        "iss": ISSUER, "sub": "alice", "aud": "shop", "iat": NOW, "nbf": NOW, "exp": NOW + 300,
        "jti": issued.registered().id, "client_id": "app", "scope": "a b", "sid": "s1", "epoch": "7",
        "app": { "exp": 1, "sub": "bob" },
    });
    assert_eq!(json(segments[1]), payload);
    let verified = tokens
        .verifier()
        .verify_ignoring_revocation(issued.token())
        .unwrap();
    assert_eq!(verified.registered(), issued.registered());
    assert!(verified.app::<()>().is_err() && !format!("{verified:?}").contains("bob"));

    let plain = tokens
        .issue(&Grant::new("bob").audience("x").audience("shop"))
        .unwrap();
    let verified = tokens
        .verifier()
        .verify_ignoring_revocation(plain.token())
        .unwrap();
    assert_eq!(verified.registered().audience, ["x", "shop"]);
    verified.app::<()>().unwrap();
    assert_eq!(verified.app::<Option<u8>>().unwrap(), None);
}

#[test]
fn each_token_has_its_own_name_of_128_bits() {
    let tokens = builder().build().unwrap();
    let id = |_| {
        tokens
            .issue(&Grant::new("alice"))
            .unwrap()
            .registered()
            .id
            .clone()
    };
    let ids: HashSet<_> = (0..1_000).map(id).collect();
    assert_eq!(ids.len(), 1_000);
    assert!(
        ids.iter()
            .all(|id| URL_SAFE_NO_PAD.decode(id).unwrap().len() == 16)
    );
}

#[test]
fn nothing_is_issued_that_no_verifier_accepts() {
    let tokens = builder().build().unwrap();
    let kind = |grant: Grant| tokens.issue(&grant).unwrap_err().kind();
    assert_eq!(kind(Grant::new("")), ErrorKind::Invalid);
    assert_eq!(kind(Grant::new("a").session("")), ErrorKind::Invalid);
    assert_eq!(kind(Grant::new("a").audience("")), ErrorKind::Invalid);
    assert_eq!(kind(Grant::new("a".repeat(MAX_TOKEN))), ErrorKind::TooLarge);
    let unsigned = Tokens::builder(ring(), ISSUER)
        .audience("shop")
        .build()
        .unwrap();
    assert_eq!(
        unsigned.issue(&Grant::new("a")).unwrap_err().kind(),
        ErrorKind::Config
    );
}

#[test]
fn what_would_weaken_a_rule_is_no_setting() {
    let hour = Duration::HOUR;
    let tick = Duration::nanoseconds(1);
    assert!(
        builder()
            .life(hour)
            .leeway(Duration::seconds(5))
            .build()
            .is_ok()
    );
    for wrong in [
        builder().life(hour + tick),
        builder().life(Duration::ZERO),
        builder().life(-hour),
        builder().life(Duration::milliseconds(999)),
        builder().leeway(Duration::seconds(5) + tick),
        builder().leeway(-tick),
        builder().audience(""),
        Tokens::builder(ring(), ISSUER),
        Tokens::builder(ring(), "").audience("shop"),
    ] {
        assert_eq!(wrong.build().unwrap_err().kind(), ErrorKind::Config);
    }
    assert!(Verifier::builder(ring(), ISSUER).build().is_err());
}

#[test]
fn leeway_counts_at_both_ends_and_no_further() {
    let clock = ManualClock::default();
    let verifier = Verifier::builder(ring(), ISSUER)
        .audience("shop")
        .clock(clock.clone())
        .leeway(Duration::seconds(5))
        .build()
        .unwrap();
    let at = |seconds: i64| {
        let second = (NOW + seconds).to_string();
        saying(&[("iat", Some(&second)), ("nbf", Some(&second))])
    };
    assert!(verifier.verify_ignoring_revocation(&at(5)).is_ok());
    let early = verifier.verify_ignoring_revocation(&at(6));
    assert!(matches!(early, Err(Refusal::NotYet)));
    clock.advance(Duration::seconds(305) - Duration::NANOSECOND);
    assert!(verifier.verify_ignoring_revocation(&at(0)).is_ok());
    clock.advance(Duration::NANOSECOND);
    let late = verifier.verify_ignoring_revocation(&at(0));
    assert!(matches!(late, Err(Refusal::Expired)));
}
