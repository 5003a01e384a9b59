//! The profile: where `v2` stores more than `v1` knows.
//!
//! Both versions write the attribute `profile`. What one does not know of it, it keeps: the
//! flattened map catches foreign members when reading and puts them back when writing. Foreign
//! *attributes* need no such care: Cloakroom writes attributes one by one.

use super::{
    Answer, Shop,
    fields::{Fields, text},
};
use crate::version::Version;
use axum::{Json, Router, extract::State, routing::get};
use cloakroom::{Error, Key, Session};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

const PROFILE_V1: Key<ProfileV1> = Key::new("profile");
const PROFILE_V2: Key<ProfileV2> = Key::new("profile");

/// What only `v2` keeps.
const RECOMMENDED: Key<Vec<String>> = Key::new("recommended");

/// What `v2` recommends to everybody.
const FAVOURITES: [&str; 3] = ["umbrella", "scarf", "gloves"];

pub(super) fn routes() -> Router<Arc<Shop>> {
    Router::new().route("/profile", get(show).post(change))
}

/// The profile as `v1` knows it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct ProfileV1 {
    #[serde(default)]
    name: String,
    #[serde(default)]
    logins: u64,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// The profile as `v2` knows it.
#[derive(Debug, Serialize, Deserialize)]
struct ProfileV2 {
    #[serde(default)]
    name: String,
    #[serde(default)]
    logins: u64,
    #[serde(default = "sea")]
    theme: String,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl Default for ProfileV2 {
    fn default() -> Self {
        Self {
            name: String::new(),
            logins: 0,
            theme: sea(),
            other: Map::new(),
        }
    }
}

fn sea() -> String {
    "sea".to_owned()
}

/// A profile as this instance's version writes it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Profile {
    V1(ProfileV1),
    V2(ProfileV2),
}

#[derive(Debug, Serialize)]
struct Shown {
    profile: Profile,
    #[serde(skip_serializing_if = "Option::is_none")]
    recommended: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Name {
    name: String,
}

/// Notes a login in the profile, to be called before the login itself: what is set before it goes
/// into the new session with it, and costs no round trip of its own.
///
/// # Errors
///
/// What the library says.
pub(super) fn greet(version: Version, session: &Session, user: &str) -> Result<(), Error> {
    // Another user's profile is not this one's.
    let same = session.user().is_none_or(|present| *present == *user);
    match version {
        Version::V1 => {
            let held = same.then(|| session.get(PROFILE_V1)).transpose()?;
            let mut profile = held.flatten().unwrap_or_default();
            profile.name = user.to_owned();
            profile.logins += 1;
            session.insert(PROFILE_V1, &profile)
        }
        Version::V2 => {
            let held = same.then(|| session.get(PROFILE_V2)).transpose()?;
            let mut profile = held.flatten().unwrap_or_default();
            profile.name = user.to_owned();
            profile.logins += 1;
            session.insert(RECOMMENDED, &FAVOURITES.map(str::to_owned).to_vec())?;
            session.insert(PROFILE_V2, &profile)
        }
    }
}

/// What this version sees: `v1` shows foreign members that it keeps, `v2` knows them.
async fn show(State(shop): State<Arc<Shop>>, session: Session) -> Answer<Shown> {
    shop.user(&session)?;
    let shown = match shop.identity.version {
        Version::V1 => Shown {
            profile: Profile::V1(session.get(PROFILE_V1)?.unwrap_or_default()),
            recommended: None,
        },
        Version::V2 => Shown {
            profile: Profile::V2(session.get(PROFILE_V2)?.unwrap_or_default()),
            recommended: session.get(RECOMMENDED)?,
        },
    };
    Ok(Json(shop.served(shown)))
}

/// Renames: a write by whichever version serves the request.
async fn change(
    State(shop): State<Arc<Shop>>,
    session: Session,
    Fields(form): Fields<Name>,
) -> Answer<Shown> {
    shop.user(&session)?;
    let name = text("name", &form.name, 1..=64)?;
    let profile = match shop.identity.version {
        Version::V1 => {
            let rename = |profile: &mut ProfileV1| profile.name.clone_from(&name);
            Profile::V1(session.update(PROFILE_V1, rename).await?)
        }
        Version::V2 => {
            let rename = |profile: &mut ProfileV2| profile.name.clone_from(&name);
            Profile::V2(session.update(PROFILE_V2, rename).await?)
        }
    };
    Ok(Json(shop.served(Shown {
        profile,
        recommended: None,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v1_puts_back_what_v2_added() {
        let v2 = ProfileV2 {
            theme: "dusk".to_owned(),
            ..ProfileV2::default()
        };
        let mut v1: ProfileV1 = serde_json::from_value(serde_json::to_value(v2).unwrap()).unwrap();
        v1.logins += 1;
        let v2: ProfileV2 = serde_json::from_value(serde_json::to_value(v1).unwrap()).unwrap();
        assert_eq!((v2.theme.as_str(), v2.logins), ("dusk", 1));
    }

    #[test]
    fn v2_reads_what_v1_wrote() {
        let v1 = serde_json::to_value(ProfileV1::default()).unwrap();
        let v2: ProfileV2 = serde_json::from_value(v1).unwrap();
        assert_eq!(v2.theme, "sea");
    }
}
