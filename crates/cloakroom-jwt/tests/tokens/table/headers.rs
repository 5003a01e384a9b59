//! J1–J12, J31, J32, J36, J38: what the header says.

use super::{GOOD, Row, row};
use crate::forge::{KID, b64, headed, header, pair, payload, sign};
use ring::{hmac, signature::KeyPair as _};

pub(super) fn rows() -> Vec<Row> {
    [
        algorithms(),
        macs(),
        brought_keys(),
        names(),
        types(),
        critical(),
        rotated(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn algorithms() -> Vec<Row> {
    let mut rows = Vec::new();
    let texts = [
        ("J1", "\"none\""),
        ("J2", "\"None\""),
        ("J3", "\"nOnE\""),
        ("J4", "null"),
        ("J4", "\"\""),
        ("J4", "[\"EdDSA\"]"),
        ("J4", "{}"),
        ("J4", "1"),
        ("J4", "\"eddsa\""),
        ("J4", "\"EDDSA\""),
        ("J4", "\"EdDSA \""),
        ("J4", "\"EdDSA\\u0000\""),
        ("J4", "\"Ed25519\""),
        ("J4", "\"Ed448\""),
        ("J6", "\"RS256\""),
        ("J6", "\"RS512\""),
        ("J6", "\"ES256\""),
        ("J6", "\"ES384\""),
        ("J6", "\"PS256\""),
        ("J6", "\"HS256\""),
        ("J6", "\"ES256K\""),
        ("J6", "\"dir\""),
    ];
    for (case, text) in texts {
        let signed = headed(&[("alg", Some(text))]);
        let bare = signed[..=signed.rfind('.').unwrap()].to_owned();
        rows.push(row(
            case,
            format!("alg {text}, signed"),
            signed,
            "Algorithm",
        ));
        rows.push(row(
            case,
            format!("alg {text}, no signature"),
            bare,
            "Algorithm",
        ));
    }
    rows.push(row("J4", "no alg", headed(&[("alg", None)]), "Algorithm"));
    rows.push(row(
        "J4",
        "alg in another case",
        headed(&[("alg", None), ("Alg", Some("\"EdDSA\""))]),
        "Algorithm",
    ));
    rows
}

/// Our public key, which everybody knows, as the secret of a MAC.
fn macs() -> Vec<Row> {
    let public = pair(1).public_key().as_ref().to_vec();
    let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, b64(&public));
    let der: Vec<u8> = [
        &[
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
        ],
        &public[..],
    ]
    .concat();
    let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &der);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----");
    let secrets = [
        ("raw", public.clone()),
        ("JWK", jwk.into_bytes()),
        ("DER", der),
        ("PEM and a line feed", format!("{pem}\n").into_bytes()),
        ("PEM", pem.into_bytes()),
        ("text", b64(&public).into_bytes()),
    ];
    let mut rows = Vec::new();
    for (form, secret) in secrets {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        for (alg, answer) in [("\"HS256\"", "Algorithm"), ("\"EdDSA\"", "Signature")] {
            let signed = format!(
                "{}.{}",
                b64(header(&[("alg", Some(alg))])),
                b64(payload(&[]))
            );
            let mac = hmac::sign(&key, signed.as_bytes());
            let token = format!("{signed}.{}", b64(mac));
            rows.push(row(
                "J5",
                format!("MAC by our key as {form}, alg {alg}"),
                token,
                answer,
            ));
        }
    }
    rows
}

/// Keys in a header are not read: a stranger's does not help a stranger, and none hurts us.
fn brought_keys() -> Vec<Row> {
    let jwk = |seed: u8| {
        let x = b64(pair(seed).public_key().as_ref());
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","kid":"{KID}"}}"#)
    };
    let strange = jwk(9);
    let members = [
        ("jwk", strange.as_str()),
        ("jku", "\"http://127.0.0.1:9/jwks.json\""),
        ("x5u", "\"https://evil.example/cert.pem\""),
        ("x5c", "[\"AAAA\"]"),
    ];
    let mut rows = Vec::new();
    for (name, text) in members {
        let by_stranger = |kid| {
            let head = header(&[(name, Some(text)), ("kid", kid)]);
            sign(9, &format!("{}.{}", b64(head), b64(payload(&[]))))
        };
        rows.push(row(
            "J7",
            format!("{name}, by a stranger"),
            by_stranger(Some("\"k1\"")),
            "Signature",
        ));
        rows.push(row(
            "J7",
            format!("{name}, by a stranger, no kid"),
            by_stranger(None),
            "UnknownKey",
        ));
        rows.push(row(
            "J7",
            format!("{name}, by us"),
            headed(&[(name, Some(text))]),
            GOOD,
        ));
    }
    rows
}

fn names() -> Vec<Row> {
    let long = format!("\"{}\"", "k".repeat(65));
    let huge = format!("\"{}\"", "k".repeat(64 << 10));
    let texts = [
        ("J8", "\"../../dev/null\""),
        ("J9", "\"' OR 1=1\""),
        ("J9", "\"k1' --\""),
        ("J10", "\"\""),
        ("J11", long.as_str()),
        ("J12", "[\"k1\"]"),
        ("J12", "{\"k1\":1}"),
        ("J12", "null"),
        ("J12", "1"),
        ("J12", "true"),
        ("J12", "\"k2\""),
        ("J12", "\"K1\""),
        ("J12", "\"k\""),
        ("J12", "\"k11\""),
        ("J12", "\" k1\""),
        ("J12", "\"k1\\u0000\""),
        ("J12", "\"k1\\n\""),
        ("J12", "\"*\""),
        ("J12", "\"\u{ff4b}1\""),
    ];
    let mut rows: Vec<_> = texts
        .into_iter()
        .map(|(case, text)| {
            row(
                case,
                format!("kid {text}"),
                headed(&[("kid", Some(text))]),
                "UnknownKey",
            )
        })
        .collect();
    rows.push(row(
        "J11",
        "kid of 64 KiB",
        headed(&[("kid", Some(&huge))]),
        "TooLong",
    ));
    rows.push(row("J12", "no kid", headed(&[("kid", None)]), "UnknownKey"));
    rows
}

fn types() -> Vec<Row> {
    let texts = [
        ("J31", "\"JWT\""),
        ("J31", "\"jwt\""),
        ("J31", "\"application/at+jwt\""),
        ("J31", "\"AT+JWT\""),
        ("J31", "\"At+Jwt\""),
        ("J31", "\"at+jwt \""),
        ("J31", "\"at+jwt;x=1\""),
        ("J31", "\"\""),
        ("J31", "null"),
        ("J31", "[\"at+jwt\"]"),
        ("J31", "\"dpop+jwt\""),
        ("J31", "\"secevent+jwt\""),
        ("J35", "\"id+jwt\""),
        ("J36", "\"refresh+jwt\""),
        ("J36", "\"rt+jwt\""),
    ];
    let mut rows: Vec<_> = texts
        .into_iter()
        .map(|(case, text)| {
            row(
                case,
                format!("typ {text}"),
                headed(&[("typ", Some(text))]),
                "Type",
            )
        })
        .collect();
    rows.push(row("J31", "no typ", headed(&[("typ", None)]), "Type"));
    rows
}

fn critical() -> Vec<Row> {
    let crit = |text, more: &[(&'static str, Option<&'static str>)]| {
        let changes = [&[("crit", Some(text))], more].concat();
        let variant = format!("crit {text}");
        row("J32", variant, headed(&changes), "Critical")
    };
    vec![
        crit("[\"x\"]", &[]),
        crit("[\"b64\"]", &[("b64", Some("false"))]),
        crit("[\"exp\"]", &[("exp", Some("1"))]),
        crit("[\"alg\"]", &[]),
        crit("[]", &[]),
        crit("null", &[]),
        crit("\"x\"", &[]),
    ]
}

fn rotated() -> Vec<Row> {
    let by = |seed, kid: &str| {
        let head = header(&[("kid", Some(&format!("\"{kid}\"")))]);
        sign(seed, &format!("{}.{}", b64(head), b64(payload(&[]))))
    };
    vec![
        row("J38", "a key in its last second", by(2, "leaving"), GOOD),
        row(
            "J38",
            "a key from its end on",
            by(3, "retired"),
            "RetiredKey",
        ),
        row(
            "J38",
            "a key that was removed",
            by(4, "removed"),
            "UnknownKey",
        ),
        row(
            "J38",
            "a retired key by the name of ours",
            by(3, KID),
            "Signature",
        ),
        row(
            "J38",
            "our key by another's name",
            by(1, "leaving"),
            "Signature",
        ),
    ]
}
