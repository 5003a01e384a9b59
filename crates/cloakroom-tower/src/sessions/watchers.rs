//! Who waits for a session to end.

use cloakroom_core::{Address, Bucket, Listener};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// Those who wait, by session. Hears of ends through the store's channel.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<HashMap<Address, Vec<Arc<Notify>>>>);

/// One who waits; dropped, nobody tells it any more.
pub(crate) struct Watcher {
    watchers: Arc<Watchers>,
    at: Address,
    news: Arc<Notify>,
}

impl Watchers {
    /// Waits for news of a session from now on.
    pub(crate) fn watch(self: &Arc<Self>, at: Address) -> Watcher {
        let news = Arc::new(Notify::new());
        self.waiting()
            .entry(at)
            .or_default()
            .push(Arc::clone(&news));
        Watcher {
            watchers: Arc::clone(self),
            at,
            news,
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Address, Vec<Arc<Notify>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Watchers {
    fn stale(&self, at: Address, revision: Option<u64>) {
        if revision.is_none()
            && let Some(waiting) = self.waiting().get(&at)
        {
            waiting.iter().for_each(|news| news.notify_one());
        }
    }

    fn all_stale(&self, bucket: Bucket) {
        self.lost(bucket);
    }

    fn lost(&self, bucket: Bucket) {
        let waiting = self.waiting();
        let of_bucket = waiting.iter().filter(|(at, _)| at.bucket == bucket);
        of_bucket
            .flat_map(|(_, all)| all)
            .for_each(|news| news.notify_one());
    }
}

impl Watcher {
    /// Something may have happened to the session.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut waiting = self.watchers.waiting();
        if let Some(all) = waiting.get_mut(&self.at) {
            all.retain(|news| !Arc::ptr_eq(news, &self.news));
            if all.is_empty() {
                waiting.remove(&self.at);
            }
        }
    }
}
