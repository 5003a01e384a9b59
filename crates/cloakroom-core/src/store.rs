//! The contract that every store keeps.

use crate::{
    Address, Attributes, Buckets, Change, Channel, Digest, Handle, Lifetime, Record, Result, Touch,
    User,
};
use std::{fmt, future::Future, pin::Pin, sync::Arc};
use time::{Duration, OffsetDateTime};

/// A boxed future: what lets stores stand behind one object type.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How long a store remembers that an id was superseded by a newer one, or ended by its client:
/// longer than any request should take.
///
/// In that time a request that still bears the id is told so, rather than *absent*: it must not
/// begin a new session, whose id would take the place of a newer one that the client has by now.
/// What others end, by a revocation or an eviction, leaves no mark: its client has nothing newer.
pub const MARKED_FOR: Duration = Duration::minutes(2);

/// Where sessions are kept: shared by all instances, each operation atomic by itself.
///
/// Implemented by [`MemoryStore`](crate::MemoryStore) and by `cloakroom-redis`; one conformance
/// suite holds both to it. Absence, conflict and refusal are values; an error means that the
/// store could not say.
///
/// # Consistency
///
/// All operations on one session, and all on one user, happen one after the other in the store.
/// When an operation has returned, every later one, from any instance, sees its effect. An
/// operation that failed with [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) may or
/// may not have happened; the store never sends it twice.
///
/// # Cancel safety
///
/// Dropping a future abandons the answer, not the operation: what was sent may still happen, and
/// later callers are not disturbed.
pub trait SessionStore: Send + Sync + std::fmt::Debug + 'static {
    /// The deployment's buckets.
    fn buckets(&self) -> &Buckets;

    /// Finds the place of a user's sessions.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for an id that is empty or too long.
    fn user(&self, id: &str) -> Result<User>;

    /// Reads one session. One round trip, or none where a near copy is fresh enough.
    fn load(&self, at: Address, need: Freshness) -> BoxFuture<'_, Result<Loaded>>;

    /// Makes a session, never over an existing one, and with a login enters it into its user's
    /// index under the user's limit: all in one step. One round trip.
    fn create<'a>(&'a self, new: &'a NewSession) -> BoxFuture<'a, Result<Created>>;

    /// Writes what changed, and slides the idle window; other limits of time begin now. One round
    /// trip; says *gone* and writes nothing when the session has ended.
    fn commit<'a>(
        &'a self,
        at: Address,
        change: &'a Change,
        max_size: usize,
    ) -> BoxFuture<'a, Result<Committed>>;

    /// Ends an id because another took its place, and leaves a mark of [`MARKED_FOR`] that holds
    /// nothing of it, even if the id led nowhere. Shows what the session held if its revision is
    /// no longer `revision`. One round trip.
    fn retire(&self, at: Address, revision: u64) -> BoxFuture<'_, Result<Retired>>;

    /// Moves a session to a new id of the same bucket, and retires the old one: all in one step.
    /// One round trip.
    fn rotate(&self, at: Address, to: Digest) -> BoxFuture<'_, Result<Rotated>>;

    /// Ends one session as its client wished, and leaves a mark of [`MARKED_FOR`]. One round trip.
    fn end(&self, at: Address) -> BoxFuture<'_, Result<Ended>>;

    /// Slides idle windows. One round trip for each 128 on a server; sessions that have ended are
    /// passed over.
    fn touch<'a>(&'a self, touches: &'a [Touch]) -> BoxFuture<'a, Result<()>>;

    /// A user's live sessions, by time of login. One round trip.
    fn list<'a>(&'a self, user: &'a User) -> BoxFuture<'a, Result<Vec<Listed>>>;

    /// Ends some of a user's sessions in one step and says how many. One round trip.
    fn revoke<'a>(&'a self, user: &'a User, which: Which) -> BoxFuture<'a, Result<u64>>;

    /// Ends all sessions of all users and of nobody, in one step for each bucket. One round trip
    /// for each server; asking again after an error is safe.
    fn revoke_everyone(&self) -> BoxFuture<'_, Result<()>>;

    /// Whether the store can be reached, as far as is known without asking it.
    fn health(&self) -> Health;

    /// Where the store tells of sessions that were written or ended; `None` if it doesn't.
    fn channel(&self) -> Option<Arc<Channel>> {
        None
    }
}

