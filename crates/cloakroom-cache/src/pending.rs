//! Invalidations that the store could not be told, and is told again until it has been.

use cloakroom_core::{Address, CacheStore, LoadLease, Result};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
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
    all: Mutex<All>,
}

/// Each with the number of its last addition: what is added anew while it is being said is said again.
#[derive(Debug, Default)]
struct All {
    news: HashMap<News, u64>,
    added: u64,
}

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum News {
    Entry(Address),
    Tag(Address),
    /// Whoever set this mark has made the change, or never will.
    Mark(Address, LoadLease),
}

impl News {
    fn at(self) -> Address {
        match self {
            Self::Entry(at) | Self::Tag(at) | Self::Mark(at, _) => at,
        }
    }
}

impl Pending {
    pub(crate) fn new(store: &Arc<dyn CacheStore>) -> Self {
        Self(Arc::new(Told {
            store: Arc::clone(store),
            any: AtomicBool::new(false),
            all: Mutex::default(),
        }))
    }

    /// Remembers it, and sees to it that it is said.
    pub(crate) fn add(&self, news: News) {
        let mut all = self.0.all();
        if all.news.len() < MOST || all.news.contains_key(&news) {
            all.added += 1;
            let number = all.added;
            all.news.insert(news, number);
        }
        if !self.0.any.swap(true, Relaxed) {
            tokio::spawn(say(Arc::downgrade(&self.0)));
        }
    }

    /// Says it now, if it is yet to be said: before this process reads what it knows to be stale.
    pub(crate) async fn settle(&self, news: News) -> Result<()> {
        if !self.0.any.load(Relaxed) {
            return Ok(());
        }
        let number = self.0.all().news.get(&news).copied();
        match number {
            Some(number) => self.0.tell(news, number).await,
            None => Ok(()),
        }
    }
}

impl Told {
    async fn tell(&self, news: News, number: u64) -> Result<()> {
        match news {
            News::Entry(at) => self.store.invalidate(at).await?,
            News::Tag(at) => self.store.change_tag(at).await?,
            News::Mark(at, mark) => self.store.unmark(at, mark).await?,
        }
        let mut all = self.all();
        if all.news.get(&news) == Some(&number) {
            all.news.remove(&news);
        }
        Ok(())
    }

    fn all(&self) -> MutexGuard<'_, All> {
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
        let all: Vec<_> = told.all().news.iter().map(|(n, at)| (*n, *at)).collect();
        // A server that is away is asked once, and keeps nobody from telling the others.
        let mut away = HashSet::new();
        for (news, number) in all {
            let bucket = news.at().bucket;
            if !away.contains(&bucket) && told.tell(news, number).await.is_err() {
                away.insert(bucket);
            }
        }
        let rest = told.all();
        if rest.news.is_empty() {
            // Under the lock: what is added from now on begins another task.
            told.any.store(false, Relaxed);
            tracing::info!("the cache's store was told what it had not been reached for");
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
