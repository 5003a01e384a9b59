//! J13, J14: what the signature is.

use super::{Row, row};
use crate::forge::{b64, pair, saying, sign};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use ring::{digest, signature::KeyPair as _};

/// The order of the group, little-endian.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

pub(super) fn rows() -> Vec<Row> {
    let good = saying(&[]);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let signature: [u8; 64] = URL_SAFE_NO_PAD
        .decode(signature)
        .unwrap()
        .try_into()
        .unwrap();
    let with = |bytes: &[u8]| format!("{signed}.{}", b64(bytes));
    let wrong = |case, variant: &str, token| row(case, variant, token, "Signature");
    let part = |r: [u8; 32], s: [u8; 32]| with(&[r, s].concat());
    let (r, s) = halves(&signature);
    let mut identity = [0; 32];
    identity[0] = 1;
    vec![
        wrong("J13", "all zero", with(&[0; 64])),
        wrong("J13", "empty", with(&[])),
        wrong("J13", "63 bytes", with(&signature[..63])),
        wrong("J13", "65 bytes", with(&[&signature[..], &[0]].concat())),
        wrong("J13", "32 bytes", with(&r)),
        wrong("J13", "twice", with(&[signature, signature].concat())),
        wrong("J13", "R alone is zero", part([0; 32], s)),
        wrong("J13", "S alone is zero", part(r, [0; 32])),
        wrong("J13", "halves exchanged", part(s, r)),
        wrong("J13", "all ones", with(&[0xff; 64])),
        wrong("J13", "a stranger's", sign(9, signed)),
        wrong("J13", "of another text", {
            let other = saying(&[("sub", Some("\"bob\""))]);
            format!("{signed}.{}", other.rsplit_once('.').unwrap().1)
        }),
        wrong("J14", "S beyond the order", part(r, plus_order(s))),
        wrong("J14", "S is the order", part(r, L)),
        wrong(
            "J14",
            "S with its top bit set",
            part(r, {
                let mut s = s;
                s[31] |= 0x80;
                s
            }),
        ),
        wrong("J14", "R is the identity, S zero", part(identity, [0; 32])),
        wrong("J14", "R is the identity", part(identity, s)),
        wrong(
            "J14",
            "R is the identity and the equation holds",
            part(identity, without_nonce(identity, signed)),
        ),
        wrong(
            "J14",
            "R with its sign turned",
            part(
                {
                    let mut r = r;
                    r[31] ^= 0x80;
                    r
                },
                s,
            ),
        ),
    ]
}

/// The `S` that fits to this `R` of order one under our key: right by the plain rule, though made
/// without a nonce, and so a signature from which anybody can compute the key.
fn without_nonce(r: [u8; 32], message: &str) -> [u8; 32] {
    let sha512 = |parts: &[&[u8]]| {
        let digest = digest::digest(&digest::SHA512, &parts.concat());
        <[u8; 64]>::try_from(digest.as_ref()).unwrap()
    };
    let (secret, _) = halves(&sha512(&[&[1; 32]]));
    let secret = Scalar::from_bytes_mod_order(clamp_integer(secret));
    let public = pair(1);
    let challenge = sha512(&[&r, public.public_key().as_ref(), message.as_bytes()]);
    (Scalar::from_bytes_mod_order_wide(&challenge) * secret).to_bytes()
}

fn halves(signature: &[u8; 64]) -> ([u8; 32], [u8; 32]) {
    let (r, s) = signature.split_at(32);
    (r.try_into().unwrap(), s.try_into().unwrap())
}

/// The same number modulo the order: a signature that is right by the equation, spelt otherwise.
fn plus_order(mut s: [u8; 32]) -> [u8; 32] {
    let mut carry = 0;
    for (byte, order) in s.iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    s
}
