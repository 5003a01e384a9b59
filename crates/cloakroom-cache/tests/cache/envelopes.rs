//! What stands around stored values: read for ever, and nothing but what was written.

use cloakroom_cache::Envelope;
use cloakroom_core::Digest;
use std::path::PathBuf;
use time::Duration;

/// Whose entry they are.
fn of() -> Digest {
    Digest::from_bytes(*b"sixteen bytes ok")
}

fn tag(number: u8) -> (Digest, u64) {
    (Digest::from_bytes([number; 16]), u64::from(number) << 56)
}

/// The contents of the files of version 1. Never to be changed, nor the files: entries like them are
/// in stores.
fn version_1() -> [(&'static str, Envelope<'static>); 5] {
    let envelope = |value, took, while_loading, tags: u8| Envelope {
        value,
        took,
        while_loading,
        tags: (0..tags).map(tag).collect(),
    };
    [
        (
            "v1_value.bin",
            envelope(
                Some(b"{\"name\":\"tea\"}"),
                Duration::milliseconds(12),
                Duration::ZERO,
                0,
            ),
        ),
        (
            "v1_empty.bin",
            envelope(Some(b""), Duration::ZERO, Duration::ZERO, 0),
        ),
        (
            "v1_absent.bin",
            envelope(None, Duration::microseconds(1), Duration::SECOND, 1),
        ),
        (
            "v1_tags.bin",
            envelope(Some(b"\0\xff\x01"), Duration::MINUTE, Duration::HOUR, 64),
        ),
        (
            "v1_longest.bin",
            envelope(
                Some(b"v"),
                Duration::microseconds(u32::MAX as i64),
                Duration::milliseconds(u32::MAX as i64),
                2,
            ),
        ),
    ]
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/envelopes")
        .join(name)
}

/// The files, written first where `CLOAKROOM_WRITE_ENVELOPES` says so.
fn files() -> Vec<(Vec<u8>, Envelope<'static>)> {
    let writes = std::env::var_os("CLOAKROOM_WRITE_ENVELOPES").is_some();
    let read = |(name, envelope): (&str, Envelope<'static>)| {
        if writes {
            std::fs::write(file(name), envelope.encode(of())).unwrap();
        }
        (std::fs::read(file(name)).unwrap(), envelope)
    };
    version_1().into_iter().map(read).collect()
}

#[test]
fn what_was_written_once_is_read_for_ever() {
    for (bytes, envelope) in files() {
        assert_eq!(Envelope::decode(of(), &bytes), Some(envelope.clone()));
        assert_eq!(envelope.encode(of()), bytes);
    }
}

#[test]
fn what_is_cut_short_damaged_or_elses_is_a_miss() {
    for (bytes, _) in files() {
        for length in 0..bytes.len() {
            assert_eq!(Envelope::decode(of(), &bytes[..length]), None);
        }
        let mut damaged = bytes.clone();
        for bit in 0..bytes.len() * 8 {
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Envelope::decode(of(), &damaged), None, "bit {bit}");
            damaged[bit / 8] ^= 1 << (bit % 8);
        }
        damaged.push(0);
        assert_eq!(Envelope::decode(of(), &damaged), None);
        assert_eq!(Envelope::decode(tag(1).0, &bytes), None);
    }
}

/// A later version is a miss by its number, also with a checksum that is right.
#[test]
fn a_later_version_is_a_miss() {
    let context = "cloakroom 2026-11 cache envelope v1";
    for (bytes, envelope) in files() {
        for version in [0, 1, 2, 255] {
            let mut body = bytes[..bytes.len() - 8].to_vec();
            body[0] = version;
            let mut hasher = blake3::Hasher::new_derive_key(context);
            hasher.update(of().as_bytes()).update(&body);
            body.extend(&hasher.finalize().as_bytes()[..8]);
            let read = Envelope::decode(of(), &body);
            assert_eq!(read, (version == 1).then(|| envelope.clone()), "{version}");
        }
    }
}

#[test]
fn of_a_million_strange_envelopes_none_is_read() {
    let mut random = fastrand::Rng::with_seed(29);
    let files = files();
    let mut strange = Vec::new();
    for round in 0..1_000_000 {
        strange.clear();
        let (valid, _) = &files[random.usize(0..files.len() - usize::from(round % 8 != 0))];
        if round % 2 == 0 {
            let length = random.usize(0..120);
            strange.extend((0..length).map(|_| random.u8(..)));
            if let Some(version) = strange.first_mut().filter(|_| round % 4 == 0) {
                *version = 1;
            }
        } else {
            strange.extend_from_slice(&valid[..valid.len().min(200)]);
            mutate(&mut strange, &mut random);
        }
        if strange != *valid {
            assert_eq!(Envelope::decode(of(), &strange), None, "{strange:?}");
        }
    }
}

fn mutate(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    for _ in 0..random.usize(1..4) {
        let place = random
            .usize(0..bytes.len().max(1))
            .min(bytes.len().saturating_sub(1));
        match random.u8(0..5) {
            0 => bytes.truncate(place),
            1 => bytes.insert(place, random.u8(..)),
            2 if !bytes.is_empty() => drop(bytes.remove(place)),
            3 => bytes.extend_from_within(place..),
            _ => {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= random.u8(1..);
                }
            }
        }
    }
}
