//! Keys, rings and JWK Sets.

use crate::forge::{b64, public, ring, saying, verifier};
use cloakroom_core::{Clock as _, ErrorKind, ManualClock};
use cloakroom_jwt::{KeyRing, PublicKey, SigningKey};
use time::Duration;

/// The eight points of small order, and their other spellings.
const SMALL: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

fn bytes(hex: &str) -> [u8; 32] {
    let digit = |n: usize| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap();
    std::array::from_fn(digit)
}

#[test]
fn a_key_for_which_anybody_can_sign_is_refused_everywhere() {
    for hex in SMALL {
        let point = bytes(hex);
        assert!(PublicKey::from_bytes(&point).is_err(), "{hex}");
        let x = b64(point);
        let set = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"{x}"}}]}}"#);
        assert!(KeyRing::empty().trust_jwks(&set).is_err(), "{hex}");
    }
}

#[test]
fn a_key_in_another_spelling_is_refused() {
    // y = 1 + p has a second spelling below 2^255; so have the 18 others that are that small.
    let mut other = [0xff; 32];
    (other[0], other[31]) = (0xf0, 0x7f);
    assert!(PublicKey::from_bytes(&other).is_err());
}

#[test]
fn a_key_of_openssl_is_read_and_what_is_none_tells_nothing() {
    // RFC 8410, section 10.3; its public half is in section 10.1.
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    let key = SigningKey::from_pem(pem).unwrap();
    let x = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
    assert_eq!(key.public().to_bytes(), bytes(x));
    let der = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC",
    );
    assert_eq!(
        SigningKey::from_der(&der.unwrap()).unwrap().public(),
        key.public()
    );

    let spoilt = pem.replace("MC4C", "MC4D");
    let error = SigningKey::from_pem(&spoilt).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(!error.to_string().contains("MC4"));
    let debug = format!("{key:?} {:?}", KeyRing::new(key.clone()));
    assert!(
        !debug.contains("d4ee72") && !debug.contains("212, 238"),
        "{debug}"
    );
}

#[test]
fn a_name_must_fit_into_a_header() {
    let key = SigningKey::from_seed(&[1; 32]);
    assert_eq!(key.kid().len(), 22);
    assert_eq!(key.kid(), SigningKey::from_seed(&[1; 32]).public().kid());
    for kid in ["", "a b", "é", "a\n", &"k".repeat(65)] {
        assert!(key.clone().named(kid).is_err(), "{kid}");
    }
    assert!(key.named("k".repeat(64)).is_ok());
}

#[test]
fn no_key_takes_another_ones_name() {
    let ring = ring();
    assert!(ring.trust(public(2, "k1")).is_err());
    assert!(
        ring.trust_until(public(2, "k1"), ManualClock::default().now())
            .is_err()
    );
    let key = SigningKey::from_seed(&[2; 32]).named("k1").unwrap();
    assert!(ring.sign_with(key, ManualClock::default().now()).is_err());
    assert_eq!(ring.active(), None);
    assert!(
        verifier(&ring)
            .verify_ignoring_revocation(&saying(&[]))
            .is_ok()
    );
}

#[test]
fn the_key_that_signs_has_no_end_and_can_be_removed() {
    let key = SigningKey::generate().unwrap();
    let ring = KeyRing::new(key.clone());
    let now = ManualClock::default().now();
    assert!(ring.trust_until(key.public(), now).is_err());
    assert!(ring.remove(key.kid()));
    assert!(!ring.remove(key.kid()));
    assert!(ring.active().is_none() && ring.is_empty());
    ring.sign_with(key.clone(), now).unwrap();
    // The same again does not end it.
    ring.sign_with(key.clone(), now).unwrap();
    assert_eq!(ring.prune(now + Duration::DAY), 0);
    assert_eq!(ring.active().as_deref(), Some(key.kid()));
}

#[test]
fn the_document_holds_the_public_keys_that_verify_now() {
    let now = ManualClock::default().now();
    let blue = SigningKey::from_seed(&[1; 32]).named("blue").unwrap();
    let ring = KeyRing::new(blue.clone());
    ring.trust(public(2, "green")).unwrap();
    ring.trust_until(public(3, "grey"), now + Duration::SECOND)
        .unwrap();
    let text = ring.jwks(now).to_string();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let x = b64(blue.public().to_bytes());
    let first = serde_json::json!({
        "kty": "OKP", "crv": "Ed25519", "x": x, "kid": "blue", "alg": "EdDSA", "use": "sig",
    });
    assert_eq!(json["keys"][0], first);
    assert_eq!(json["keys"].as_array().unwrap().len(), 3);
    let later: serde_json::Value =
        serde_json::from_str(&ring.jwks(now + Duration::SECOND).to_string()).unwrap();
    assert_eq!(later["keys"].as_array().unwrap().len(), 2);

    let elsewhere = KeyRing::empty();
    assert_eq!(elsewhere.trust_jwks(&text).unwrap(), 3);
    assert_eq!(elsewhere.active(), None);
    assert_eq!(elsewhere.jwks(now).to_string(), text);
}

