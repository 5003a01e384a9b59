//! Logins by tokens: the access token, its refresh token, and the end of both.

use crate::{
    Families, Family, FamilyPolicy, Grant, Issued, Login, MAX_LIFE, OnUnavailable, RefreshToken,
    Registered, Revoked, RevokedBuilder, Scope, Tokens, TokensBuilder, Used, Verifier,
    revoked::{place, session_name},
};
use cloakroom_core::{
    Address, Bucket, Digest, Error, ErrorKind, Handle, Limit, Listed, OnLimit, Result,
    RevocationStore as _, SessionStore as _, Store, Which,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use time::Duration;

/// Logs users in by tokens, renews them and revokes them, for all instances of an application.
///
/// An access token is checked by whoever has the public keys; a login can be renewed and revoked by
/// whoever shares the store. Cheap to clone.
///
/// ```
/// use cloakroom_core::MemoryStore;
/// use cloakroom_jwt::{KeyRing, LoginService, Refreshed, Refusal, SigningKey, Tokens};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cloakroom_core::Result<()> {
/// let store = Arc::new(MemoryStore::new());        // or cloakroom::open("redis://…")
/// let tokens = Tokens::builder(KeyRing::new(SigningKey::generate()?), "https://login.example");
/// let service = LoginService::builder(store, tokens.audience("shop")).build().await?;
///
/// let pair = service.log_in("alice", None, None).await?;
/// let verifier = service.verifier();
/// assert!(verifier.verify(pair.access.token()).await.is_ok());
///
/// let refresh = pair.refresh.expose_secret();
/// let Refreshed::Pair(next) = service.refresh(&refresh).await? else { panic!() };
/// service.revoke_user("alice").await?;
/// assert!(matches!(verifier.verify(next.access.token()).await, Err(Refusal::Revoked)));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct LoginService {
    store: Arc<dyn Store>,
    tokens: Tokens,
    families: Families,
    revoked: Revoked,
}

/// Settings of a [`LoginService`].
#[derive(Debug, Clone)]
#[must_use]
pub struct LoginServiceBuilder {
    store: Arc<dyn Store>,
    tokens: TokensBuilder,
    revoked: RevokedBuilder,
    policy: FamilyPolicy,
    longest_life: Duration,
}

/// Revocations are remembered for so much longer than tokens live: for verifiers' leeway, and for
/// their clocks, which may be behind the store's.
const SLACK: Duration = Duration::seconds(65);

/// What a client gets.
#[derive(Debug)]
pub struct Pair {
    /// For each request.
    pub access: Issued,
    /// For the next pair, once.
    pub refresh: RefreshToken,
    /// How long the refresh token can be used.
    pub refresh_expires_in: Duration,
}

/// What became of a refresh token.
#[derive(Debug)]
pub enum Refreshed {
    /// It was good.
    Pair(Box<Pair>),
    /// It had been used before, so somebody has a copy: the login has ended, for everybody.
    Reused {
        /// Whose login it was.
        user: Arc<str>,
    },
    /// Its login has ended or expired, or it is no refresh token at all.
    Gone,
}

/// What a login was granted; kept with it.
#[derive(Serialize, Deserialize, Default)]
struct Granted {
    scope: Option<String>,
}

impl LoginService {
    /// Begins a service over a store, that issues these tokens.
    pub fn builder(store: Arc<dyn Store>, tokens: TokensBuilder) -> LoginServiceBuilder {
        LoginServiceBuilder {
            revoked: Revoked::builder(Arc::clone(&store) as _),
            tokens,
            policy: FamilyPolicy {
                idle: Duration::days(14),
                absolute: Duration::days(30),
                grace: Duration::seconds(10),
                access_life: Duration::ZERO,
                limit: None,
            },
            longest_life: MAX_LIFE,
            store,
        }
    }