/// How fresh an answer must be.
///
/// ```
/// use cloakroom_core::Freshness;
/// use time::Duration;
///
/// let a_second = Freshness { within: Duration::SECOND, ..Freshness::NOW };
/// assert!(!a_second.is_now());
/// assert!(Freshness::NOW.is_now());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// It shows all that happened longer ago than this. Zero asks the store.
    pub within: Duration,
    /// It shows this revision or a later one: what the client has seen already.
    pub revision: u64,
    /// If the store can't be asked, this will do instead of `within`. Zero fails.
    pub at_worst: Duration,
}

impl Freshness {
    /// As the store holds it now.
    pub const NOW: Self = Self {
        within: Duration::ZERO,
        revision: 0,
        at_worst: Duration::ZERO,
    };

    /// Whether the store must be asked.
    #[must_use]
    pub fn is_now(&self) -> bool {
        self.within <= Duration::ZERO
    }
}

/// What [`SessionStore::load`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded {
    /// The session.
    Found {
        /// As it stood when the store answered.
        record: Arc<Record>,
        /// How long it would have lived on then: the shorter of what was left of the idle window
        /// and of the absolute lifetime. Free of any difference between clocks.
        expires_in: Duration,
    },
    /// The id was replaced by a newer one a moment ago.
    Superseded,
    /// Its client ended the session a moment ago.
    Ended,
    /// There is no such session: never was, or has ended.
    Absent,
}

/// A session to make.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Where it shall lie.
    pub at: Address,
    /// Its public name.
    pub handle: Handle,
    /// How long it may live.
    pub lifetime: Lifetime,
    /// Its first revision.
    pub revision: u64,
    /// Who logs in, or `None` for an anonymous session.
    pub login: Option<NewLogin>,
    /// What it holds from the start.
    pub attributes: Attributes,
    /// What was derived from it, like a token that services check by themselves, may live this long
    /// after its end: for so long its end is remembered. Zero if there is no such thing.
    pub outlived_by: Duration,
}

/// A login to enter into the user's index.
#[derive(Debug, Clone)]
pub struct NewLogin {
    /// Who logs in; the session must lie in this user's bucket.
    pub user: User,
    /// What the application calls the device; an empty label is none.
    pub device: Option<Arc<str>>,
    /// How many sessions the user may have.
    pub limit: Option<Limit>,
    /// The session that this one replaces. If it is one of the same user's, it doesn't count for
    /// the limit and is retired in the same step.
    pub replaces: Option<Replaced>,
}

/// A session to be replaced, as it was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// Whose record it is.
    pub digest: Digest,
    /// Its revision.
    pub revision: u64,
}

/// How many sessions a user may have at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// At most this many; at least 1.
    pub max: u32,
    /// What a login beyond it does.
    pub at_limit: OnLimit,
}

/// What a login does that would exceed the user's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnLimit {
    /// Ends the sessions that logged in longest ago.
    #[default]
    EvictOldest,
    /// Is refused with [`ErrorKind::LimitReached`](crate::ErrorKind::LimitReached).
    Refuse,
}

/// How [`SessionStore::create`] went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It exists now.
    Done {
        /// The store's time.
        at: OffsetDateTime,
        /// How many sessions of the user were ended to make room.
        evicted: u64,
        /// What the replaced session held when it was retired in the same step, if its revision
        /// was no longer the one that was known.
        late: Option<Arc<Record>>,
    },
    /// That id exists already; nothing was written.
    Collision,
    /// The user's limit is reached; nothing was written.
    LimitReached,
}

/// How [`SessionStore::commit`] went. `Debug` shows sizes, never a value.
#[derive(Clone, PartialEq, Eq)]
pub enum Committed {
    /// Written.
    Done {
        /// The record's revision now.
        revision: u64,
    },
    /// An expected value was no longer so; nothing was written.
    Conflict {
        /// The record's revision now.
        revision: u64,
        /// What the expected attributes hold now, in the order of
        /// [`Change::expected`].
        current: Vec<Option<bytes::Bytes>>,
    },
    /// The attributes would exceed the cap; nothing was written.
    TooLarge {
        /// Bytes that they would have had.
        size: u64,
    },
    /// The id was replaced by a newer one; nothing was written.
    Superseded,
    /// The session has ended; nothing was written.
    Gone,
}

