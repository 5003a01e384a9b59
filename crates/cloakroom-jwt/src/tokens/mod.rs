//! Issuing.

mod builder;
mod grant;

pub use builder::TokensBuilder;
pub use grant::{Grant, Issued};

use crate::{
    Jwks, KeyRing, MAX_TOKEN, Registered, Verifier, VerifierBuilder, claims::APP, compact, header,
};
use cloakroom_core::{Clock, Entropy, Error, ErrorKind, Result};
use serde_json::{Map, Value};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// Issues access tokens (`at+jwt`, RFC 9068), signed by the ring's active key. Cheap to clone.
///
/// ```
/// use cloakroom_jwt::{Grant, KeyRing, SigningKey, Tokens};
/// use time::Duration;
///
/// let ring = KeyRing::new(SigningKey::generate()?);
/// let tokens = Tokens::builder(ring, "https://login.example")
///     .audience("shop")
///     .life(Duration::minutes(10))
///     .build()?;
///
/// let issued = tokens.issue(&Grant::new("alice"))?;
/// assert_eq!(issued.life(), Duration::minutes(10));
/// assert_eq!(issued.token().split('.').count(), 3);
/// assert!(!format!("{issued:?}").contains(issued.token()));
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tokens(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    verifier: Verifier,
    keys: KeyRing,
    issuer: String,
    audiences: Vec<String>,
    clock: Arc<dyn Clock>,
    life: Duration,
    entropy: Arc<dyn Entropy>,
}

impl Tokens {
    /// Begins an issuer of this name, by custom its URL, that signs with a key of this ring.
    pub fn builder(keys: KeyRing, issuer: impl Into<String>) -> TokensBuilder {
        TokensBuilder::new(VerifierBuilder::new(keys, issuer.into()))
    }

    /// Issues a token. Costs one signature and asks nobody.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if the ring has no key that signs, [`Invalid`](ErrorKind::Invalid)
    /// for a text of the grant that is empty, [`TooLarge`](ErrorKind::TooLarge) for a token longer than
    /// [`MAX_TOKEN`], and [`Internal`](ErrorKind::Internal) if randomness fails.
    pub fn issue(&self, grant: &Grant) -> Result<Issued> {
        let registered = self.registered(grant)?;
        let key = self.0.keys.signer()?;
        let payload = written(&registered, grant.app.as_ref()).to_string();
        let signed = [header::written(key.kid()), compact::encode(payload)].join(".");
        let signature = compact::encode(key.sign(signed.as_bytes()));
        let token = [signed, signature].join(".");
        if token.len() > MAX_TOKEN {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "the token would be longer than any verifier accepts: its claims are too large",
            ));
        }
        Ok(Issued { token, registered })
    }

    /// The verifier of these tokens, for the same audiences.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        self.0.verifier.clone()
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &KeyRing {
        &self.0.keys
    }

    /// The keys that verify now, as the document that other services read.
    #[must_use]
    pub fn jwks(&self) -> Jwks {
        self.0.keys.jwks(self.0.clock.now())
    }

    /// How long tokens live.
    #[must_use]
    pub fn life(&self) -> Duration {
        self.0.life
    }

    fn registered(&self, grant: &Grant) -> Result<Registered> {
        let issued_at = whole_seconds(self.0.clock.now());
        let audience = match grant.audiences.as_slice() {
            [] => &self.0.audiences,
            own => own,
        };
        let registered = Registered {
            issuer: self.0.issuer.clone(),
            subject: grant.subject.clone(),
            audience: audience.to_vec(),
            id: self.id()?,
            issued_at,
            not_before: issued_at,
            expires_at: issued_at + grant.within.map_or(self.0.life, |own| own.min(self.0.life)),
            client_id: grant.client_id.clone(),
            scope: grant.scope.clone(),
            session: grant.session.clone(),
            epoch: grant.epoch.clone(),
        };
        checked(registered)
    }

    fn id(&self) -> Result<String> {
        let mut id = [0; 16];
        self.0.entropy.fill(&mut id)?;
        Ok(compact::encode(id))
    }
}

/// A verifier refuses empty texts, so none is issued.
fn checked(registered: Registered) -> Result<Registered> {
    let options = [
        &registered.client_id,
        &registered.session,
        &registered.epoch,
    ];
    let mut texts = registered.audience.iter();
    let empty = registered.subject.is_empty()
        || texts.any(String::is_empty)
        || options.into_iter().flatten().any(String::is_empty);
    if empty {
        return Err(Error::new(
            ErrorKind::Invalid,
            "a text of the grant is empty",
        ));
    }
    Ok(registered)
}

fn written(registered: &Registered, app: Option<&Value>) -> Value {
    let mut payload = Map::new();
    let mut put = |name: &str, value: Value| payload.insert(name.to_owned(), value);
    put("iss", registered.issuer.clone().into());
    put("sub", registered.subject.clone().into());
    match registered.audience.as_slice() {
        [one] => put("aud", one.clone().into()),
        all => put("aud", all.into()),
    };
    put("exp", registered.expires_at.unix_timestamp().into());
    put("iat", registered.issued_at.unix_timestamp().into());
    put("nbf", registered.not_before.unix_timestamp().into());
    put("jti", registered.id.clone().into());
    let scope = registered.scope.as_ref().map(|scope| scope.as_str());
    let optional = [
        ("client_id", registered.client_id.as_deref()),
        ("scope", scope),
        ("sid", registered.session.as_deref()),
        ("epoch", registered.epoch.as_deref()),
    ];
    for (name, text) in optional {
        text.map(|text| put(name, text.into()));
    }
    app.map(|app| put(APP, app.clone()));
    Value::Object(payload)
}

fn whole_seconds(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(0).unwrap_or(at)
}
