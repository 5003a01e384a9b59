//! Keys and tags as bytes and digests.

use crate::{between::Between, support::value};
use bytes::Bytes;
use cloakroom_cache::{Cache, CacheKey, KeyWriter, Tag};
use cloakroom_core::{Digest, MemoryStore, OsEntropy, SessionId, SessionStore};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// Any key. Options are lists of none or one.
#[derive(Debug, Clone, PartialEq)]
enum Key {
    Text(String),
    Bytes(Vec<u8>),
    Number(i128),
    Beyond(u128),
    Truth(bool),
    Letter(char),
    Several(Vec<Key>),
}

impl CacheKey for Key {
    fn write(&self, key: &mut KeyWriter) {
        match self {
            Self::Text(text) => text.write(key),
            Self::Bytes(bytes) => Bytes::copy_from_slice(bytes).write(key),
            Self::Number(number) => number.write(key),
            Self::Beyond(number) => number.write(key),
            Self::Truth(truth) => truth.write(key),
            Self::Letter(letter) => letter.write(key),
            Self::Several(parts) => match &parts[..] {
                [] => None::<Key>.write(key),
                [one] => Some(one.clone()).write(key),
                [one, two] => (one, two.clone()).write(key),
                [one, two, three] => [one, two, three].write(key),
                parts => parts.write(key),
            },
        }
    }
}

/// Few letters, among them what looks like an encoding, so that much comes out alike.
fn text(random: &mut fastrand::Rng) -> String {
    const PIECES: [&str; 10] = [
        "",
        "a",
        "b",
        ":",
        "/",
        "\0",
        "s",
        "\u{1}",
        "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{1}",
        "l",
    ];
    let pieces = (0..random.usize(0..3)).map(|_| *random.choice(PIECES.iter()).unwrap());
    pieces.collect()
}

fn key(random: &mut fastrand::Rng, depth: usize) -> Key {
    match random.u8(0..if depth == 0 { 6 } else { 10 }) {
        0 => Key::Text(text(random)),
        1 => Key::Bytes(text(random).into_bytes()),
        2 => Key::Number(
            *random
                .choice([0, 1, -1, 256, i128::MAX, i128::MIN].iter())
                .unwrap(),
        ),
        3 => Key::Beyond(u128::MAX - u128::from(random.u8(0..2))),
        4 => Key::Truth(random.bool()),
        5 => Key::Letter(*random.choice(['a', '\0', '\u{1}'].iter()).unwrap()),
        _ => Key::Several(
            (0..random.usize(0..4))
                .map(|_| key(random, depth - 1))
                .collect(),
        ),
    }
}

#[test]
fn different_keys_are_written_differently_and_none_begins_another() {
    let mut random = fastrand::Rng::with_seed(28);
    let mut all: BTreeMap<Vec<u8>, Key> = BTreeMap::new();
    let mut alike = 0;
    for _ in 0..200_000 {
        let key = key(&mut random, 3);
        let bytes = KeyWriter::bytes_of(&key);
        if let Some(other) = all.get(&bytes) {
            assert_eq!(*other, key);
            alike += 1;
        }
        all.insert(bytes, key);
    }
    assert!(
        all.len() > 30_000 && alike > 10_000,
        "{} and {alike}",
        all.len()
    );
    for ((one, of), (next, other)) in all.iter().zip(all.iter().skip(1)) {
        assert!(!next.starts_with(one), "{of:?} begins {other:?}");
    }
}

#[test]
fn a_number_is_a_number_whatever_its_type() {
    let bytes = |key: &dyn CacheKey| KeyWriter::bytes_of(key);
    for number in [0_u8, 1, 127] {
        let signed = i8::try_from(number).unwrap();
        let all: [&dyn CacheKey; 12] = [
            &u16::from(number),
            &u32::from(number),
            &u64::from(number),
            &usize::from(number),
            &u128::from(number),
            &signed,
            &i16::from(number),
            &i32::from(number),
            &i64::from(number),
            &i128::from(number),
            &isize::from(number),
            &&number,
        ];
        assert!(all.iter().all(|key| bytes(*key) == bytes(&number)));
    }
    assert_eq!(bytes(&-1_i8), bytes(&-1_i128));
    assert_ne!(bytes(&255_u8), bytes(&-1_i8));
    assert_ne!(bytes(&u64::MAX), bytes(&-1_i64));
    assert_ne!(bytes(&u128::MAX), bytes(&-1_i128));
    assert_ne!(bytes(&"7"), bytes(&7));
    assert_ne!(bytes(&"a"), bytes(&'a'));
    assert_ne!(bytes(&"a"), bytes(&Bytes::from_static(b"a")));
    assert_eq!(bytes(&"a"), bytes(&"a".to_owned()));
    assert_eq!(bytes(&vec![1, 2]), bytes(&[1, 2]));
    assert_ne!(bytes(&Some("")), bytes(&None::<&str>));
}

#[tokio::test]
async fn namespaces_tags_and_sessions_are_apart() {
    let store = Arc::new(MemoryStore::new());
    let between = Between::new(Arc::clone(&store) as _, |_| async { Ok(()) });
    let bucket = store.buckets().get(0).unwrap();
    let session = SessionId::generate(bucket, &OsEntropy).unwrap();
    let text = session.expose_secret();
    let mut digests = HashSet::from([session.digest(), Digest::from_bytes([0; 16])]);
    for name in ["a", "b", "a/b", "cloakroom"] {
        for schema in [0, 1] {
            let cache: Cache<String, String> = Cache::builder(name, Arc::clone(&between) as _)
                .schema(schema)
                .build()
                .unwrap();
            cache.get_or_load(&text, || value("v")).await.unwrap();
            cache.get_or_load("b", || value("v")).await.unwrap();
            let placed: HashSet<_> = between.placed().into_iter().collect();
            // Schemas lie in one entry.
            assert_eq!(
                (placed.len(), placed.is_subset(&digests)),
                (2, schema == 1),
                "{name}"
            );
            digests.extend(placed);
        }
    }
    let cache: Cache<String, String> = Cache::builder("a", Arc::clone(&between) as _)
        .build()
        .unwrap();
    for tag in [Tag::from(text), Tag::from("b"), Tag::of(&("a", "b"))] {
        cache.invalidate_tag(tag).await.unwrap();
    }
    digests.extend(between.placed());
    assert_eq!(digests.len(), 2 + 2 * 4 + 3);
}
