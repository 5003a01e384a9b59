//! The contract that every store of cached values keeps.

use crate::{
    Address, BoxFuture, Bucket, Channel, Digest, Entropy, Health, Result, RevocationStore,
    SessionStore,
};
use bytes::Bytes;
use std::{fmt, sync::Arc};
use time::Duration;

/// Where cached values are kept: shared by all instances, each operation atomic by itself.
///
/// Implemented by [`MemoryStore`](crate::MemoryStore) and by `cloakroom-redis`. Values are bytes that
/// a store doesn't look into. Beside its value an entry has a *load lease*: who holds it loads the
/// value for everybody, and only who still holds it may put one in place. Whatever says that the
/// value is wrong takes the lease away too, so what was read before can't be kept after.
///
/// One entry may hold several *schemas* side by side, each with its own value and lease, for versions
/// of an application that can't read each other's values; what invalidates it, invalidates all.
///
/// # Consistency
///
/// All operations on one entry happen one after the other in the store. What invalidates an entry or
/// replaces its value is announced on the [`Channel`], in the step that does it.
///
/// # Cancel safety
///
/// Dropping a future abandons the answer, not the operation.
pub trait CacheStore: Send + Sync + fmt::Debug + 'static {
    /// Where the entry, or the tag, of a digest lies.
    fn place(&self, digest: Digest) -> Address;

    /// Where the store tells of entries and tags that have changed.
    fn news(&self) -> Arc<Channel>;

    /// Whether the store can be reached, as far as is known without asking it.
    fn reach(&self) -> Health;

    /// Reads an entry, and takes its load lease if that is wanted and nobody holds it. One round trip.
    fn fetch<'a>(&'a self, fetch: &'a Fetch) -> BoxFuture<'a, Result<Fetched>>;

    /// Keeps a load lease for `lasts` from now; says whether it still is this one's. One round trip.
    fn extend(&self, slot: Slot, lease: LoadLease, lasts: Duration) -> BoxFuture<'_, Result<bool>>;

    /// Gives a load lease back, and wakes who waits for it. One round trip.
    fn release(&self, slot: Slot, lease: LoadLease) -> BoxFuture<'_, Result<()>>;

    /// Puts a loaded value in place, gives the lease back, and wakes who waits for it. Refused if the
    /// lease is no longer this one. One round trip.
    fn put<'a>(
        &'a self,
        slot: Slot,
        lease: LoadLease,
        value: &'a NewValue,
    ) -> BoxFuture<'a, Result<Put>>;

    /// Puts a value in place whatever is there, takes the lease from whoever holds it, and drops what
    /// other schemas hold. Refused while a mark stands. One round trip.
    fn insert<'a>(&'a self, slot: Slot, value: &'a NewValue) -> BoxFuture<'a, Result<Put>>;

    /// Drops an entry's values and leases. One round trip.
    fn invalidate(&self, at: Address) -> BoxFuture<'_, Result<()>>;

    /// Drops an entry's values and leases, and keeps all others out for `lasts`, or until the mark is
    /// lifted: whoever changes what the entry is loaded from marks it before. One round trip.
    fn mark(&self, at: Address, mark: LoadLease, lasts: Duration) -> BoxFuture<'_, Result<()>>;

    /// Lifts a mark, and drops the entry's values and leases. One round trip.
    fn unmark(&self, at: Address, mark: LoadLease) -> BoxFuture<'_, Result<()>>;

    /// The version of a tag; one that has none gets one. One round trip.
    fn tag(&self, at: Address) -> BoxFuture<'_, Result<TagVersion>>;

    /// Gives a tag a version that it never had. One round trip.
    fn change_tag(&self, at: Address) -> BoxFuture<'_, Result<()>>;
}

/// A store of sessions, of cached values and of revocations: what `cloakroom::open` opens.
pub trait Store: SessionStore + CacheStore + RevocationStore {}

impl<S: SessionStore + CacheStore + RevocationStore> Store for S {}

/// An entry, as versions of an application with one schema see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Where the entry lies.
    pub at: Address,
    /// Which form its value has.
    pub schema: u32,
}

/// Names a holder of a load lease, or a mark. Nobody can guess another's.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LoadLease([u8; 16]);

impl LoadLease {
    /// A new one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`](crate::ErrorKind::Internal) if there is no randomness.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self> {
        let mut name = [0; 16];
        entropy.fill(&mut name)?;
        Ok(Self(name))
    }

    /// As it is stored: 32 hexadecimal characters.
    #[must_use]
    pub fn to_hex(self) -> String {
        Digest::from_bytes(self.0).to_hex()
    }
}

impl fmt::Debug for LoadLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoadLease(…)")
    }
}

/// What to read.
#[derive(Debug, Clone, Copy)]
pub struct Fetch {
    /// Of which entry.
    pub slot: Slot,
    /// What to take the lease for.
    pub want: Want,
    /// The lease to take.
    pub lease: LoadLease,
    /// How long it lasts unless it is kept.
    pub lasts: Duration,
}

