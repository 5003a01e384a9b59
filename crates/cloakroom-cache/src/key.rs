//! Keys and tags: what callers name entries by, and the digests that stores see.

use cloakroom_core::Digest;
use std::fmt;

/// What an entry can be named by: text, bytes, numbers, and tuples, lists and options of them.
///
/// Two values of one type that differ are written differently, whatever bytes they hold: each part
/// bears its kind and its length. Text is text and a number a number whatever its type, so an `i32`
/// that becomes a `u64` still names the same entry. Implement it for a type of your own by writing
/// its parts in turn.
///
/// ```
/// use cloakroom_cache::{CacheKey, KeyWriter};
///
/// struct Page { shop: String, number: u32 }
///
/// impl CacheKey for Page {
///     fn write(&self, key: &mut KeyWriter) {
///         (&self.shop, self.number).write(key);
///     }
/// }
///
/// let bytes = |key: &dyn CacheKey| KeyWriter::bytes_of(key);
/// assert_eq!(bytes(&Page { shop: "a".into(), number: 7 }), bytes(&("a", 7u64)));
/// assert_ne!(bytes(&("ab", "c")), bytes(&("a", "bc")));
/// ```
pub trait CacheKey {
    /// Writes all of it.
    fn write(&self, key: &mut KeyWriter);
}

/// Where a key is written to.
pub struct KeyWriter {
    /// What fits in here needs no allocation.
    short: [u8; SHORT],
    length: usize,
    /// All of it, if it doesn't.
    long: Vec<u8>,
}

/// Nearly all keys are shorter, and what is written of them, too.
const SHORT: usize = 128;

impl KeyWriter {
    /// What a key writes.
    #[must_use]
    pub fn bytes_of(key: &(impl CacheKey + ?Sized)) -> Vec<u8> {
        Self::written(key).as_bytes().to_vec()
    }

    fn written(key: &(impl CacheKey + ?Sized)) -> Self {
        let mut writer = Self::default();
        key.write(&mut writer);
        writer
    }

    fn as_bytes(&self) -> &[u8] {
        match self.long.as_slice() {
            [] => &self.short[..self.length],
            long => long,
        }
    }

    /// Writes a text.
    pub fn text(&mut self, text: &str) {
        self.part(b's', text.as_bytes());
    }

    /// Writes bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.part(b'b', bytes);
    }

    /// Writes a whole number.
    pub fn number(&mut self, number: i128) {
        self.part(b'i', &number.to_be_bytes());
    }

    /// Begins a list of so many parts, which follow.
    pub fn list(&mut self, parts: usize) {
        self.part(b'l', &(parts as u64).to_be_bytes());
    }

    fn part(&mut self, kind: u8, bytes: &[u8]) {
        let mut head = [kind; 9];
        head[1..].copy_from_slice(&(bytes.len() as u64).to_be_bytes());
        self.push(&head);
        self.push(bytes);
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        match self.short.get_mut(self.length..end) {
            Some(rest) if self.long.is_empty() => {
                rest.copy_from_slice(bytes);
                self.length = end;
            }
            _ => {
                if self.long.is_empty() {
                    self.long.reserve(2 * end);
                    self.long.extend(&self.short[..self.length]);
                }
                self.long.extend(bytes);
            }
        }
    }
}

impl Default for KeyWriter {
    fn default() -> Self {
        Self {
            short: [0; SHORT],
            length: 0,
            long: Vec::new(),
        }
    }
}

/// `Debug` shows how long it is, not what it says.
impl fmt::Debug for KeyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyWriter")
            .field("length", &self.as_bytes().len())
            .finish_non_exhaustive()
    }
}

impl CacheKey for str {
    fn write(&self, key: &mut KeyWriter) {
        key.text(self);
    }
}

impl CacheKey for String {
    fn write(&self, key: &mut KeyWriter) {
        key.text(self);
    }
}

impl CacheKey for bool {
    fn write(&self, key: &mut KeyWriter) {
        key.part(b'?', &[u8::from(*self)]);
    }
}

impl CacheKey for char {
    fn write(&self, key: &mut KeyWriter) {
        key.part(b'c', &u32::from(*self).to_be_bytes());
    }
}

impl CacheKey for u128 {
    fn write(&self, key: &mut KeyWriter) {
        match i128::try_from(*self) {
            Ok(number) => key.number(number),
            Err(_) => key.part(b'u', &self.to_be_bytes()),
        }
    }
}

