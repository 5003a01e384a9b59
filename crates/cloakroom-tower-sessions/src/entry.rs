//! A session as tower-sessions hands it over, whichever its version.

use cloakroom_core::{Attributes, Change};
use serde_json::Value;
use std::collections::HashMap;
use time::OffsetDateTime;

/// Values by attribute's name.
pub(crate) type Data = HashMap<String, Value>;

/// What a tower-sessions `Record` holds.
#[derive(Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) id: i128,
    pub(crate) data: Data,
    pub(crate) expiry_date: OffsetDateTime,
}

/// Why something could not be done, as tower-sessions tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    Encode(String),
    Decode(String),
    Backend(String),
}

pub(crate) type Result<T> = std::result::Result<T, Trouble>;

impl From<cloakroom_core::Error> for Trouble {
    fn from(error: cloakroom_core::Error) -> Self {
        use cloakroom_core::ErrorKind::{Decode, Encode};
        match error.kind() {
            Encode => Self::Encode(error.to_string()),
            Decode => Self::Decode(error.to_string()),
            _ => Self::Backend(error.to_string()),
        }
    }
}

/// The values of stored attributes.
pub(crate) fn values(attributes: &Attributes) -> cloakroom_core::Result<Data> {
    let value = |(name, value): (&str, &bytes::Bytes)| {
        Ok((name.to_owned(), Attributes::decode(name, value)?))
    };
    attributes.iter().map(value).collect()
}

/// Names that begin with a NUL are Cloakroom's own: an application that lets its clients choose names
/// must not let them choose these.
pub(crate) fn check_name(name: &str) -> cloakroom_core::Result<()> {
    if name.starts_with('\0') {
        return Err(cloakroom_core::Error::new(
            cloakroom_core::ErrorKind::Encode,
            "an attribute's name must not begin with a NUL; choose another",
        ));
    }
    Ok(())
}

/// Values as they are stored.
pub(crate) fn encoded<'a>(
    data: impl Iterator<Item = (&'a String, &'a Value)>,
) -> cloakroom_core::Result<Attributes> {
    let mut attributes = Attributes::default();
    for (name, value) in data {
        check_name(name)?;
        attributes.set(name, Some(Attributes::encode(name, value)?));
    }
    Ok(attributes)
}

/// What turns one state of a session into another.
pub(crate) fn difference(from: &Data, to: &Data) -> cloakroom_core::Result<Change> {
    let mut change = Change::default();
    for (name, value) in to {
        if from.get(name) != Some(value) {
            check_name(name)?;
            change.write(name, Some(Attributes::encode(name, value)?));
        }
    }
    for name in from.keys().filter(|name| !to.contains_key(*name)) {
        change.write(name, None);
    }
    Ok(change)
}

/// Ids of tower-sessions are 128 bits, written with the lowest byte first.
pub(crate) const fn id_bytes(id: i128) -> [u8; 16] {
    id.to_le_bytes()
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.data.keys().collect();
        f.debug_struct("Entry")
            .field("names", &names)
            .field("expiry_date", &self.expiry_date)
            .finish_non_exhaustive()
    }
}
