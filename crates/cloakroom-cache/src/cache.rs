//! What an application holds.

use crate::{
    CacheKey, CacheStats, Error, Load, Result, Tag, WriteError,
    copy::Age,
    inner::{Inner, Seen},
    pending::News,
    stats::count,
    trip::Loader,
};
use cloakroom_core::{Address, Fetch, Fetched, LoadLease, OsEntropy, Put, Want};
use std::{borrow::Borrow, fmt, future::Future, marker::PhantomData, sync::Arc};
use time::Duration;

/// How much longer than a loader a change may take before values are kept again.
const MARK_SLACK: Duration = Duration::seconds(5);

/// A cache of values `V`, found by keys `K`: near in this process, and in the store for all.
///
/// Cheap to clone; clones are the same cache. Made by [`Cache::builder`].
///
/// ```
/// use cloakroom_cache::{Cache, Load};
/// use cloakroom_core::MemoryStore;
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Arc::new(MemoryStore::new());
/// let names: Cache<u32, String> = Cache::builder("names", store).build()?;
///
/// let load = || async { Ok::<_, std::io::Error>("Ada".to_owned()) };
/// assert_eq!(*names.get_or_load(&7, load).await?, "Ada");
/// assert_eq!(names.get(&7).await?.as_deref(), Some(&"Ada".to_owned()));
///
/// names.invalidate(&7).await?;
/// assert_eq!(names.get(&7).await?, None);
/// # Ok(()) }
/// ```
///
/// # Consistency
///
/// A read shows everything that was invalidated, or inserted, before it began on this process, and
/// longer than [`max_staleness`](crate::CacheBuilder::max_staleness) before on any other; usually
/// within milliseconds. A value that was loaded before an invalidation is never kept after it,
/// whichever instance loaded it, and whatever is lost on the way. What changes the database without
/// an invalidation is seen when the value's fresh time is over.
pub struct Cache<K: ?Sized, V> {
    inner: Arc<Inner<V>>,
    key: PhantomData<fn(&K)>,
}

