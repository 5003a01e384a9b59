//! Refresh tokens: opaque, kept in the store, and each good for one use.
//!
//! A *family* begins with a login and is a record of the store, in its user's bucket and index: so a
//! user's families are listed, limited and revoked like sessions. Its refresh token names the family
//! and holds a secret; the record knows a digest of it. Using it replaces the secret. Whoever comes
//! with one that was replaced has a copy of somebody else's: the family ends.
//!
//! Within a short grace the token that was replaced last brings the same successor again, because its
//! answer may have been lost, or two requests of one client may have raced. The record holds the
//! successor in a form that only the token itself opens, so a dump of the store holds none.

mod token;

pub use token::RefreshToken;
use token::drawn;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use cloakroom_core::{
    Address, Attributes, Change, Committed, Created, Error, ErrorKind, Freshness, Handle, Lifetime,
    Limit, Loaded, NewLogin, NewSession, OsEntropy, Record, Result, SessionStore, User,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use time::Duration;

/// The attribute that holds the state.
const STATE: &str = "refresh";
/// More changes beside one use of a token than this are no client's.
const ATTEMPTS: usize = 8;
/// The record's size is the state and what the application adds.
const MOST_BYTES: usize = 16 * 1024;

/// How long families live, and how they are used.
#[derive(Debug, Clone, Copy)]
pub struct FamilyPolicy {
    /// It ends when it was not used for this long.
    pub idle: Duration,
    /// It ends this long after its login.
    pub absolute: Duration,
    /// For this long after its use, a token brings the same successor again.
    pub grace: Duration,
    /// How long access tokens live: for so long is a family's end remembered.
    pub access_life: Duration,
    /// How many families and sessions a user may have.
    pub limit: Option<Limit>,
}

/// The families of a store.
#[derive(Debug, Clone)]
pub struct Families {
    store: Arc<dyn SessionStore>,
    policy: FamilyPolicy,
}

/// A login to begin a family with.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// What the application calls the device.
    pub device: Option<Arc<str>>,
    /// Kept with the family, for each access token: what it may do.
    pub grant: serde_json::Value,
}

/// A family, as its latest use left it.
#[derive(Debug, Clone)]
pub struct Family {
    /// Where it lies.
    pub at: Address,
    /// Whose it is.
    pub user: Arc<str>,
    /// Its public name in lists.
    pub handle: Handle,
    /// The token that comes next.
    pub token: RefreshToken,
    /// How long it lives on if it is not used.
    pub expires_in: Duration,
    /// What it was begun with.
    pub grant: serde_json::Value,
}

/// What became of a use.
#[derive(Debug, Clone)]
pub enum Used {
    /// The token was good: here is the next.
    Next(Box<Family>),
    /// It had been used before: its family has ended now, for everybody.
    Reused {
        /// Where the family lay.
        at: Address,
        /// Whose it was.
        user: Arc<str>,
    },
    /// Its family has ended or expired, or never was.
    Gone,
}

/// What the record knows.
#[derive(Serialize, Deserialize)]
struct State {
    /// The digest of the secret that is good.
    current: String,
    /// That of the one before.
    before: Option<String>,
    /// The secret that is good, as the one before opens it.
    sealed: Option<String>,
    grant: serde_json::Value,
}

/// A record and its state, as they were read.
struct Read {
    record: Arc<Record>,
    expires_in: Duration,
    raw: Bytes,
    state: State,
}