impl fmt::Debug for Committed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done { revision } => f.debug_struct("Done").field("revision", revision).finish(),
            Self::Conflict { revision, current } => {
                let sizes = current
                    .iter()
                    .map(|value| value.as_ref().map(bytes::Bytes::len));
                let mut conflict = f.debug_struct("Conflict");
                conflict.field("revision", revision);
                conflict
                    .field("current_sizes", &sizes.collect::<Vec<_>>())
                    .finish()
            }
            Self::TooLarge { size } => f.debug_struct("TooLarge").field("size", size).finish(),
            Self::Superseded => f.write_str("Superseded"),
            Self::Gone => f.write_str("Gone"),
        }
    }
}

/// How [`SessionStore::retire`] went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retired {
    /// The id is retired; its session was as known.
    Done,
    /// The id is retired; its session had been written meanwhile, and this is what it held.
    Late(Arc<Record>),
    /// The id is retired; it led nowhere, or was superseded or ended before.
    Already,
}

/// How [`SessionStore::rotate`] went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    /// The record lies under its new id.
    Done {
        /// Its revision now.
        revision: u64,
    },
    /// The new id exists already; nothing was done.
    Collision,
    /// Another rotation or login was first; nothing was done.
    Superseded,
    /// The session has ended; nothing was done.
    Gone,
}

/// How [`SessionStore::end`] went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It has ended now.
    Done,
    /// Its client ended it a moment ago.
    Already,
    /// The id was replaced by a newer one: that session lives on.
    Superseded,
    /// There was no such session.
    Absent,
}

/// One of a user's sessions in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its public name.
    pub handle: Handle,
    /// What the application called the device.
    pub device: Option<Arc<str>>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When the user proved who they are.
    pub authenticated_at: OffsetDateTime,
    /// When it was last used, to within a touch interval.
    pub last_seen: OffsetDateTime,
    /// The user asked to be remembered on it.
    pub remembered: bool,
}

/// Which of a user's sessions to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The one of this name.
    One(Handle),
    /// All but the one of this name, which stays the same when its id is rotated meanwhile.
    Others(Handle),
    /// All.
    All,
}

/// Whether a store can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It answered last time.
    Up,
    /// It did not, or refused what it was asked a moment ago; it is being tried again.
    Down,
}

impl<S: SessionStore + ?Sized> SessionStore for Arc<S> {
    fn buckets(&self) -> &Buckets {
        (**self).buckets()
    }

    fn user(&self, id: &str) -> Result<User> {
        (**self).user(id)
    }

    fn load(&self, at: Address, need: Freshness) -> BoxFuture<'_, Result<Loaded>> {
        (**self).load(at, need)
    }

    fn create<'a>(&'a self, new: &'a NewSession) -> BoxFuture<'a, Result<Created>> {
        (**self).create(new)
    }

    fn commit<'a>(
        &'a self,
        at: Address,
        change: &'a Change,
        max_size: usize,
    ) -> BoxFuture<'a, Result<Committed>> {
        (**self).commit(at, change, max_size)
    }

    fn retire(&self, at: Address, revision: u64) -> BoxFuture<'_, Result<Retired>> {
        (**self).retire(at, revision)
    }

    fn rotate(&self, at: Address, to: Digest) -> BoxFuture<'_, Result<Rotated>> {
        (**self).rotate(at, to)
    }

    fn end(&self, at: Address) -> BoxFuture<'_, Result<Ended>> {
        (**self).end(at)
    }

    fn touch<'a>(&'a self, touches: &'a [Touch]) -> BoxFuture<'a, Result<()>> {
        (**self).touch(touches)
    }

    fn list<'a>(&'a self, user: &'a User) -> BoxFuture<'a, Result<Vec<Listed>>> {
        (**self).list(user)
    }

    fn revoke<'a>(&'a self, user: &'a User, which: Which) -> BoxFuture<'a, Result<u64>> {
        (**self).revoke(user, which)
    }

    fn revoke_everyone(&self) -> BoxFuture<'_, Result<()>> {
        (**self).revoke_everyone()
    }

    fn health(&self) -> Health {
        (**self).health()
    }

    fn channel(&self) -> Option<Arc<Channel>> {
        (**self).channel()
    }
}
