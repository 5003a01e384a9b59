//! A million tokens by chance: none is accepted, and none stops the program.

use crate::forge::{self, b64, headed, header, payload, ring, saying, verifier};
use cloakroom_jwt::Verifier;
use fastrand::Rng;
use std::{collections::BTreeMap, thread};

const TOKENS: u64 = 1_000_000;
const PARTS: u64 = 8;

#[test]
fn of_a_million_tokens_by_chance_none_is_accepted() {
    let verifier = verifier(&ring());
    let part = |seed| {
        let verifier = &verifier;
        move || run(verifier, seed, TOKENS / PARTS)
    };
    let mut answers = BTreeMap::new();
    thread::scope(|scope| {
        let parts: Vec<_> = (0..PARTS).map(|seed| scope.spawn(part(seed))).collect();
        for part in parts {
            for (answer, count) in part.join().unwrap() {
                *answers.entry(answer).or_insert(0) += count;
            }
        }
    });
    println!("{answers:#?}");
    assert_eq!(answers.values().sum::<u64>(), TOKENS);
    // Chance reached deep enough to mean something.
    for answer in [
        "Encoding",
        "Json",
        "UnknownKey",
        "Signature",
        "Algorithm",
        "Type",
    ] {
        assert!(answers.get(answer).is_some_and(|n| *n > 1_000), "{answer}");
    }
}

fn run(verifier: &Verifier, seed: u64, count: u64) -> BTreeMap<String, u64> {
    let mut rng = Rng::with_seed(seed);
    let valid = [
        saying(&[]),
        saying(&[("app", Some("{\"seats\":5}")), ("scope", Some("\"a b\""))]),
        headed(&[("jku", Some("\"https://example.org\""))]),
    ];
    for token in &valid {
        assert!(verifier.verify_ignoring_revocation(token).is_ok());
    }
    let mut answers = BTreeMap::new();
    for n in 0..count {
        let token = match n % 4 {
            0 => noise(&mut rng),
            1 => made(&mut rng),
            _ => mutant(&mut rng, &valid),
        };
        let Err(refusal) = verifier.verify_ignoring_revocation(&token) else {
            panic!("accepted, seed {seed}, number {n}: {token}");
        };
        *answers.entry(format!("{refusal:?}")).or_insert(0) += 1;
    }
    answers
}

/// Any text: symbols of base64 and dots for the most part, or any characters.
fn noise(rng: &mut Rng) -> String {
    let length = rng.usize(..300);
    let any = rng.bool();
    let symbol = |rng: &mut Rng| match rng.u8(..16) {
        0 | 1 => '.',
        2 if any => rng.char(..),
        _ => char::from(b"ABCabcxyz0129-_=+/ "[rng.usize(..if any { 19 } else { 15 })]),
    };
    (0..length).map(|_| symbol(rng)).collect()
}

/// A token of ours with changes. They may undo each other, so it is made until it differs from all.
fn mutant(rng: &mut Rng, valid: &[String]) -> String {
    loop {
        let mut token = valid[rng.usize(..valid.len())].clone();
        for _ in 0..rng.usize(1..=3) {
            change(rng, &mut token, valid);
        }
        if !valid.contains(&token) {
            return token;
        }
    }
}

fn change(rng: &mut Rng, token: &mut String, valid: &[String]) {
    let at = rng.usize(..=token.len());
    let symbol = char::from(rng.u8(..128));
    let other = &valid[rng.usize(..valid.len())];
    match rng.u8(..10) {
        0..=4 if at < token.len() => token.replace_range(at..=at, symbol.encode_utf8(&mut [0; 4])),
        5 => token.insert(at, symbol),
        6 if at < token.len() => _ = token.remove(at),
        7 => token.truncate(at),
        8 => {
            // A segment of another token in its place.
            let own = token.split('.').map(str::to_owned);
            let mut segments: Vec<_> = own.collect();
            let others: Vec<_> = other.split('.').collect();
            let (to, from) = (rng.usize(..segments.len()), rng.usize(..others.len()));
            segments[to] = others[from].to_owned();
            *token = segments.join(".");
        }
        _ => token.push_str(&other[at.min(other.len())..]),
    }
}

/// Well-formed base64 of well-formed JSON, of members by chance, with a signature that is none.
fn made(rng: &mut Rng) -> String {
    const TEXTS: [&str; 14] = [
        "\"EdDSA\"",
        "\"none\"",
        "\"HS256\"",
        "\"at+jwt\"",
        "\"JWT\"",
        "\"k1\"",
        "\"shop\"",
        "1e300",
        "-1",
        "null",
        "[]",
        "{}",
        "\"\\u0000\"",
        "1767225600",
    ];
    const NAMES: [&str; 12] = [
        "alg", "typ", "kid", "crit", "jwk", "exp", "iat", "nbf", "sub", "iss", "aud", "app",
    ];
    let mut changed = |of: fn(forge::Changes<'_>) -> String| {
        let change = |rng: &mut Rng| {
            let text = TEXTS[rng.usize(..TEXTS.len())];
            (NAMES[rng.usize(..NAMES.len())], rng.bool().then_some(text))
        };
        let changes: Vec<_> = (0..rng.usize(..4)).map(|_| change(rng)).collect();
        of(&changes)
    };
    let (head, body) = (changed(header), changed(payload));
    let signature: Vec<u8> = (0..if rng.u8(..8) == 0 {
        rng.usize(..80)
    } else {
        64
    })
        .map(|_| rng.u8(..))
        .collect();
    format!("{}.{}.{}", b64(head), b64(body), b64(signature))
}