/// Which load lease a reader wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// None.
    Look,
    /// If there is no fresh value.
    Missing,
    /// If there is no fresh value, or one of this revision: it is to be replaced.
    Replace(u64),
}

/// What [`CacheStore::fetch`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// A fresh value.
    Fresh(Stored),
    /// No fresh value, and no lease was wanted.
    Absent {
        /// What there is that may be used in need.
        stale: Option<Stored>,
    },
    /// The lease was taken: the caller loads.
    Leased {
        /// What there is that may be used in need, or is to be replaced.
        stale: Option<Stored>,
    },
    /// Somebody else loads.
    Held {
        /// What there is that may be used in need.
        stale: Option<Stored>,
        /// The lease ends then, unless its holder keeps it.
        left: Duration,
    },
    /// What the entry is loaded from is being changed: nothing can be kept at the moment.
    Marked,
}

/// A stored value.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    /// As it was put.
    pub bytes: Bytes,
    /// Its version: a later value of the same entry has a higher one.
    pub revision: u64,
    /// For so long it was fresh then; zero if it was stale.
    pub fresh_for: Duration,
    /// For so long it could be used in need, fresh or stale.
    pub usable_for: Duration,
}

/// `Debug` shows the value's size alone.
impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("bytes", &self.bytes.len())
            .field("revision", &self.revision)
            .field("fresh_for", &self.fresh_for)
            .field("usable_for", &self.usable_for)
            .finish()
    }
}

/// A value to put in place.
#[derive(Clone, PartialEq, Eq)]
pub struct NewValue {
    /// Not looked into.
    pub bytes: Bytes,
    /// For so long it is fresh.
    pub fresh_for: Duration,
    /// For so long it is kept, fresh or stale; at least `fresh_for`.
    pub usable_for: Duration,
}

/// `Debug` shows the value's size alone.
impl fmt::Debug for NewValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewValue")
            .field("bytes", &self.bytes.len())
            .field("fresh_for", &self.fresh_for)
            .field("usable_for", &self.usable_for)
            .finish()
    }
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is in place.
    Done {
        /// Its version.
        revision: u64,
    },
    /// It may be older than what says that it is wrong, and was not kept.
    Refused,
}

/// The version of a tag. No tag ever has the same one twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagVersion {
    /// Drawn at random.
    pub version: u64,
    /// Its bucket's messages numbered no more than this when it got it: if this process had heard
    /// [this many](crate::Lease::number) in the same term before, then the tag has not changed since.
    pub number: u64,
}

/// The bucket of a digest that was drawn evenly.
pub(crate) fn bucket_of(digest: Digest, buckets: &crate::Buckets) -> Bucket {
    let mut place = [0; 8];
    place.copy_from_slice(&digest.as_bytes()[8..]);
    buckets.of_hash(u64::from_be_bytes(place))
}

impl Address {
    /// Where something lies that is found by its digest alone.
    #[must_use]
    pub fn of_digest(digest: Digest, buckets: &crate::Buckets) -> Self {
        let bucket = bucket_of(digest, buckets);
        Self { bucket, digest }
    }
}

impl<S: CacheStore + ?Sized> CacheStore for Arc<S> {
    fn place(&self, digest: Digest) -> Address {
        (**self).place(digest)
    }

    fn news(&self) -> Arc<Channel> {
        (**self).news()
    }

    fn reach(&self) -> Health {
        (**self).reach()
    }

    fn fetch<'a>(&'a self, fetch: &'a Fetch) -> BoxFuture<'a, Result<Fetched>> {
        (**self).fetch(fetch)
    }

    fn extend(&self, slot: Slot, lease: LoadLease, lasts: Duration) -> BoxFuture<'_, Result<bool>> {
        (**self).extend(slot, lease, lasts)
    }

    fn release(&self, slot: Slot, lease: LoadLease) -> BoxFuture<'_, Result<()>> {
        (**self).release(slot, lease)
    }

    fn put<'a>(
        &'a self,
        slot: Slot,
        lease: LoadLease,
        value: &'a NewValue,
    ) -> BoxFuture<'a, Result<Put>> {
        (**self).put(slot, lease, value)
    }

    fn insert<'a>(&'a self, slot: Slot, value: &'a NewValue) -> BoxFuture<'a, Result<Put>> {
        (**self).insert(slot, value)
    }

    fn invalidate(&self, at: Address) -> BoxFuture<'_, Result<()>> {
        (**self).invalidate(at)
    }

    fn mark(&self, at: Address, mark: LoadLease, lasts: Duration) -> BoxFuture<'_, Result<()>> {
        (**self).mark(at, mark, lasts)
    }

    fn unmark(&self, at: Address, mark: LoadLease) -> BoxFuture<'_, Result<()>> {
        (**self).unmark(at, mark)
    }

    fn tag(&self, at: Address) -> BoxFuture<'_, Result<TagVersion>> {
        (**self).tag(at)
    }

    fn change_tag(&self, at: Address) -> BoxFuture<'_, Result<()>> {
        (**self).change_tag(at)
    }
}