    /// Logs a user in who has proven who they are. One round trip.
    ///
    /// # Errors
    ///
    /// As [`Families::begin`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves it open whether there is a login; nobody has its tokens.
    pub async fn log_in(
        &self,
        user: &str,
        device: Option<&str>,
        scope: Option<Scope>,
    ) -> Result<Pair> {
        let granted = Granted {
            scope: scope.map(|scope| scope.as_str().to_owned()),
        };
        let grant = serde_json::to_value(granted).map_err(unwritten)?;
        let device = device.map(Arc::from);
        // Before the login: should everyone's end in between, then its token is refused.
        let epoch = self.epoch(self.store.user(user)?.bucket).await?;
        let family = self.families.begin(user, Login { device, grant }).await?;
        self.pair(family, epoch)
    }

    /// Brings the next pair for a refresh token's text. Two round trips.
    ///
    /// # Consistency
    ///
    /// As [`Families::refresh`].
    ///
    /// # Errors
    ///
    /// As [`Families::refresh`].
    ///
    /// # Cancel safety
    ///
    /// As [`Families::refresh`].
    pub async fn refresh(&self, token: &str) -> Result<Refreshed> {
        let Some(token) = self.families.parse(token) else {
            return Ok(Refreshed::Gone);
        };
        let epoch = self.epoch(token.address().bucket).await?;
        match self.families.refresh(&token).await? {
            Used::Next(family) => {
                let pair = self.pair(*family, epoch)?;
                Ok(Refreshed::Pair(Box::new(pair)))
            }
            Used::Reused { user, .. } => Ok(Refreshed::Reused { user }),
            Used::Gone => Ok(Refreshed::Gone),
        }
    }

    /// Ends a login by its refresh token: its access tokens are refused from now on. One round trip.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`]: it may have ended or not. Asking again is safe.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves it open whether it has ended.
    pub async fn log_out(&self, token: &str) -> Result<()> {
        match self.families.parse(token) {
            Some(token) => self.families.end(&token).await,
            None => Ok(()),
        }
    }

    /// Revokes one access token by what it says; its login goes on. One round trip.
    ///
    /// # Consistency
    ///
    /// When it has returned, no instance accepts the token for longer than
    /// [`max_staleness`](LoginServiceBuilder::max_staleness); usually for milliseconds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`]: it may be revoked or not. Asking again is safe.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves it open whether it is revoked.
    pub async fn revoke_token(&self, claims: &Registered) -> Result<()> {
        // As long as a token can live: by nobody's clock but the store's.
        let at = place(&claims.id, self.store.layout());
        self.store.revoke_for(at, self.families.remembered()).await
    }

    /// Ends one of a user's logins by its public name; says whether there was one. One round trip.
    ///
    /// # Errors
    ///
    /// As [`revoke_token`](Self::revoke_token), and [`ErrorKind::Invalid`] for a user's id that can't be.
    ///
    /// # Cancel safety
    ///
    /// As [`revoke_token`](Self::revoke_token).
    pub async fn revoke_login(&self, user: &str, login: Handle) -> Result<bool> {
        let user = self.store.user(user)?;
        Ok(self.store.revoke(&user, Which::One(login)).await? > 0)
    }

    /// Ends all of a user's logins, and sessions, in one step; says how many. One round trip.
    ///
    /// # Errors
    ///
    /// As [`revoke_login`](Self::revoke_login).
    ///
    /// # Cancel safety
    ///
    /// As [`revoke_token`](Self::revoke_token).
    pub async fn revoke_user(&self, user: &str) -> Result<u64> {
        let user = self.store.user(user)?;
        self.store.revoke(&user, Which::All).await
    }

    /// Ends everyone's logins, and sessions.
    ///
    /// # Errors
    ///
    /// As [`revoke_token`](Self::revoke_token).
    ///
    /// # Cancel safety
    ///
    /// As [`revoke_token`](Self::revoke_token).
    pub async fn revoke_everyone(&self) -> Result<()> {
        self.store.revoke_everyone().await
    }

    /// A user's live logins, and sessions. One round trip.
    ///
    /// # Errors
    ///
    /// As [`revoke_login`](Self::revoke_login).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up.
    pub async fn list(&self, user: &str) -> Result<Vec<Listed>> {
        self.store.list(&self.store.user(user)?).await
    }

