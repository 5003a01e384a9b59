//! The store under tower-sessions' own layer.

mod base;
mod before;
mod create;
mod devices;
mod save;
mod saved;

pub(crate) use before::Before;
pub use before::Migration;
pub use devices::TheirId;
pub(crate) use devices::private::Sealed;

use crate::{
    Users,
    entry::{Data, Entry, Result, Trouble, id_bytes, values},
};
use base::Base;
use cloakroom_core::{
    Address, Attributes, Digest, Ended, Error, Freshness, Loaded, Record, SessionId,
};
use cloakroom_tower::Sessions;
use saved::Saved;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};
use tracing::Instrument as _;

/// The attribute of a session that was taken over which says that it lies elsewhere. Applications
/// can't come upon it: their names begin with no NUL.
const ELSEWHERE: &str = "\0cloakroom.elsewhere";

/// A store for tower-sessions' `SessionManagerLayer`, 0.14 and 0.15, over Cloakroom's sessions.
///
/// Reads come from near copies, writes send what changed and nothing else, and what was revoked
/// stays so. Clones share everything.
///
/// ```
/// use cloakroom_tower::{MemoryStore, Sessions};
/// use cloakroom_tower_sessions::{SharedStore, Users};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cloakroom_tower::Result<()> {
/// let sessions = Sessions::builder(MemoryStore::new()).max_sessions_per_user(5).build().await?;
/// let store = SharedStore::new(&sessions).users(Users::axum_login());
/// // tower_sessions::SessionManagerLayer::new(store) from here on as ever; and:
/// assert!(sessions.list("7").await?.is_empty());
/// sessions.revoke_user("7").await?;
/// # let _ = store; Ok(()) }
/// ```
///
/// # Consistency
///
/// - **Reads** are stale by no more than the
///   [`max_staleness`](cloakroom_tower::SessionsBuilder::max_staleness) of the `Sessions`, as a rule by
///   milliseconds. tower-sessions' cookie tells no revision, so a client reads its own writes at
///   once on the instance that made them, and elsewhere within that time. With a staleness of zero
///   each read asks the store.
/// - **Saves** write the attributes that changed since the session was loaded, one round trip; two
///   overlapping requests that change different ones both survive. A save that changes nothing but
///   the expiry slides the idle window in the background, once in a touch interval.
/// - **A session that has ended stays so**: a save on it writes nothing and answers `Ok`, as
///   tower-sessions expects.
/// - **An empty session is not kept**: `create` of a record without data writes nothing. So
///   `always_save` does not store a session for each id that somebody made up.
///
/// # What counts
///
/// The expiry is the layer's (`with_expiry`, `set_expiry`); of the `Sessions` count the staleness, also
/// that of [`NearCopy`](cloakroom_tower::OnUnavailable::NearCopy), the cap on the size, the touch
/// interval and the limit per user with what a login beyond it does, and none of its timeouts and cookies.
#[derive(Debug, Clone)]
#[must_use]
pub struct SharedStore(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    sessions: Sessions,
    users: Users,
    before: Option<(Arc<dyn Before>, Migration)>,
    saved: Arc<Saved>,
    shielding: bool,
}

impl SharedStore {
    /// A store over these sessions, which list and revoke what it keeps.
    pub fn new(sessions: &Sessions) -> Self {
        Self(Arc::new(Inner {
            sessions: sessions.clone(),
            users: Users::default(),
            before: None,
            saved: Arc::default(),
            shielding: true,
        }))
    }

    /// How to find whose session it is.
    ///
    /// A session gets its user where its id is made: so the id must be cycled at login, as axum-login
    /// does. A save that brings another user than the session was made for is refused; see
    /// [`log in`](crate#users).
    pub fn users(self, users: Users) -> Self {
        self.with(|inner| inner.users = users)
    }

    /// Answers `None` at once for an id that was cycled or logged out.
    ///
    /// As it is, for two minutes such an id leads to an empty session, saves on which write nothing.
    /// For where tower-sessions' layer is told that there is none, it has the client forget its id: a
    /// late request, which was sent before a login and answered after it, would log its user out
    /// again.
    pub fn without_shielding(self) -> Self {
        self.with(|inner| inner.shielding = false)
    }

