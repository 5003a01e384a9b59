//! Every id that was ever seen, and all the ways to write one down.

use std::collections::BTreeSet;

use axum::Router;
use cloakroom_core::{Buckets, SessionId};
use http::{HeaderName, Method, header};

use crate::web::support::{Answer, Browser, call};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Asks, and keeps every id that is issued.
#[derive(Debug, Default)]
pub(super) struct Ids(BTreeSet<String>);

impl Ids {
    pub(super) async fn ask(&mut self, app: &Router, browser: &mut Browser, line: &str) -> Answer {
        let (method, path) = line.split_once(' ').unwrap();
        let method: Method = method.parse().unwrap();
        let request = browser.request(method, path).body(super::VALUE.into());
        let answer = call(app, request.unwrap()).await;
        browser.learn(&answer);
        self.note(&answer);
        answer
    }

    pub(super) fn note(&mut self, answer: &Answer) {
        let in_header = answer.header("x-session").into_iter().map(str::to_owned);
        let new: Vec<_> = answer.new_id().into_iter().chain(in_header).collect();
        self.0.extend(new.into_iter().filter(|id| !id.is_empty()));
        // S21: an id goes to its client in one header and nowhere else.
        let allowed = [header::SET_COOKIE, HeaderName::from_static("x-session")];
        for (name, value) in &answer.headers {
            if !allowed.contains(name) {
                self.are_not_in(name.as_str(), value.as_bytes());
            }
        }
        self.are_not_in("the body", answer.text.as_bytes());
        self.are_not_in(
            "Debug of the headers",
            format!("{:?}", answer.headers).as_bytes(),
        );
    }

    /// One that nobody was given is a secret all the same: it may be somebody's typing error.
    pub(super) fn add(&mut self, id: &str) {
        self.0.insert(id.to_owned());
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn are_not_in(&self, what: &str, bytes: &[u8]) {
        if let Some(at) = self.find(bytes) {
            let around = &bytes[at.saturating_sub(80)..(at + 80).min(bytes.len())];
            panic!("{what} holds an id: {}", String::from_utf8_lossy(around));
        }
    }

    /// Where any of them stands, in any form.
    fn find(&self, bytes: &[u8]) -> Option<usize> {
        let mut forms = self.0.iter().flat_map(|id| forms(id));
        forms.find_map(|form| bytes.windows(form.len()).position(|window| window == form))
    }
}

/// How an id may be written: as it travels and half of it, decoded, in hexadecimal digits, and as
/// `MONITOR` would quote its bytes.
fn forms(id: &str) -> Vec<Vec<u8>> {
    let bytes = decode(id);
    let (first, last) = id.split_at(16);
    let hex = |case: fn(&u8) -> String| bytes.iter().map(case).collect::<String>().into_bytes();
    vec![
        first.into(),
        last.into(),
        bytes[..12].to_vec(),
        bytes[12..].to_vec(),
        hex(|byte| format!("{byte:02x}")),
        hex(|byte| format!("{byte:02X}")),
        hex(quoted),
        format!("{bytes:?}").into_bytes(),
    ]
}

/// A byte as Redis quotes it.
fn quoted(byte: &u8) -> String {
    match byte {
        b'"' => "\\\"".into(),
        b'\\' => "\\\\".into(),
        b'\n' => "\\n".into(),
        b'\r' => "\\r".into(),
        b'\t' => "\\t".into(),
        7 => "\\a".into(),
        8 => "\\b".into(),
        byte if (0x20..0x7f).contains(byte) => char::from(*byte).into(),
        byte => format!("\\x{byte:02x}"),
    }
}

/// The bytes of 32 base64url characters.
fn decode(id: &str) -> Vec<u8> {
    let value = |byte| ALPHABET.iter().position(|b| *b == byte).unwrap() as u32;
    let quads = id.as_bytes().chunks(4);
    let bits = quads.map(|quad| quad.iter().fold(0, |bits, byte| bits << 6 | value(*byte)));
    bits.flat_map(|bits| bits.to_be_bytes().into_iter().skip(1))
        .collect()
}

/// The search finds what it is meant to find.
#[test]
fn all_forms_are_found() {
    let mut ids = Ids::default();
    let id = "AAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
    assert!(SessionId::parse(id, &Buckets::default()).is_some());
    ids.add(id);
    let decoded = [&[0, 7][..], &[7; 22]].concat();
    assert_eq!(decode(id), decoded);
    for form in forms(id) {
        let text = [b"before ", &form[..], b" after"].concat();
        assert_eq!(ids.find(&text), Some(7), "{form:?}");
    }
    assert_eq!(ids.find(b"AAcHBwcHBwcHBwc 0007070707"), None);
}
