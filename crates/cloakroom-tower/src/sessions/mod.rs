//! The service: what an application builds once, and operates sessions with.

mod builder;
mod policy;
mod toucher;
mod watchers;

pub use builder::SessionsBuilder;
pub use policy::OnUnavailable;
pub(crate) use policy::Policy;
pub(crate) use toucher::Toucher;
use watchers::Watchers;

use crate::{
    Error, LazySession, Result, SessionsLayer,
    stats::{self, Counters, Stats},
    transport::Transport,
    visit::Visit,
};
use cloakroom_core::{
    Bucket, Entropy, ErrorKind, Handle, Health, Listed, Listener, SessionId, SessionStore,
    SessionUse, Which,
};
use cloakroom_near::{NearStats, NearStore};
use std::sync::{Arc, OnceLock, Weak};

/// An application's sessions: makes the layer, and lists and revokes from anywhere.
///
/// Built once by [`Sessions::builder`]; clones are cheap and share everything.
///
/// ```
/// use cloakroom_tower::{MemoryStore, Sessions};
/// use time::ext::NumericalDuration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cloakroom_tower::Result<()> {
/// let sessions = Sessions::builder(MemoryStore::new())
///     .idle_timeout(30.minutes())
///     .absolute_timeout(12.hours())
///     .max_sessions_per_user(5)
///     .build()
///     .await?;
/// assert!(sessions.list("alice").await?.is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Sessions(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn SessionStore>,
    /// The same, if it keeps copies.
    pub(crate) near: Option<NearStore>,
    pub(crate) policy: Policy,
    pub(crate) transport: Transport,
    pub(crate) short_ids: bool,
    pub(crate) toucher: Toucher,
    watchers: OnceLock<Arc<Watchers>>,
    pub(crate) counters: Counters,
    pub(crate) entropy: Arc<dyn Entropy>,
}

/// One of a user's sessions, as a page of devices shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// The session's opaque name: fit for a page or a URL, useless as an id. It stays the same
    /// when the id is rotated.
    pub handle: Handle,
    /// What the application called the device at login.
    pub device: Option<Arc<str>>,
    /// When the session was made, by the store's clock.
    pub created_at: time::OffsetDateTime,
    /// When the user proved who they are, by the store's clock.
    pub authenticated_at: time::OffsetDateTime,
    /// When it was last used, to within a touch interval, by the store's clock.
    pub last_seen: time::OffsetDateTime,
    /// The user asked to be remembered on it.
    pub remembered: bool,
}

impl Sessions {
    /// The layer that gives each request its session.
    #[must_use]
    pub fn layer(&self) -> SessionsLayer {
        SessionsLayer::new(self.clone())
    }

    /// A session outside any request, empty until something is set: for jobs and tests.
    ///
    /// Nothing commits it by itself; see [`Session::commit`](crate::Session::commit).
    pub fn detached(&self) -> LazySession {
        LazySession::new(Visit::anonymous(self.clone(), SessionUse::default()))
    }

    /// A user's live sessions, by time of login, the latest last.
    ///
    /// One round trip. Ghosts of sessions that expired are cleared away on the way.
    ///
    /// # Consistency
    ///
    /// All sessions come from one moment. A session made or ended before the call is seen so.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable), or [`Invalid`](ErrorKind::Invalid) for a user's
    /// id that is empty or too long.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is changed.
    pub async fn list(&self, user: &str) -> Result<Vec<Device>> {
        let user = self.0.store.user(user)?;
        let listed = self.0.noting(self.0.store.list(&user).await)?;
        Ok(listed.into_iter().map(Device::from).collect())
    }

    /// Ends one session of a user, by its handle; `false` if the user has no such session.
    ///
    /// One round trip.
    ///
    /// # Consistency
    ///
    /// When it has returned, no instance loads that session again, and no write to it succeeds. Near
    /// copies are gone within milliseconds, and never used for longer than
    /// [`max_staleness`](crate::SessionsBuilder::max_staleness).
    ///
    /// # Errors
    ///
    /// - [`Unavailable`](ErrorKind::Unavailable): it may have ended or not; asking again is safe.
    /// - [`NotReplicated`](ErrorKind::NotReplicated), where the store was told to have replicas
    ///   confirm: it has ended, but may come back if the master is lost now; asking again is safe.
    ///
    /// # Cancel safety
    ///
    /// Once polled, it may take effect though the future is dropped.
    pub async fn revoke(&self, user: &str, handle: &Handle) -> Result<bool> {
        Ok(self.revoke_which(user, Which::One(*handle)).await? > 0)
    }

    /// Ends all sessions of a user, and says how many there were.
    ///
    /// One round trip. Consistency, errors and cancel safety as of [`revoke`](Self::revoke); a
    /// login that comes later in the store is not touched.
    ///
    /// # Errors
    ///
    /// As of [`revoke`](Self::revoke).
    pub async fn revoke_user(&self, user: &str) -> Result<u64> {
        self.revoke_which(user, Which::All).await
    }