    pub(crate) fn migrating(self, before: Arc<dyn Before>, how: Migration) -> Self {
        self.with(|inner| inner.before = Some((before, how)))
    }

    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        change(&mut inner);
        Self(Arc::new(inner))
    }

    fn address(&self, id: i128) -> Address {
        let id = SessionId::short(id_bytes(id));
        let buckets = self.0.sessions.store().buckets();
        // A short id always has one.
        id.address(buckets).unwrap_or_else(|| Address {
            bucket: buckets.of_hash(0),
            digest: id.digest(),
        })
    }

    pub(crate) async fn load(&self, id: i128) -> Result<Option<Entry>> {
        let need = self.0.sessions.freshness();
        match self.look(self.address(id), need).await? {
            Looked::Found { data, base, .. } => Ok(Some(self.shown(id, data, *base))),
            Looked::Gone => Ok(self.gone(id)),
            Looked::Absent => match &self.0.before {
                Some((before, how)) => self.look_before(&**before, *how, id).await,
                None => Ok(None),
            },
        }
    }

    /// Ends the session, and what leads to it, though its caller goes away.
    pub(crate) async fn delete(&self, id: i128) -> Result<()> {
        let own = self.clone();
        detach(async move { own.delete_all(id).await }).await
    }

    async fn delete_all(&self, id: i128) -> Result<()> {
        let at = self.address(id);
        // Nothing, where a copy is near, as it is when the request has used its session. While
        // sessions move, a copy may not know of a pointer yet.
        let need = match self.0.before {
            Some(_) => Freshness::NOW,
            None => self.0.sessions.freshness(),
        };
        let pointer = self.record_at(at, need).await?;
        let there = pointer.and_then(|record| self.elsewhere(&record));
        let mut ended = self.end(there.unwrap_or(at)).await;
        if there.is_some() {
            let pointer = self.end(at).await;
            ended = ended.and_then(|how| pointer.map(|_| how));
        }
        if let Some((before, _)) = &self.0.before {
            if matches!(ended, Ok(Ended::Absent)) {
                // Nobody who takes it over meanwhile shall make it here.
                self.0.sessions.store().retire(at, 0).await?;
            }
            if let Err(trouble) = before.delete(id).await {
                self.forget_before(id);
                return Err(trouble);
            }
        }
        if matches!(
            ended,
            Ok(Ended::Absent | Ended::Already | Ended::Superseded)
        ) {
            self.0.saved.note_dead(at.digest);
        }
        ended.map(drop)
    }

    /// It has ended where the error is that replicas didn't confirm.
    async fn end(&self, at: Address) -> Result<Ended> {
        let ended = self.0.sessions.store().end(at).await;
        if ended
            .as_ref()
            .map_or_else(Error::is_not_replicated, |_| true)
        {
            self.0.sessions.ended(at);
        }
        Ok(ended?)
    }

    async fn record_at(&self, at: Address, need: Freshness) -> Result<Option<Arc<Record>>> {
        Ok(match self.0.sessions.store().load(at, need).await? {
            Loaded::Found { record, .. } => Some(record),
            Loaded::Superseded | Loaded::Ended | Loaded::Absent => None,
        })
    }

    /// Looks a session up, where it is or where that says it lies.
    async fn look(&self, at: Address, need: Freshness) -> Result<Looked> {
        let looked = self.look_at(at, need).await?;
        let Looked::Found {
            lies: Some(there), ..
        } = looked
        else {
            return Ok(looked);
        };
        Ok(match self.look_at(there, need).await? {
            Looked::Found { data, base, .. } => Looked::Found {
                data,
                base: Box::new(base.lying(there).called(at.digest)),
                lies: Some(there),
            },
            nothing => nothing,
        })
    }

    async fn look_at(&self, at: Address, need: Freshness) -> Result<Looked> {
        let sessions = &self.0.sessions;
        match sessions.store().load(at, need).await? {
            Loaded::Found { record, expires_in } => {
                let lies = self.elsewhere(&record);
                if lies.is_some() {
                    // It lives for as long as it is used.
                    let ago = (record.idle - expires_in).max(Duration::ZERO);
                    sessions.used(at, ago, record.idle);
                }
                let data = values(&record.attributes)?;
                let base = Base::of(&record, expires_in, &data, &self.0.users).into();
                Ok(Looked::Found { data, base, lies })
            }
            Loaded::Superseded | Loaded::Ended => Ok(Looked::Gone),
            Loaded::Absent => Ok(Looked::Absent),
        }
    }

    /// A session as tower-sessions gets it.
    fn shown(&self, id: i128, mut data: Data, base: Base) -> Entry {
        let expiry_date = base.expires();
        base.numbered(self.0.saved.number()).put(&mut data);
        Entry {
            id,
            data,
            expiry_date,
        }
    }

    /// An empty session in place of one that has ended, for its client's sake.
    fn gone(&self, id: i128) -> Option<Entry> {
        let mut data = Data::new();
        Base::gone().put(&mut data);
        let expiry_date = OffsetDateTime::now_utc().saturating_add(cloakroom_core::MARKED_FOR);
        self.0.shielding.then_some(Entry {
            id,
            data,
            expiry_date,
        })
    }

    fn elsewhere(&self, record: &Record) -> Option<Address> {
        let text: String = record.attributes.get(ELSEWHERE).ok()??;
        let (bucket, digest) = text.split_once('.')?;
        Some(Address {
            bucket: self
                .0
                .sessions
                .store()
                .buckets()
                .get(bucket.parse().ok()?)?,
            digest: Digest::from_hex(digest.as_bytes()).ok()?,
        })
    }
}

/// Carries work to its end though its caller goes away.
async fn detach<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let done = tokio::spawn(work.in_current_span()).await;
    done.unwrap_or_else(|stopped| Err(Trouble::Backend(stopped.to_string())))
}

/// What says that a session lies elsewhere.
fn to(there: Address) -> cloakroom_core::Result<Attributes> {
    let text = format!("{}.{}", there.bucket.index(), there.digest.to_hex());
    let mut attributes = Attributes::default();
    attributes.set(ELSEWHERE, Some(Attributes::encode(ELSEWHERE, &text)?));
    Ok(attributes)
}

/// What a look for a session found.
enum Looked {
    Found {
        data: Data,
        base: Box<Base>,
        lies: Option<Address>,
    },
    /// It ended, or got a newer id, a moment ago.
    Gone,
    Absent,
}

/// How long is left until then, by this machine's clock, which tower-sessions reckons by too.
fn left(until: OffsetDateTime) -> Duration {
    let left = until - OffsetDateTime::now_utc();
    left.min(Duration::days(36_525))
}
