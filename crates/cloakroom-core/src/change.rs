//! Attributes, and what a request changes of them.

use crate::{Error, ErrorKind, Lifetime, Result};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// The attributes of a session, each encoded by itself.
///
/// One value is one JSON text: self-describing, so that two versions of an application can share
/// it and a person can read it. `Debug` shows names and sizes, never a value.
///
/// ```
/// use cloakroom_core::Attributes;
///
/// let mut attributes = Attributes::default();
/// attributes.set("n", Some(Attributes::encode("n", &7)?));
/// assert_eq!(attributes.get::<u32>("n")?, Some(7));
/// assert_eq!(attributes.get::<u32>("absent")?, None);
/// assert!(attributes.get::<String>("n").is_err()); // that attribute alone
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Attributes(BTreeMap<Box<str>, Bytes>);

impl Attributes {
    /// Encodes one value, as it is stored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encode`] if the value can't be written as JSON; names the attribute.
    pub fn encode<T: Serialize + ?Sized>(name: &str, value: &T) -> Result<Bytes> {
        let json = serde_json::to_vec(value).map_err(|e| {
            Error::new(
                ErrorKind::Encode,
                format!("attribute {name:?} can't be written as JSON"),
            )
            .with_source(e)
        })?;
        Ok(json.into())
    }

    /// Decodes one value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if it isn't a `T`; names the attribute and never its value.
    pub fn decode<T: DeserializeOwned>(name: &str, value: &[u8]) -> Result<T> {
        // serde's own message may quote the value, so only its place and class are kept.
        serde_json::from_slice(value).map_err(|e| {
            Error::new(
                ErrorKind::Decode,
                format!(
                    "attribute {name:?} does not hold a {} ({:?} error at byte {})",
                    std::any::type_name::<T>(),
                    e.classify(),
                    e.column()
                ),
            )
        })
    }

    /// The value of one attribute, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        self.raw(name).map(|v| Self::decode(name, v)).transpose()
    }

    /// The encoded value of one attribute.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&Bytes> {
        self.0.get(name)
    }

    /// Sets an encoded value, or removes the attribute.
    pub fn set(&mut self, name: &str, value: Option<Bytes>) {
        match value {
            Some(value) => drop(self.0.insert(name.into(), value)),
            None => drop(self.0.remove(name)),
        }
    }

    /// Applies what a request changed.
    pub fn apply(&mut self, change: &Change) {
        for (name, value) in change.writes() {
            self.set(name, value.cloned());
        }
    }

    /// What would turn `other` into `self`.
    #[must_use]
    pub fn changes_since(&self, other: &Self) -> Change {
        let mut change = Change::default();
        for (name, value) in self.iter() {
            if other.raw(name) != Some(value) {
                change.write(name, Some(value.clone()));
            }
        }
        for (name, _) in other.iter() {
            if self.raw(name).is_none() {
                change.write(name, None);
            }
        }
        change
    }

    /// Names and encoded values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// The bytes of all names and encoded values: what the payload cap counts.
    #[must_use]
    pub fn size(&self) -> usize {
        self.iter().map(|(n, v)| n.len() + v.len()).sum()
    }

    /// Whether there is no attribute.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Attributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sizes = self.iter().map(|(n, v)| (n, format!("{} bytes", v.len())));
        f.debug_map().entries(sizes).finish()
    }
}

/// What a request wants to change, and what must still be so for it.
///
/// Holds only what changes: attributes that it doesn't name are left as they are in the store,
/// whatever others have done to them meanwhile.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Change {
    writes: BTreeMap<Box<str>, Option<Bytes>>,
    expected: BTreeMap<Box<str>, Option<Bytes>>,
    lifetime: Option<Lifetime>,
}

impl Change {
    /// Sets one attribute to an encoded value, or removes it with `None`.
    pub fn write(&mut self, name: &str, value: Option<Bytes>) {
        self.writes.insert(name.into(), value);
    }

    /// Makes the change conditional: it happens only while the attribute still holds this value
    /// (or is still absent, with `None`).
    pub fn expect(&mut self, name: &str, value: Option<Bytes>) {
        self.expected.insert(name.into(), value);
    }

    /// Gives the session other limits of time, which begin when it is written.
    pub fn live(&mut self, lifetime: Lifetime) {
        self.lifetime = Some(lifetime);
    }

    /// The limits of time that the session shall have from now on, if they change.
    #[must_use]
    pub const fn lifetime(&self) -> Option<Lifetime> {
        self.lifetime
    }

    /// The writes by attribute's name; `None` removes.
    pub fn writes(&self) -> impl ExactSizeIterator<Item = (&str, Option<&Bytes>)> {
        self.writes.iter().map(|(n, v)| (&**n, v.as_ref()))
    }

    /// What must still be so, by attribute's name.
    pub fn expected(&self) -> impl ExactSizeIterator<Item = (&str, Option<&Bytes>)> {
        self.expected.iter().map(|(n, v)| (&**n, v.as_ref()))
    }

    /// The pending write of one attribute: `Some(None)` removes it.
    #[must_use]
    pub fn pending(&self, name: &str) -> Option<Option<&Bytes>> {
        self.writes.get(name).map(Option::as_ref)
    }

    /// Takes back the pending write of one attribute.
    pub fn forget(&mut self, name: &str) {
        self.writes.remove(name);
    }

    /// Takes over what this one doesn't change itself.
    pub fn or(&mut self, other: Self) {
        for (name, value) in other.writes {
            self.writes.entry(name).or_insert(value);
        }
        self.lifetime = self.lifetime.or(other.lifetime);
    }

    /// Whether nothing would be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.lifetime.is_none()
    }
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sizes = |map: &BTreeMap<Box<str>, Option<Bytes>>| {
            map.iter()
                .map(|(n, v)| (n.clone(), v.as_ref().map(Bytes::len)))
                .collect::<BTreeMap<_, _>>()
        };
        f.debug_struct("Change")
            .field("write_sizes", &sizes(&self.writes))
            .field("expected_sizes", &sizes(&self.expected))
            .field("lifetime", &self.lifetime)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(pairs: &[(&str, &str)]) -> Attributes {
        let mut all = Attributes::default();
        for (n, v) in pairs {
            all.set(n, Some(Attributes::encode(n, v).unwrap()));
        }
        all
    }

    #[test]
    fn changes_since_turns_one_into_the_other() {
        let old = attributes(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let new = attributes(&[("a", "1"), ("b", "9"), ("d", "4")]);
        let change = new.changes_since(&old);
        assert_eq!(change.writes().len(), 3);
        let mut turned = old.clone();
        turned.apply(&change);
        assert_eq!(turned, new);
    }

    #[test]
    fn nothing_prints_a_value() {
        let all = attributes(&[("card", "4111-secret")]);
        let mut change = all.changes_since(&Attributes::default());
        change.expect("card", all.raw("card").cloned());
        let error = all.get::<u32>("card").unwrap_err();
        let shown = format!("{all:?} {change:?} {error} {error:?}");
        assert!(shown.contains("card") && !shown.contains("4111"), "{shown}");
    }
}
