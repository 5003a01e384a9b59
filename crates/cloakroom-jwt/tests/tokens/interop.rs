//! The same tokens by jsonwebtoken, with the signatures of ring.

use crate::forge::{ISSUER, KID, NOW, ring, saying, verifier};
use cloakroom_core::ManualClock;
use cloakroom_jwt::{Grant, KeyRing, SigningKey, Tokens};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    jwk::JwkSet,
    signature::{Error, Signer, Verifier},
};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};

struct Signs(Ed25519KeyPair);
struct Verifies(Vec<u8>);

impl Signer<Vec<u8>> for Signs {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for Signs {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

impl Verifier<Vec<u8>> for Verifies {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Error> {
        let key = UnparsedPublicKey::new(&ED25519, &self.0);
        key.verify(message, signature).map_err(|_| Error::new())
    }
}

impl JwtVerifier for Verifies {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

static RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, key| {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.as_bytes()).unwrap();
        Ok(Box::new(Signs(pair)))
    },
    verifier_factory: |_, key| Ok(Box::new(Verifies(key.try_get_as_bytes()?.to_vec()))),
    key_utils: KeyUtils::new_unimplemented(),
};

fn install() {
    // Whichever test comes first.
    let _ = RING.install_default();
}

fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&["shop"]);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    // Its clock is the machine's, the token's a test's.
    validation.validate_exp = false;
    validation
}

#[test]
fn jsonwebtoken_accepts_ours_by_the_key_of_our_document() {
    install();
    let tokens = Tokens::builder(KeyRing::new(SigningKey::generate().unwrap()), ISSUER)
        .audience("shop")
        .clock(ManualClock::default())
        .build()
        .unwrap();
    let grant = Grant::new("alice").app(&[1, 2]).unwrap();
    let token = tokens.issue(&grant).unwrap();
    let token = token.token();

    let set: JwkSet = serde_json::from_str(&tokens.jwks().to_string()).unwrap();
    let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let key = DecodingKey::from_jwk(set.find(&kid).unwrap()).unwrap();
    let read = jsonwebtoken::decode::<serde_json::Value>(token, &key, &validation()).unwrap();
    assert_eq!(read.header.typ.as_deref(), Some("at+jwt"));
    assert_eq!(read.claims["sub"], "alice");
    assert_eq!(read.claims["app"], serde_json::json!([1, 2]));
    // The forge and its ring agree with it, too.
    let by_hand = saying(&[]);
    assert!(jsonwebtoken::decode::<serde_json::Value>(&by_hand, &key, &validation()).is_err());
}

#[test]
fn we_accept_what_jsonwebtoken_makes_if_it_is_an_access_token() {
    install();
    let prefix = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    let key = EncodingKey::from_ed_der(&[&prefix[..], &[1; 32]].concat());
    let claims = serde_json::json!({
        "iss": ISSUER, "sub": "alice", "aud": ["shop"], "jti": "x",
        "iat": NOW, "nbf": NOW, "exp": NOW + 60,
    });
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(KID.to_owned());
    let make = |header: &Header| jsonwebtoken::encode(header, &claims, &key).unwrap();
    let ours = verifier(&ring());
    assert!(
        ours.verify_ignoring_revocation(&make(&header)).is_err(),
        "its type is JWT"
    );
    header.typ = Some("at+jwt".to_owned());
    let token = ours.verify_ignoring_revocation(&make(&header)).unwrap();
    assert_eq!(token.registered().subject, "alice");
}
