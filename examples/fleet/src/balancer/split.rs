//! Which share of the clients the new version gets.

use super::client_id::ClientId;
use crate::version::Version;
use http::HeaderMap;
use serde::Serialize;
use std::sync::{Mutex, PoisonError};

/// A share of the clients for green; the rest belong to blue.
///
/// A client's position between 0 and 100 never changes, and green has all below the share. So
/// moving the share moves exactly the clients between its old and its new place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Split {
    green: u8,
}

impl Split {
    /// A share in percent, `None` above 100.
    pub(crate) fn new(green: u8) -> Option<Self> {
        (green <= 100).then_some(Self { green })
    }

    /// The share in percent.
    pub(crate) fn green(self) -> u8 {
        self.green
    }

    /// The version that this client belongs to.
    fn version_of(self, client: ClientId) -> Version {
        if client.position() < f64::from(self.green) {
            Version::V2
        } else {
            Version::V1
        }
    }
}

/// The split in force: `None` while requests go round all instances.
#[derive(Debug)]
pub(super) struct CurrentSplit(Mutex<Option<Split>>);

impl CurrentSplit {
    pub(super) fn new(split: Option<Split>) -> Self {
        Self(Mutex::new(split))
    }

    pub(super) fn get(&self) -> Option<Split> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, split: Option<Split>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = split;
    }
}

/// Where a client belongs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Placement {
    /// The version that should serve it, or any.
    pub(super) version: Option<Version>,
    /// The cookie to give it, if it came without one.
    pub(super) newcomer: Option<ClientId>,
}

/// Finds a client's version by its cookie. Without a split nobody gets a cookie.
///
/// # Errors
///
/// If there is no randomness for a new cookie.
pub(super) fn place(
    split: Option<Split>,
    headers: &HeaderMap,
) -> Result<Placement, getrandom::Error> {
    let Some(split) = split else {
        return Ok(Placement {
            version: None,
            newcomer: None,
        });
    };
    let known = ClientId::from_cookies(headers);
    let client = known.map_or_else(ClientId::draw, Ok)?;
    Ok(Placement {
        version: Some(split.version_of(client)),
        newcomer: known.is_none().then_some(client),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, header::COOKIE};

    fn clients(count: u64) -> Vec<ClientId> {
        (0..count).map(ClientId).collect()
    }

    #[test]
    fn moving_the_split_moves_only_as_many_as_it_must() {
        let clients = clients(20_000);
        for (old, new) in [(0, 10), (10, 50), (50, 51), (100, 30)] {
            let (old, new) = (Split::new(old).unwrap(), Split::new(new).unwrap());
            let moved = |from, to| {
                let moves =
                    |c: &&ClientId| old.version_of(**c) == from && new.version_of(**c) == to;
                clients.iter().filter(moves).count() as f64 / clients.len() as f64 * 100.0
            };
            let by = f64::from(new.green) - f64::from(old.green);
            let (there, back) = (
                moved(Version::V1, Version::V2),
                moved(Version::V2, Version::V1),
            );
            assert!(
                (there - by.max(0.0)).abs() < 2.0,
                "{old:?} to {new:?}: {there} %"
            );
            assert!(
                (back + by.min(0.0)).abs() < 2.0,
                "{old:?} to {new:?}: {back} %"
            );
            assert!(
                there == 0.0 || back == 0.0,
                "nobody moves against the split"
            );
        }
    }

    #[test]
    fn nothing_and_everything_are_exact() {
        for client in clients(1_000) {
            assert_eq!(Split::new(0).unwrap().version_of(client), Version::V1);
            assert_eq!(Split::new(100).unwrap().version_of(client), Version::V2);
        }
        assert_eq!(Split::new(101), None);
    }

    #[test]
    fn only_newcomers_under_a_split_get_a_cookie() {
        let split = Split::new(50);
        let bare = HeaderMap::new();
        let known = [(
            COOKIE,
            HeaderValue::from_static("fleet-client=0123456789abcdef"),
        )];
        let known = HeaderMap::from_iter(known);
        assert_eq!(
            place(None, &bare).unwrap(),
            Placement {
                version: None,
                newcomer: None
            }
        );
        assert!(place(split, &bare).unwrap().newcomer.is_some());
        let first = place(split, &known).unwrap();
        assert_eq!(first.newcomer, None);
        assert_eq!(first, place(split, &known).unwrap());
    }
}