impl Families {
    /// The families of this store.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a time that can't be.
    pub fn new(store: Arc<dyn SessionStore>, policy: FamilyPolicy) -> Result<Self> {
        let times = [policy.idle, policy.absolute, policy.access_life];
        if times.iter().any(|time| *time <= Duration::ZERO) || policy.grace.is_negative() {
            let message = "a family's times must be longer than 0 s";
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(Self { store, policy })
    }

    /// Begins a family for a user who has proven who they are. One round trip.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] for a user's id that can't be, [`ErrorKind::LimitReached`],
    /// [`ErrorKind::TooLarge`] for a grant beyond 16 KiB, [`ErrorKind::Unavailable`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves it open whether a family was begun; nobody has its token.
    pub async fn begin(&self, user: &str, login: Login) -> Result<Family> {
        let user = self.store.user(user)?;
        let token = RefreshToken::draw(user.bucket)?;
        let state = State {
            current: token.digest(),
            before: None,
            sealed: None,
            grant: login.grant,
        };
        let new = self.new_session(&user, &token, login.device, encode(&state)?)?;
        match self.store.create(&new).await? {
            Created::Done { .. } => Ok(Family {
                at: new.at,
                user: user.id,
                handle: new.handle,
                token,
                expires_in: self.policy.idle.min(self.policy.absolute),
                grant: state.grant,
            }),
            Created::LimitReached => {
                let message = "the user has as many sessions as are allowed";
                Err(Error::new(ErrorKind::LimitReached, message))
            }
            Created::Collision => {
                let message = "a family's random name is taken";
                Err(Error::new(ErrorKind::Internal, message))
            }
        }
    }

    fn new_session(
        &self,
        user: &User,
        token: &RefreshToken,
        device: Option<Arc<str>>,
        state: Bytes,
    ) -> Result<NewSession> {
        if state.len() > MOST_BYTES {
            let message = "a grant takes at most 16 KiB";
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let mut attributes = Attributes::default();
        attributes.set(STATE, Some(state));
        Ok(NewSession {
            at: token.address(),
            handle: Handle::generate(&OsEntropy)?,
            lifetime: Lifetime {
                idle: self.policy.idle,
                absolute: self.policy.absolute,
                remembered: false,
            },
            revision: 1,
            login: Some(NewLogin {
                user: user.clone(),
                device,
                limit: self.policy.limit,
                replaces: None,
            }),
            attributes,
            outlived_by: self.policy.access_life,
        })
    }

    /// Uses a token: it brings the next, once. Two round trips.
    ///
    /// # Consistency
    ///
    /// Of uses side by side, from whichever instances, one makes the successor and the others get the
    /// same one. A token that was used before the last, or longer ago than the grace, ends the family
    /// in the same operation that says so.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`]: it may have been used; within the grace it can be used again.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves it open whether it was used; within the grace it can be used again.
    pub async fn refresh(&self, token: &RefreshToken) -> Result<Used> {
        let at = token.address();
        let mut suspected = false;
        for _ in 0..ATTEMPTS {
            let Some(read) = self.read(at).await? else {
                return Ok(Used::Gone);
            };
            let shown = token.digest();
            if same(&shown, &read.state.current) {
                if let Some(family) = self.advance(token, read).await? {
                    return Ok(Used::Next(Box::new(family)));
                }
                // Somebody else changed it: look again.
                continue;
            }
            let is_last = read
                .state
                .before
                .as_deref()
                .is_some_and(|b| same(&shown, b));
            let next = is_last.then(|| read.successor(token)).flatten();
            if let Some(next) = next.filter(|_| read.age() < self.policy.grace) {
                return Ok(Used::Next(Box::new(read.family(at, next)?)));
            }
            // A use beside this one may have come between the parts of the read: look again before
            // anybody is accused.
            if std::mem::replace(&mut suspected, true) {
                return self.end_reused(at, &read).await;
            }
        }
        let message = "others kept using the same refresh token";
        Err(Error::new(ErrorKind::Conflict, message))
    }

    /// Ends a token's family, as its user wishes. One round trip.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`]: it may have ended or not.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves it open whether it has ended.
    pub async fn end(&self, token: &RefreshToken) -> Result<()> {
        self.store.end(token.address()).await.map(drop)
    }

    /// For how long a family's end is remembered.
    pub(crate) fn remembered(&self) -> Duration {
        self.policy.access_life
    }

    /// Reads a token's text.
    #[must_use]
    pub fn parse(&self, text: &str) -> Option<RefreshToken> {
        RefreshToken::parse(text, self.store.buckets())
    }

    async fn read(&self, at: Address) -> Result<Option<Read>> {
        let Loaded::Found { record, expires_in } = self.store.load(at, Freshness::NOW).await?
        else {
            return Ok(None);
        };
        let raw = record.attributes.raw(STATE).cloned();
        let raw = raw.ok_or_else(not_ours)?;
        let state = serde_json::from_slice(&raw).map_err(|_| not_ours())?;
        Ok(Some(Read {
            record,
            expires_in,
            raw,
            state,
        }))
    }

    /// Replaces the secret; `None` if the family has changed since it was read.
    async fn advance(&self, token: &RefreshToken, read: Read) -> Result<Option<Family>> {
        let next = token.with_secret(drawn()?);
        let state = State {
            current: next.digest(),
            before: Some(token.digest()),
            sealed: Some(URL_SAFE_NO_PAD.encode(token.seal(&next.secret))),
            grant: read.state.grant.clone(),
        };
        let mut change = Change::default();
        change.expect(STATE, Some(read.raw.clone()));
        change.write(STATE, Some(encode(&state)?));
        let at = token.address();
        match self.store.commit(at, &change, usize::MAX).await? {
            Committed::Done { .. } => {
                let mut family = read.family(at, next)?;
                let idle = read.record.idle;
                // Its idle window begins anew.
                family.expires_in = (read.absolute_left()).min(idle);
                Ok(Some(family))
            }
            _ => Ok(None),
        }
    }

    async fn end_reused(&self, at: Address, read: &Read) -> Result<Used> {
        self.store.end(at).await?;
        let user = read.user()?;
        tracing::warn!(family = ?at.digest, "a used refresh token came again: its family has ended");
        Ok(Used::Reused { at, user })
    }
}

impl Read {
    fn user(&self) -> Result<Arc<str>> {
        let login = self.record.login.as_ref().ok_or_else(not_ours)?;
        Ok(Arc::clone(&login.user))
    }

    fn family(&self, at: Address, token: RefreshToken) -> Result<Family> {
        Ok(Family {
            at,
            user: self.user()?,
            handle: self.record.handle,
            token,
            expires_in: self.expires_in,
            grant: self.state.grant.clone(),
        })
    }

    /// The server's time at the read, from what was left of the record's life then.
    fn now(&self) -> time::OffsetDateTime {
        let record = &self.record;
        let ends = record.last_seen.saturating_add(record.idle);
        ends.min(record.absolute_deadline) - self.expires_in
    }

    /// How long ago the family was last used, by the server's clock alone.
    fn age(&self) -> Duration {
        self.now() - self.record.last_seen
    }

    fn absolute_left(&self) -> Duration {
        self.record.absolute_deadline - self.now()
    }

    /// The token that took this one's place.
    fn successor(&self, token: &RefreshToken) -> Option<RefreshToken> {
        let sealed = URL_SAFE_NO_PAD.decode(self.state.sealed.as_ref()?).ok()?;
        let next = token.with_secret(token.seal(&sealed.try_into().ok()?));
        same(&next.digest(), &self.state.current).then_some(next)
    }
}

/// Compares digests in a time that tells nothing.
fn same(one: &str, other: &str) -> bool {
    let hash = |text: &str| blake3::hash(text.as_bytes());
    // A hash's comparison is constant in time.
    hash(one) == hash(other)
}

fn encode(state: &State) -> Result<Bytes> {
    let bytes = serde_json::to_vec(state).map_err(|e| {
        Error::new(ErrorKind::Encode, "a grant can't be written as JSON").with_source(e)
    })?;
    Ok(bytes.into())
}

fn not_ours() -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "a refresh token's record is no family's",
    )
}