#[test]
fn of_anothers_document_only_what_is_for_us_is_taken() {
    let x = b64(public(1, "k1").to_bytes());
    let ours = format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"{x}"}}"#);
    let others = [
        r#"{"kty":"RSA","kid":"r","n":"AQAB","e":"AQAB","use":"sig"}"#.to_owned(),
        r#"{"kty":"EC","crv":"P-256","kid":"e","x":"AA","y":"AA"}"#.to_owned(),
        r#"{"kty":"unheard-of","kid":"u"}"#.to_owned(),
        r#"{"kty":"oct","kid":"o","k":"c2VjcmV0"}"#.to_owned(),
        "{}".to_owned(),
        "1".to_owned(),
        ours.replace("k1", ""),
        ours.replace("\"kid\":\"k1\",", ""),
        ours.replace("\"kid\":\"k1\"", "\"kid\":\"x\",\"use\":\"enc\""),
        ours.replace("\"kid\":\"k1\"", "\"kid\":\"x\",\"alg\":\"ES256\""),
        ours.replace("\"kid\":\"k1\"", "\"kid\":\"x\"")
            .replace("Ed25519", "X25519"),
        ours.replace("\"kid\":\"k1\"", "\"kid\":\"x\"")
            .replace(&x, "AAAA"),
    ];
    let set = |keys: &[String]| format!(r#"{{"keys":[{}]}}"#, keys.join(","));
    let ring = KeyRing::empty();
    let all = [&others[..], std::slice::from_ref(&ours)].concat();
    assert_eq!(ring.trust_jwks(&set(&all)).unwrap(), 1);
    assert!(
        verifier(&ring)
            .verify_ignoring_revocation(&saying(&[]))
            .is_ok()
    );

    let private = ours.replace("\"kid\"", "\"d\":\"AA\",\"kid\"");
    for wrong in [
        set(&others),
        set(&[]),
        set(&[ours.clone(), ours.clone()]),
        set(&[private]),
        "{}".into(),
        String::new(),
    ] {
        assert_eq!(
            ring.trust_jwks(&wrong).unwrap_err().kind(),
            ErrorKind::Invalid,
            "{wrong}"
        );
    }
    assert_eq!(ring.len(), 1, "what can't be used changes nothing");
}

#[test]
fn a_document_ends_the_keys_that_it_lacks_but_not_our_own() {
    let key = SigningKey::generate().unwrap();
    let ring = KeyRing::new(key.clone());
    ring.trust(public(2, "gone")).unwrap();
    let now = ManualClock::default().now();
    let next = KeyRing::empty();
    next.trust(public(3, "next")).unwrap();
    assert_eq!(ring.trust_jwks(&next.jwks(now).to_string()).unwrap(), 1);
    assert_eq!(ring.len(), 2);
    assert!(!ring.remove("gone") && ring.remove("next"));

    let thief = KeyRing::empty();
    thief.trust(public(4, key.kid())).unwrap();
    assert!(ring.trust_jwks(&thief.jwks(now).to_string()).is_err());
}

#[test]
fn the_key_that_signed_so_far_ends_when_it_was_told_to() {
    let now = ManualClock::default().now();
    let old = SigningKey::from_seed(&[1; 32]).named("k1").unwrap();
    let ring = KeyRing::new(old);
    let accepts = || {
        verifier(&ring)
            .verify_ignoring_revocation(&saying(&[]))
            .is_ok()
    };
    ring.sign_with(SigningKey::generate().unwrap(), now + Duration::SECOND)
        .unwrap();
    assert!(accepts());
    let back = SigningKey::from_seed(&[1; 32]).named("k1").unwrap();
    ring.sign_with(back, now).unwrap();
    assert!(accepts(), "a key that signs again has no end");
    ring.sign_with(SigningKey::generate().unwrap(), now)
        .unwrap();
    assert!(!accepts());
    assert_eq!(ring.prune(now), 2);
}

#[test]
fn peers_that_read_each_other_keep_no_key_alive() {
    let now = ManualClock::default().now();
    let blue_key = SigningKey::generate().unwrap();
    let [blue, green] = [blue_key.clone(), SigningKey::generate().unwrap()].map(KeyRing::new);
    let read = || {
        blue.trust_jwks_of("green", &green.jwks(now).to_string())
            .unwrap();
        green
            .trust_jwks_of("blue", &blue.jwks(now).to_string())
            .unwrap();
    };
    read();
    assert_eq!((blue.len(), green.len()), (2, 2));
    blue.sign_with(SigningKey::generate().unwrap(), now)
        .unwrap();
    assert_eq!(blue.prune(now), 1);
    for _ in 0..3 {
        read();
    }
    assert_eq!((blue.len(), green.len()), (2, 2));
    assert!(!blue.remove(blue_key.kid()) && !green.remove(blue_key.kid()));
}

#[test]
fn a_peers_document_takes_the_place_of_its_last_one_alone() {
    let now = ManualClock::default().now();
    let own = SigningKey::generate().unwrap();
    let ring = KeyRing::new(own.clone());
    ring.trust_until(public(2, "old"), now + Duration::SECOND)
        .unwrap();
    let document = |number, name: &str| {
        let peer = KeyRing::empty();
        peer.trust(public(number, name)).unwrap();
        peer.jwks(now).to_string()
    };
    ring.trust_jwks_of("a", &document(3, "a1")).unwrap();
    ring.trust_jwks_of("b", &document(4, "b1")).unwrap();
    ring.trust_jwks_of("a", &document(5, "a2")).unwrap();
    assert_eq!(ring.len(), 4);
    // A document that can't be used changes nothing: of keys that have another's name, too.
    for wrong in [
        "{}",
        &document(6, own.kid()),
        &document(6, "old"),
        &document(6, "b1"),
    ] {
        assert!(ring.trust_jwks_of("a", wrong).is_err());
    }
    assert!(ring.trust(public(6, "b1")).is_err());
    assert_eq!(ring.prune(now + Duration::SECOND), 1, "it kept its end");
    assert!(ring.remove("a2") && ring.remove("b1") && !ring.remove("a1"));
    assert_eq!(ring.active().as_deref(), Some(own.kid()));
}
