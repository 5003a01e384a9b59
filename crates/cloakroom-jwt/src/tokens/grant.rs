//! What is granted by a token, and the token itself.

use crate::{Registered, Scope};
use cloakroom_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde_json::Value;
use time::Duration;

/// Whom a token is for and what it allows.
///
/// ```
/// use cloakroom_jwt::Grant;
///
/// let grant = Grant::new("alice")
///     .client_id("mobile-app")
///     .scope("orders:read orders:write".parse()?)
///     .session("b2c9…");                           // a handle, never a session's id
/// assert_eq!(grant.subject(), "alice");
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Grant {
    pub(super) subject: String,
    pub(super) audiences: Vec<String>,
    pub(super) client_id: Option<String>,
    pub(super) scope: Option<Scope>,
    pub(super) session: Option<String>,
    pub(super) epoch: Option<String>,
    pub(super) within: Option<Duration>,
    pub(super) app: Option<Value>,
}

impl Grant {
    /// For this user, for all services of the issuer, with nothing more.
    #[must_use]
    pub fn new(subject: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            audiences: Vec::new(),
            client_id: None,
            scope: None,
            session: None,
            epoch: None,
            within: None,
            app: None,
        }
    }

    /// Only for this service, and those that further calls name.
    #[must_use]
    pub fn audience(mut self, name: impl Into<String>) -> Self {
        self.audiences.push(name.into());
        self
    }

    /// The program that asked for it.
    #[must_use]
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = Some(id.into());
        self
    }

    /// What it allows.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// The login it belongs to: a name that is no secret, as tokens are not encrypted.
    #[must_use]
    pub fn session(mut self, name: impl Into<String>) -> Self {
        self.session = Some(name.into());
        self
    }

    /// Which of the user's epochs it belongs to.
    #[must_use]
    pub fn epoch(mut self, epoch: impl Into<String>) -> Self {
        self.epoch = Some(epoch.into());
        self
    }

    /// It lives no longer than this, nor than others of its issuer: no longer than the login it belongs
    /// to. In whole seconds.
    #[must_use]
    pub fn within(mut self, life: Duration) -> Self {
        self.within = Some(life);
        self
    }

    /// The application's own claims, all under one name. Whoever holds the token can read them.
    ///
    /// # Errors
    ///
    /// [`Encode`](ErrorKind::Encode) if they can't be written as JSON.
    pub fn app(mut self, claims: &impl Serialize) -> Result<Self> {
        let value = serde_json::to_value(claims).map_err(|e| {
            Error::new(ErrorKind::Encode, "the claims can't be written").with_source(e)
        })?;
        self.app = Some(value);
        Ok(self)
    }

    /// The user.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

/// The subject only: the rest is the application's.
impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grant")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// A token that was just issued, and what it says.
#[derive(Clone)]
pub struct Issued {
    pub(super) token: String,
    pub(super) registered: Registered,
}

impl Issued {
    /// **The token**: whoever has it may use it.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// What it says.
    #[must_use]
    pub fn registered(&self) -> &Registered {
        &self.registered
    }

    /// How long it lives: `expires_in` of an answer by RFC 6749.
    #[must_use]
    pub fn life(&self) -> Duration {
        self.registered.expires_at - self.registered.issued_at
    }
}

/// Without the token.
impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued")
            .field("registered", &self.registered)
            .finish_non_exhaustive()
    }
}