    /// What checks access tokens, with what was revoked.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        self.tokens.verifier()
    }

    /// The issuer, with its keys.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// What was revoked, as this process knows it.
    #[must_use]
    pub fn revoked(&self) -> &Revoked {
        &self.revoked
    }

    async fn epoch(&self, bucket: Bucket) -> Result<String> {
        let digest = Digest::from_bytes([0; 16]);
        self.revoked.epoch(Address { bucket, digest }).await
    }

    fn pair(&self, family: Family, epoch: String) -> Result<Pair> {
        let granted: Granted = serde_json::from_value(family.grant).map_err(unwritten)?;
        let mut grant = Grant::new(&*family.user)
            .session(session_name(family.at))
            .within(family.expires_in);
        if !epoch.is_empty() {
            grant = grant.epoch(epoch);
        }
        if let Some(scope) = granted.scope {
            grant = grant.scope(scope.parse()?);
        }
        Ok(Pair {
            access: self.tokens.issue(&grant)?,
            refresh: family.token,
            refresh_expires_in: family.expires_in,
        })
    }
}

impl LoginServiceBuilder {
    /// A login ends when it was not renewed for this long: 14 days by default.
    pub fn idle_timeout(mut self, idle: Duration) -> Self {
        self.policy.idle = idle;
        self
    }

    /// A login ends this long after it began: 30 days by default.
    pub fn absolute_timeout(mut self, absolute: Duration) -> Self {
        self.policy.absolute = absolute;
        self
    }

    /// For this long after its use a refresh token brings the same successor again: 10 s by default.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.policy.grace = grace;
        self
    }

    /// How many logins and sessions a user may have at once; the oldest is ended beyond it.
    pub fn max_logins_per_user(mut self, max: u32) -> Self {
        let at_limit = OnLimit::EvictOldest;
        self.policy.limit = Some(Limit { max, at_limit });
        self
    }

    /// No instance of the deployment, of whatever version, issues access tokens that live longer than
    /// this: an hour by default. For so long is remembered what was revoked, and a login keeps the time
    /// that it began with; so it is lowered after the tokens' own life, and raised long before.
    pub fn longest_life(mut self, life: Duration) -> Self {
        self.longest_life = life;
        self
    }

    /// Every check shows what was revoked longer ago than this: 1 s by default.
    pub fn max_staleness(mut self, bound: Duration) -> Self {
        self.revoked = self.revoked.max_staleness(bound);
        self
    }

    /// How many revocations are held in memory: 1,000,000 by default, in some 53 MB. Of what does not
    /// fit the store is asked.
    pub fn max_revoked(mut self, most: usize) -> Self {
        self.revoked = self.revoked.max_entries(most);
        self
    }

    /// What checks do while nothing proves that all revocations were heard and the store can't be
    /// asked: refuse, by default.
    pub fn on_unavailable(mut self, choice: OnUnavailable) -> Self {
        self.revoked = self.revoked.on_unavailable(choice);
        self
    }

    /// Makes the service, and reads what was revoked. Must be called on a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a setting that can't be; those of the store, which must be reachable.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up.
    pub async fn build(mut self) -> Result<LoginService> {
        let revoked = self.revoked.build().await?;
        let tokens = self.tokens.revocation(Arc::new(revoked.clone())).build()?;
        if tokens.life() > self.longest_life || self.longest_life > MAX_LIFE {
            let message =
                "an access token lives no longer than the longest life, and that one hour";
            return Err(Error::new(ErrorKind::Config, message));
        }
        self.policy.access_life = self.longest_life.saturating_add(SLACK);
        let families = Families::new(Arc::clone(&self.store) as _, self.policy)?;
        Ok(LoginService {
            store: self.store,
            tokens,
            families,
            revoked,
        })
    }
}

fn unwritten(cause: serde_json::Error) -> Error {
    let message = "what a login was granted can't be written or read";
    Error::new(ErrorKind::Encode, message).with_source(cause)
}
