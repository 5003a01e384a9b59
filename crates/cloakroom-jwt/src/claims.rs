//! What a token says.

use crate::{Refusal, Scope};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// The claim that holds all of the application's own, so that none collides with a registered one.
pub const APP: &str = "app";

/// The claims that every token has a fixed meaning for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Registered {
    /// `iss`: who issued it.
    pub issuer: String,
    /// `sub`: whom it speaks for.
    pub subject: String,
    /// `aud`: the services it is for.
    pub audience: Vec<String>,
    /// `jti`: its own name, of 128 random bits.
    pub id: String,
    /// `iat`: when it was issued.
    pub issued_at: OffsetDateTime,
    /// `nbf`: when it begins to be valid.
    pub not_before: OffsetDateTime,
    /// `exp`: from when on it is refused.
    pub expires_at: OffsetDateTime,
    /// `client_id`: the program it was issued to.
    pub client_id: Option<String>,
    /// `scope`: what it allows.
    pub scope: Option<Scope>,
    /// `sid`: the login it belongs to; never a session's secret id.
    pub session: Option<String>,
    /// `epoch`: which of the subject's epochs it was issued in.
    pub epoch: Option<String>,
}

/// A token that a [`Verifier`](crate::Verifier) has accepted. Cheap to clone.
///
/// ```
/// use cloakroom_jwt::{Grant, KeyRing, SigningKey, Tokens};
/// # #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)] struct Plan { seats: u32 }
///
/// let ring = KeyRing::new(SigningKey::generate()?);
/// let tokens = Tokens::builder(ring, "https://login.example").audience("shop").build()?;
/// let issued = tokens.issue(&Grant::new("alice").app(&Plan { seats: 5 })?)?;
///
/// let verified = tokens.verifier().verify_ignoring_revocation(issued.token()).unwrap();
/// assert_eq!(verified.registered().subject, "alice");
/// assert_eq!(verified.app::<Plan>().unwrap(), Plan { seats: 5 });
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Verified(Arc<(Registered, App)>);

/// The application's claims, which don't print themselves.
struct App(Value);

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App(…)")
    }
}

impl Verified {
    pub(crate) fn new(registered: Registered, app: Value) -> Self {
        Self(Arc::new((registered, App(app))))
    }

    /// The claims of fixed meaning.
    #[must_use]
    pub fn registered(&self) -> &Registered {
        &self.0.0
    }

    /// The application's claims. A token without any reads as `null` does: as `()` or `None`.
    ///
    /// # Errors
    ///
    /// [`Refusal::Claim`] if they are of another form.
    pub fn app<C: DeserializeOwned>(&self) -> Result<C, Refusal> {
        let app = self.0.1.0.clone();
        serde_json::from_value(app).map_err(|_| Refusal::Claim(APP))
    }

    /// Refuses if the token lacks this scope.
    ///
    /// # Errors
    ///
    /// [`Refusal::Scope`], which answers 403 and names the scope.
    pub fn require_scope(&self, scope: &str) -> Result<(), Refusal> {
        let own = self.registered().scope.as_ref();
        let lacks = || Refusal::Scope(scope.into());
        own.is_some_and(|own| own.contains(scope))
            .then_some(())
            .ok_or_else(lacks)
    }
}

/// Takes the claims out of a payload; each must be there and of its type.
pub(crate) fn read(mut payload: Map<String, Value>) -> Result<(Registered, Value), Refusal> {
    let claims = &mut payload;
    let registered = Registered {
        expires_at: date(claims, "exp")?,
        issued_at: date(claims, "iat")?,
        not_before: date(claims, "nbf")?,
        id: text(claims, "jti")?,
        subject: text(claims, "sub")?,
        issuer: text(claims, "iss")?,
        audience: audience(claims)?,
        client_id: optional(claims, "client_id")?,
        scope: scope(claims)?,
        session: optional(claims, "sid")?,
        epoch: optional(claims, "epoch")?,
    };
    Ok((registered, payload.remove(APP).unwrap_or_default()))
}

fn text(claims: &mut Map<String, Value>, name: &'static str) -> Result<String, Refusal> {
    match claims.remove(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        _ => Err(Refusal::Claim(name)),
    }
}

fn optional(
    claims: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<String>, Refusal> {
    let there = claims.contains_key(name);
    there.then(|| text(claims, name)).transpose()
}

fn scope(claims: &mut Map<String, Value>) -> Result<Option<Scope>, Refusal> {
    let scope = optional(claims, "scope")?.map(|text| text.parse());
    scope.transpose().map_err(|_| Refusal::Claim("scope"))
}

fn audience(claims: &mut Map<String, Value>) -> Result<Vec<String>, Refusal> {
    let refused = || Refusal::Claim("aud");
    match claims.remove("aud").ok_or_else(refused)? {
        Value::String(one) => Ok(vec![one]),
        Value::Array(all) => {
            let texts = all.into_iter().map(|each| match each {
                Value::String(text) => Ok(text),
                _ => Err(refused()),
            });
            texts.collect()
        }
        _ => Err(refused()),
    }
}

/// A NumericDate that is a date: from 1970 to 9999, with parts of seconds or without.
fn date(claims: &Map<String, Value>, name: &'static str) -> Result<OffsetDateTime, Refusal> {
    let seconds = claims.get(name).and_then(Value::as_f64);
    let seconds = seconds
        .filter(|s| (0.0..253_402_300_800.0).contains(s))
        .ok_or(Refusal::Claim(name))?;
    Ok(OffsetDateTime::UNIX_EPOCH + Duration::seconds_f64(seconds))
}