    /// Ends all sessions of a user but one, by its handle, and says how many there were.
    ///
    /// One round trip. Consistency, errors and cancel safety as of [`revoke`](Self::revoke). In a
    /// handler, [`Session::revoke_others`](crate::Session::revoke_others) knows which one to keep.
    ///
    /// # Errors
    ///
    /// As of [`revoke`](Self::revoke).
    pub async fn revoke_others(&self, user: &str, keep: &Handle) -> Result<u64> {
        self.revoke_which(user, Which::Others(*keep)).await
    }

    /// Ends all sessions of everyone, anonymous ones too: for the day that a secret leaked. One
    /// step for each bucket, one round trip for each server.
    ///
    /// Consistency and cancel safety as of [`revoke`](Self::revoke), for each bucket by itself.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable): some may have ended and others not; ask again.
    /// [`NotReplicated`](ErrorKind::NotReplicated) as of [`revoke`](Self::revoke).
    pub async fn revoke_everyone(&self) -> Result<()> {
        self.0.noting(self.0.store.revoke_everyone().await)?;
        tracing::info!("all sessions were revoked");
        Ok(())
    }

    /// What the layers have done since this was built.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.counters.snapshot()
    }

    /// What the near copies have saved, if there are any.
    #[must_use]
    pub fn near_stats(&self) -> Option<NearStats> {
        self.0.near.as_ref().map(NearStore::stats)
    }

    /// Whether the store can be reached, as far as is known without asking it.
    #[must_use]
    pub fn health(&self) -> Health {
        self.0.store.health()
    }

    /// Writes the touches that are due now, instead of waiting for the background task.
    ///
    /// Of use where time is moved by hand. One round trip for each 128 on a server.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable): the touches are kept and come again.
    ///
    /// # Cancel safety
    ///
    /// Touches under way may be lost, which shortens those sessions' lives by the time since they
    /// were last touched.
    pub async fn write_touches(&self) -> Result<()> {
        let due = self.0.toucher.take_due();
        self.0.touch(due).await
    }

    /// Writes all that waits to be written; to be called once, when the server has finished its
    /// requests.
    ///
    /// What is lost without it are touches: sessions may expire earlier by at most a touch
    /// interval.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable): the touches could not be written.
    ///
    /// # Cancel safety
    ///
    /// As of [`write_touches`](Self::write_touches).
    pub async fn shutdown(&self) -> Result<()> {
        let all = self.0.toucher.take_all();
        self.0.touch(all).await
    }

    pub(crate) async fn revoke_which(&self, user: &str, which: Which) -> Result<u64> {
        let user = self.0.store.user(user)?;
        let ended = self.0.noting(self.0.store.revoke(&user, which).await)?;
        stats::add(&self.0.counters.revoked, ended);
        tracing::debug!(ended, "sessions revoked");
        Ok(ended)
    }
}

impl Inner {
    /// Those who wait for sessions to end. Listens from the first of them on: before, nobody needs
    /// to hear of it.
    pub(crate) fn watchers(&self) -> &Arc<Watchers> {
        self.watchers.get_or_init(|| {
            let watchers = Arc::new(Watchers::default());
            if let Some(channel) = self.store.channel() {
                let listener: Weak<dyn Listener> = Arc::downgrade(&watchers) as _;
                channel.listen(listener);
            }
            watchers
        })
    }

    /// A new id in this bucket, or in any.
    pub(crate) fn new_id(&self, bucket: Option<Bucket>) -> Result<SessionId> {
        let bucket = match bucket {
            Some(bucket) => bucket,
            None => {
                let mut random = [0; 8];
                self.entropy.fill(&mut random)?;
                self.store.buckets().of_hash(u64::from_be_bytes(random))
            }
        };
        Ok(SessionId::generate(bucket, &*self.entropy)?)
    }

    /// The id that a text stands for, if it can be one of ours.
    pub(crate) fn parse(&self, text: &str) -> Option<SessionId> {
        let own = SessionId::parse(text, self.store.buckets());
        own.or_else(|| SessionId::parse_short(text).filter(|_| self.short_ids))
    }

    /// Counts what the store could not do.
    pub(crate) fn noting<T>(&self, result: cloakroom_core::Result<T>) -> Result<T> {
        result.map_err(|error| {
            stats::count(&self.counters.store_errors);
            if error.kind() == ErrorKind::Corrupt {
                tracing::error!(%error, "the store holds or answered something unexpected");
            } else {
                tracing::debug!(%error, "the store could not be asked");
            }
            Error::from(error)
        })
    }

    async fn touch(&self, touches: Vec<cloakroom_core::Touch>) -> Result<()> {
        if touches.is_empty() {
            return Ok(());
        }
        stats::add(&self.counters.touches, touches.len() as u64);
        let taken = self.toucher.now();
        let result = self.noting(self.store.touch(&touches).await);
        if result.is_err() {
            self.toucher.put_back(&touches, taken);
        }
        result
    }
}

impl From<Listed> for Device {
    fn from(listed: Listed) -> Self {
        Self {
            handle: listed.handle,
            device: listed.device,
            created_at: listed.created_at,
            authenticated_at: listed.authenticated_at,
            last_seen: listed.last_seen,
            remembered: listed.remembered,
        }
    }
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions")
            .field("store", &self.0.store)
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
}
