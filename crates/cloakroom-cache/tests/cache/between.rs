//! A real store with something between it and the cache.

use cloakroom_core::{
    Address, BoxFuture, CacheStore, Channel, Digest, Error, ErrorKind, Fetch, Fetched, Health,
    LoadLease, NewValue, Put, Result, Slot, TagVersion,
};
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};
use time::Duration;

/// What a store can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Fetch,
    Extend,
    Release,
    Put,
    Insert,
    Invalidate,
    Mark,
    Unmark,
    Tag,
    ChangeTag,
}

type Before = Box<dyn Fn(Call) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// Does something before each call, counts it, and passes it on.
pub(crate) struct Between {
    store: Arc<dyn CacheStore>,
    before: Before,
    calls: Mutex<HashMap<Call, usize>>,
    placed: Mutex<Vec<Digest>>,
}

impl Between {
    pub(crate) fn new<F>(
        store: Arc<dyn CacheStore>,
        before: impl Fn(Call) -> F + Send + Sync + 'static,
    ) -> Arc<Self>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        Arc::new(Self {
            store,
            before: Box::new(move |call| Box::pin(before(call))),
            calls: Mutex::default(),
            placed: Mutex::default(),
        })
    }

    /// A store that is asked in vain while the switch is on.
    pub(crate) fn switched(store: Arc<dyn CacheStore>) -> (Arc<Self>, Arc<AtomicBool>) {
        let down = Arc::new(AtomicBool::new(false));
        let off = Arc::clone(&down);
        let between = Self::new(store, move |_| {
            let answer = if off.load(SeqCst) { Err(out()) } else { Ok(()) };
            std::future::ready(answer)
        });
        (between, down)
    }

    /// How often it was asked this.
    pub(crate) fn count(&self, call: Call) -> usize {
        self.calls.lock().unwrap().get(&call).copied().unwrap_or(0)
    }

    /// Which entries and tags it was asked the places of, since the last time.
    pub(crate) fn placed(&self) -> Vec<Digest> {
        std::mem::take(&mut self.placed.lock().unwrap())
    }

    async fn pass(&self, call: Call) -> Result<()> {
        *self.calls.lock().unwrap().entry(call).or_default() += 1;
        (self.before)(call).await
    }
}

/// What a store says that can't be reached.
pub(crate) fn out() -> Error {
    Error::new(ErrorKind::Unavailable, "switched off")
}

impl fmt::Debug for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Between")
    }
}

macro_rules! passed {
    ($self:ident, $call:ident, $operation:expr) => {
        Box::pin(async move {
            $self.pass(Call::$call).await?;
            $operation.await
        })
    };
}

impl CacheStore for Between {
    fn place(&self, digest: Digest) -> Address {
        self.placed.lock().unwrap().push(digest);
        self.store.place(digest)
    }

    fn news(&self) -> Arc<Channel> {
        self.store.news()
    }

    fn reach(&self) -> Health {
        self.store.reach()
    }

    fn fetch<'a>(&'a self, fetch: &'a Fetch) -> BoxFuture<'a, Result<Fetched>> {
        passed!(self, Fetch, self.store.fetch(fetch))
    }

    fn extend(&self, slot: Slot, lease: LoadLease, lasts: Duration) -> BoxFuture<'_, Result<bool>> {
        passed!(self, Extend, self.store.extend(slot, lease, lasts))
    }

    fn release(&self, slot: Slot, lease: LoadLease) -> BoxFuture<'_, Result<()>> {
        passed!(self, Release, self.store.release(slot, lease))
    }

    fn put<'a>(
        &'a self,
        slot: Slot,
        lease: LoadLease,
        value: &'a NewValue,
    ) -> BoxFuture<'a, Result<Put>> {
        passed!(self, Put, self.store.put(slot, lease, value))
    }

    fn insert<'a>(&'a self, slot: Slot, value: &'a NewValue) -> BoxFuture<'a, Result<Put>> {
        passed!(self, Insert, self.store.insert(slot, value))
    }

    fn invalidate(&self, at: Address) -> BoxFuture<'_, Result<()>> {
        passed!(self, Invalidate, self.store.invalidate(at))
    }

    fn mark(&self, at: Address, mark: LoadLease, lasts: Duration) -> BoxFuture<'_, Result<()>> {
        passed!(self, Mark, self.store.mark(at, mark, lasts))
    }

    fn unmark(&self, at: Address, mark: LoadLease) -> BoxFuture<'_, Result<()>> {
        passed!(self, Unmark, self.store.unmark(at, mark))
    }

    fn tag(&self, at: Address) -> BoxFuture<'_, Result<TagVersion>> {
        passed!(self, Tag, self.store.tag(at))
    }

    fn change_tag(&self, at: Address) -> BoxFuture<'_, Result<()>> {
        passed!(self, ChangeTag, self.store.change_tag(at))
    }
}