impl<K: CacheKey + ?Sized, V: Send + Sync + 'static> Cache<K, V> {
    pub(crate) fn of(inner: Arc<Inner<V>>) -> Self {
        let key = PhantomData;
        Self { inner, key }
    }

    pub(crate) fn inner(&self) -> &Arc<Inner<V>> {
        &self.inner
    }

    pub(crate) fn place(&self, key: &(impl CacheKey + ?Sized)) -> Address {
        self.inner.store.place(self.inner.namespace.digest(key))
    }

    /// The value of a key: a near copy, the store's, or the loader's, which then runs once for all who
    /// wait in all instances.
    ///
    /// No round trip with a near copy, one with a value in the store, two around a load. The loader
    /// runs in a task of its own, with [a limit](crate::CacheBuilder::load_timeout).
    ///
    /// # Errors
    ///
    /// - [`Load`](crate::ErrorKind::Load), [`Panicked`](crate::ErrorKind::Panicked),
    ///   [`TimedOut`](crate::ErrorKind::TimedOut): the loader did. All who wait in this process get the
    ///   same error, whatever loaders they came with; it is not kept.
    /// - [`Absent`](crate::ErrorKind::Absent): the loader answered `None`, now or a moment ago.
    /// - [`Unavailable`](crate::ErrorKind::Unavailable): the store can't be reached, and the cache was
    ///   told to [fail](crate::OnUnavailable::Fail) then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the load to the others who wait for it, and to the cache.
    pub async fn get_or_load<Q, F, Fut, L, E>(&self, key: &Q, loader: F) -> Result<Arc<V>>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Load<V>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let found = self.find_or_load(key, loader).await?;
        found.ok_or_else(Error::absent)
    }

    /// The same where what the key names may not exist: `None` then.
    ///
    /// # Errors
    ///
    /// As [`get_or_load`](Self::get_or_load), without `Absent`.
    ///
    /// # Cancel safety
    ///
    /// As [`get_or_load`](Self::get_or_load).
    pub async fn find_or_load<Q, F, Fut, L, E>(&self, key: &Q, loader: F) -> Result<Option<Arc<V>>>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Load<V>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (at, inner) = (self.place(key), &self.inner);
        match inner.look(at) {
            Seen::Fresh(value) => {
                count(&inner.counters.near_hits);
                Ok(value)
            }
            seen => inner.obtain_after(at, seen, || boxed(loader)).await,
        }
    }

    /// Loads the value of a key though there may be one, which stays until the new one is there.
    #[cfg(feature = "http")]
    pub(crate) async fn reload<Q, F, Fut, L, E>(&self, key: &Q, loader: F) -> Result<Option<Arc<V>>>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Load<V>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let at = self.place(key);
        self.inner.reload(at, || boxed(loader)).await
    }

    /// The value of a key, if it is there and fresh; loads nothing. At most one round trip, and one
    /// more for tags.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::ErrorKind::Unavailable) if the store must be asked and can't be.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up.
    pub async fn get<Q>(&self, key: &Q) -> Result<Option<Arc<V>>>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        let (at, inner) = (self.place(key), &self.inner);
        if let Some(kept) = inner.near.find(at, inner.need())
            && matches!(kept.value.age(inner.near.since(kept.read)), Age::Fresh(_))
            && inner.tags.hold(&kept.value).await?
        {
            count(&inner.counters.near_hits);
            return Ok(kept.value.value.clone());
        }
        inner.pending.settle(News::Entry(at)).await?;
        let fill = inner.near.fill(at);
        let fetch = Fetch {
            slot: inner.slot(at),
            want: Want::Look,
            lease: LoadLease::generate(&OsEntropy)?,
            lasts: Duration::ZERO,
        };
        let Fetched::Fresh(stored) = inner.store.fetch(&fetch).await? else {
            return Ok(None);
        };
        let Some(copy) = inner.copy_of(at, &stored) else {
            return Ok(None);
        };
        if !inner.tags.hold(&copy).await? {
            return Ok(None);
        }
        count(&inner.counters.store_hits);
        let read = fill.read();
        Ok(fill.keep(Arc::new(copy), read).value.value.clone())
    }

    /// Puts a value in place, whatever is there. A load under way is not kept. One round trip, and one
    /// more for tags.
    ///
    /// Not kept, but no error, while a [`write`](Self::write) of the key is under way, and if the
    /// value is too large.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::ErrorKind::Unavailable): it may be in place or not. Then the entry is
    /// invalidated as soon as the store can be reached.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves it open whether it is in place.
    pub async fn insert<Q>(&self, key: &Q, value: impl Into<Load<V>>) -> Result<()>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        let (at, load) = (self.place(key), value.into());
        let inner = &self.inner;
        let tags = inner.tags.now(&load.tags).await?;
        let times = inner.times(&load);
        let (mut copy, stored) = inner.made(at, load.value, Duration::ZERO, tags, times)?;
        let too_large = stored.bytes.len() > inner.policy.max_size;
        if too_large || !load.keep {
            if too_large {
                count(&inner.counters.too_large);
            }
            return inner.invalidate(at).await;
        }
        inner.failures.forget(at);
        let write = inner.near.write(at);
        let fill = inner.near.fill(at);
        inner.flights.close(at);
        let read = fill.read();
        let put = inner.store.insert(inner.slot(at), &stored).await;
        if put.is_err() {
            // First of all: who begins to read from here on says it before.
            inner.pending.add(News::Entry(at));
        }
        // Loads that began in the meantime, too.
        inner.flights.close(at);
        match put {
            Ok(Put::Done { revision }) => {
                write.found(Some(revision));
                // Other caches of this process know it as soon as this one does.
                inner.store.news().deliver(at, Some(revision));
                copy.revision = revision;
                fill.keep(Arc::new(copy), read);
                Ok(())
            }
            Ok(Put::Refused) => {
                write.found(None);
                count(&inner.counters.refused);
                Ok(())
            }
            Err(error) => {
                write.found(None);
                count(&inner.counters.store_errors);
                Err(error.into())
            }
        }
    }

    /// Says that a key's value is wrong: after the database has changed. One round trip.
    ///
    /// When it has returned, no load that began before is kept anywhere, and no instance serves the old
    /// value for longer than [`max_staleness`](crate::CacheBuilder::max_staleness); usually for
    /// milliseconds.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::ErrorKind::Unavailable): other instances may serve the old value until
    /// the store was told. It is told again and again, for as long as the cache lives.
    ///
    /// # Cancel safety
    ///
    /// Once begun it goes on, also if the future is dropped: a handler whose client goes away after the
    /// database has changed leaves no old value behind.
    pub async fn invalidate<Q>(&self, key: &Q) -> Result<()>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        self.inner.invalidate(self.place(key)).await
    }

    /// Says that all values that bear a tag are wrong, in whatever cache of the store they are. One
    /// round trip, whatever their number.
    ///
    /// # Errors
    ///
    /// As [`invalidate`](Self::invalidate).
    ///
    /// # Cancel safety
    ///
    /// As [`invalidate`](Self::invalidate).
    pub async fn invalidate_tag(&self, tag: impl Into<Tag>) -> Result<()> {
        let at = self.inner.store.place(tag.into().0);
        self.inner.invalidate_tag(at).await
    }

    /// Changes what a key's value is loaded from: marks the entry, so that nobody keeps a value
    /// meanwhile, makes the change, and invalidates. Two round trips around it.
    ///
    /// Unlike a change that is followed by [`invalidate`](Self::invalidate), it leaves no old value
    /// behind if this process dies in between. A mark stands a little longer than
    /// [`load_timeout`](crate::CacheBuilder::load_timeout), which the change should not exceed.
    ///
    /// # Errors
    ///
    /// [`WriteError::Cache`] if the entry could not be marked, and nothing was changed;
    /// [`WriteError::Change`] with the change's own error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the change wherever it is. The mark stands until it ends by itself, as
    /// nobody knows whether the database has changed.
    pub async fn write<Q, F, Fut, T, E>(&self, key: &Q, change: F) -> Result<T, WriteError<E>>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let (at, inner) = (self.place(key), &self.inner);
        let mark = LoadLease::generate(&OsEntropy).map_err(|e| WriteError::Cache(e.into()))?;
        let lasts = inner.policy.load_timeout.saturating_add(MARK_SLACK);
        let lift = News::Mark(at, mark);
        let marking = inner.dropping(at, lift, inner.store.mark(at, mark, lasts));
        marking.await.map_err(WriteError::Cache)?;
        let changed = change().await;
        count(&inner.counters.invalidations);
        // Whoever goes away now leaves the rest to a task.
        let inner = Arc::clone(inner);
        let lifted = tokio::spawn(async move {
            // If it can't be lifted now, it keeps values out until it is, or ends by itself.
            let lifted = inner.dropping(at, lift, inner.store.unmark(at, mark));
            let _ = lifted.await;
        });
        let _ = lifted.await;
        changed.map_err(WriteError::Change)
    }

    /// What this process has done with it.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.inner.counters.snapshot()
    }

    /// What the near copies have done, and what they hold.
    #[must_use]
    pub fn near_stats(&self) -> cloakroom_near::NearStats {
        self.inner.near.stats()
    }

    /// What it was named when it was built.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }
}

/// A loader as one future, which begins with the call itself: a panic before its first await is caught
/// like any other.
pub(crate) fn boxed<V, F, Fut, L, E>(loader: F) -> Loader<V>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<L, E>> + Send + 'static,
    L: Into<Load<V>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    Box::pin(async move {
        let loaded = loader().await;
        loaded.map(Into::into).map_err(Error::of_loader)
    })
}

impl<K: ?Sized, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            key: PhantomData,
        }
    }
}

impl<K: ?Sized, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}
