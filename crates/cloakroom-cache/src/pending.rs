//! Invalidations that the store could not be told, and is told again until it has been.

use cloakroom_core::{Address, CacheStore, Result};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::sleep;

const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// More are not remembered: their callers were told that they failed.
const MOST: usize = 100_000;

/// What is yet to be said. Each thing once, however often it was tried.
#[derive(Debug, Clone)]
pub(crate) struct Pending(Arc<Told>);

#[derive(Debug)]
struct Told {
    store: Arc<dyn CacheStore>,
    /// Read first: mostly there is nothing.
    any: AtomicBool,
    /// Each with a number: what is added again while it is being said is another.
    all: Mutex<HashMap<News, u64>>,
    added: AtomicU64,
}

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum News {
    Entry(Address),
    Tag(Address),
}

impl Pending {
    pub(crate) fn new(store: &Arc<dyn CacheStore>) -> Self {
        Self(Arc::new(Told {
            store: Arc::clone(store),
            any: AtomicBool::new(false),
            all: Mutex::default(),
            added: AtomicU64::new(0),
        }))
    }

    /// Remembers it, and sees to it that it is said.
    pub(crate) fn add(&self, news: News) {
        let mut all = self.0.all();
        if all.len() < MOST || all.contains_key(&news) {
            all.insert(news, self.0.added.fetch_add(1, Relaxed));
        }
        if !self.0.any.swap(true, Relaxed) {
            tokio::spawn(say(Arc::downgrade(&self.0)));
        }
    }

    /// Says it now, if it is yet to be said: before this process reads what it knows to be stale.
    pub(crate) async fn settle(&self, news: News) -> Result<()> {
        if !self.0.any.load(Relaxed) || !self.0.all().contains_key(&news) {
            return Ok(());
        }
        self.0.tell(news).await
    }
}

impl Told {
    async fn tell(&self, news: News) -> Result<()> {
        let Some(number) = self.all().get(&news).copied() else {
            return Ok(());
        };
        match news {
            News::Entry(at) => self.store.invalidate(at).await?,
            News::Tag(at) => self.store.change_tag(at).await?,
        }
        let mut all = self.all();
        if all.get(&news) == Some(&number) {
            all.remove(&news);
        }
        Ok(())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<News, u64>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says all, with growing pauses between attempts, for as long as the cache lives.
async fn say(told: Weak<Told>) {
    let mut pause = SHORTEST_PAUSE;
    loop {
        sleep(pause).await;
        let Some(told) = told.upgrade() else {
            return;
        };
        let all: Vec<_> = told.all().keys().copied().collect();
        for news in all {
            if told.tell(news).await.is_err() {
                break;
            }
        }
        let rest = told.all();
        if rest.is_empty() {
            // Under the lock: what is added from now on begins another task.
            told.any.store(false, Relaxed);
            tracing::info!("the cache's store was told what it had not been reached for");
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