macro_rules! numbers {
    ($($number:ty),+) => {$(
        impl CacheKey for $number {
            fn write(&self, key: &mut KeyWriter) {
                key.number(*self as i128);
            }
        }
    )+};
}

numbers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, i128, isize);

impl<K: CacheKey + ?Sized> CacheKey for &K {
    fn write(&self, key: &mut KeyWriter) {
        (**self).write(key);
    }
}

impl<K: CacheKey> CacheKey for Option<K> {
    fn write(&self, key: &mut KeyWriter) {
        key.list(usize::from(self.is_some()));
        if let Some(some) = self {
            some.write(key);
        }
    }
}

impl<K: CacheKey> CacheKey for [K] {
    fn write(&self, key: &mut KeyWriter) {
        key.list(self.len());
        for part in self {
            part.write(key);
        }
    }
}

impl<K: CacheKey> CacheKey for Vec<K> {
    fn write(&self, key: &mut KeyWriter) {
        self.as_slice().write(key);
    }
}

impl<K: CacheKey, const N: usize> CacheKey for [K; N] {
    fn write(&self, key: &mut KeyWriter) {
        self.as_slice().write(key);
    }
}

impl CacheKey for bytes::Bytes {
    fn write(&self, key: &mut KeyWriter) {
        key.bytes(self);
    }
}

macro_rules! tuples {
    ($(($count:literal: $($name:ident $place:tt),+)),+ $(,)?) => {$(
        impl<$($name: CacheKey),+> CacheKey for ($($name,)+) {
            fn write(&self, key: &mut KeyWriter) {
                key.list($count);
                $(self.$place.write(key);)+
            }
        }
    )+};
}

tuples!(
    (1: A 0),
    (2: A 0, B 1),
    (3: A 0, B 1, C 2),
    (4: A 0, B 1, C 2, D 3),
    (5: A 0, B 1, C 2, D 3, E 4),
    (6: A 0, B 1, C 2, D 3, E 4, F 5),
);

/// A cache's own domain: the same key in two caches names two entries.
#[derive(Clone)]
pub(crate) struct Namespace([u8; 32]);

impl Namespace {
    pub(crate) fn new(name: &str) -> Self {
        let context = "cloakroom 2026-11 cache entry v1";
        Self(blake3::derive_key(context, name.as_bytes()))
    }

    pub(crate) fn digest(&self, key: &(impl CacheKey + ?Sized)) -> Digest {
        short(&blake3::keyed_hash(
            &self.0,
            KeyWriter::written(key).as_bytes(),
        ))
    }
}

/// What entries can be invalidated by together, whatever cache of a store they are in.
///
/// ```
/// use cloakroom_cache::Tag;
///
/// assert_eq!(Tag::from("products"), Tag::of(&"products"));
/// assert_ne!(Tag::of(&("product", 7)), Tag::of(&("product", 8)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(pub(crate) Digest);

impl Tag {
    /// The tag of this name.
    #[must_use]
    pub fn of(name: &(impl CacheKey + ?Sized)) -> Self {
        let context = "cloakroom 2026-11 cache tag v1";
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(KeyWriter::written(name).as_bytes());
        Self(short(&hasher.finalize()))
    }
}

impl From<&str> for Tag {
    fn from(name: &str) -> Self {
        Self::of(name)
    }
}

impl From<String> for Tag {
    fn from(name: String) -> Self {
        Self::of(&name)
    }
}

fn short(hash: &blake3::Hash) -> Digest {
    let mut short = [0; 16];
    short.copy_from_slice(&hash.as_bytes()[..16]);
    Digest::from_bytes(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_keys_are_written_as_short_ones_are() {
        for length in [0, 1, 100, 118, 119, 120, 1000] {
            let text = "x".repeat(length);
            let written = KeyWriter::bytes_of(&(&text, &text, 7));
            let mut parts = KeyWriter::bytes_of(&(1, 2, 3))[..17].to_vec();
            for part in [&text, &text] {
                parts.extend(KeyWriter::bytes_of(part));
            }
            parts.extend(KeyWriter::bytes_of(&7));
            assert_eq!(written, parts, "{length}");
            assert_eq!(written.len(), 17 + 2 * (9 + length) + 25);
        }
    }
}
