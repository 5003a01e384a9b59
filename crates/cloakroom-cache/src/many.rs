//! Many keys at once, and one call of the loader for all that must be loaded.

use crate::{
    Cache, CacheKey, Error, Load, Result,
    flights::{Progress, Ticket},
    trip::{Loader, Trip},
};
use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{Notify, oneshot};

type Loads<K, V> = Pin<Box<dyn Future<Output = Result<HashMap<K, Load<V>>>> + Send>>;

/// Where a key's load goes.
type Answer<V> = oneshot::Sender<Result<Load<V>>>;

/// Keys that wait for the call.
type Gathered<K, V> = Vec<(K, Answer<V>)>;

/// The keys that must be loaded, gathered until all have been asked for.
struct Batch<K, V> {
    loader: Box<dyn Fn(Vec<K>) -> Loads<K, V> + Send + Sync>,
    /// `None` when the call has been made: who comes later is loaded alone.
    gathered: Mutex<Option<Gathered<K, V>>>,
    came: Notify,
}

/// More than long enough for tasks that have been begun to run.
const GATHERING: std::time::Duration = std::time::Duration::from_secs(1);

impl<K, V> Cache<K, V>
where
    K: CacheKey + Clone + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// The values of several keys, in their order; `None` where what a key names does not exist.
    ///
    /// The loader is called once with all keys that neither this process nor the store has a value of
    /// and that nobody else loads. A key that is missing from its answer does not exist. It is called
    /// again, with one key, for each that another instance was loading and gave up.
    ///
    /// All keys are asked for side by side: one round trip, in time. In all else as
    /// [`get_or_load`](Self::get_or_load).
    ///
    /// # Errors
    ///
    /// As [`get_or_load`](Self::get_or_load), without `Absent`; the first of any key.
    ///
    /// # Cancel safety
    ///
    /// As [`get_or_load`](Self::get_or_load).
    ///
    /// # Example
    ///
    /// ```
    /// # use cloakroom_cache::Cache;
    /// # use std::{collections::HashMap, sync::Arc};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = Arc::new(cloakroom_core::MemoryStore::new());
    /// let squares: Cache<u32, u32> = Cache::builder("squares", store).build()?;
    /// squares.insert(&2, 4).await?;
    /// let load = |keys: Vec<u32>| async move {
    ///     assert_eq!(keys, [3, 5]);
    ///     Ok::<_, std::io::Error>(HashMap::from([(3, 9)]))
    /// };
    /// let found = squares.get_many_or_load([2, 3, 5], load).await?;
    /// let found: Vec<_> = found.iter().map(|value| value.as_deref().copied()).collect();
    /// assert_eq!(found, [Some(4), Some(9), None]);
    /// # Ok(()) }
    /// ```
    pub async fn get_many_or_load<F, Fut, L, E>(
        &self,
        keys: impl IntoIterator<Item = K>,
        loader: F,
    ) -> Result<Vec<Option<Arc<V>>>>
    where
        F: Fn(Vec<K>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<HashMap<K, L>, E>> + Send + 'static,
        L: Into<Load<V>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let keys: Vec<K> = keys.into_iter().collect();
        let batch = Batch::new(loader);
        let mut own = HashMap::new();
        for (place, key) in keys.iter().enumerate() {
            let (at, inner) = (self.place(key), self.inner());
            if !inner.answers(at)
                && let (ticket, Some(flight)) = inner.flights.join_or_begin(at)
            {
                Trip::new(inner, at, flight).start(batch.loader_of(key));
                own.insert(place, ticket);
            }
        }
        if !own.is_empty() {
            let tickets = own.values().cloned().collect();
            tokio::spawn(Arc::clone(&batch).call(tickets));
        }
        let each = keys.iter().enumerate().map(|(place, key)| {
            let (own, at) = (own.remove(&place), self.place(key));
            let load = {
                let batch = &batch;
                move || batch.loader_of(key)
            };
            self.inner().land_or_obtain(at, own, load)
        });
        let each: Vec<_> = each.collect();
        futures_util::future::try_join_all(each).await
    }
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static, V: Send + Sync + 'static> Batch<K, V> {
    fn new<F, Fut, L, E>(loader: F) -> Arc<Self>
    where
        F: Fn(Vec<K>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<HashMap<K, L>, E>> + Send + 'static,
        L: Into<Load<V>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let loads = move |keys: Vec<K>| -> Loads<K, V> {
            let loading = loader(keys);
            Box::pin(async move {
                let loaded = loading.await.map_err(Error::of_loader)?;
                Ok(loaded
                    .into_iter()
                    .map(|(k, load)| (k, load.into()))
                    .collect())
            })
        };
        Arc::new(Self {
            loader: Box::new(loads),
            gathered: Mutex::new(Some(Vec::new())),
            came: Notify::new(),
        })
    }

    /// The loader of one key, which waits for the call for all.
    fn loader_of(self: &Arc<Self>, key: &K) -> Loader<V> {
        let (batch, key) = (Arc::clone(self), key.clone());
        Box::pin(async move {
            match batch.gather(&key) {
                Some(answer) => answer
                    .await
                    .unwrap_or_else(|_| Err(Error::batch_panicked())),
                None => {
                    let mut loaded = (batch.loader)(vec![key.clone()]).await?;
                    Ok(loaded.remove(&key).unwrap_or_else(Load::absent))
                }
            }
        })
    }

    fn gather(&self, key: &K) -> Option<oneshot::Receiver<Result<Load<V>>>> {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let (sender, answer) = oneshot::channel();
        gathered.as_mut()?.push((key.clone(), sender));
        self.came.notify_one();
        Some(answer)
    }

    fn count(&self) -> usize {
        let gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        gathered.as_ref().map_or(0, Vec::len)
    }

    /// Waits until each key's fetch was answered, and calls the loader for those that wait for it.
    async fn call(self: Arc<Self>, mut own: Vec<Ticket<V>>) {
        let mut due = 0;
        for ticket in &mut own {
            let decided = ticket.wait_for(|p| !matches!(p, Progress::Asked)).await;
            let here = |p: &Progress<V>| matches!(p, Progress::Loading { here: true });
            due += usize::from(decided.is_ok_and(|progress| here(&progress)));
        }
        drop(own);
        // A flight says that it loads before its loader runs.
        let all_here = async {
            while self.count() < due {
                self.came.notified().await;
            }
        };
        let _ = tokio::time::timeout(GATHERING, all_here).await;
        let gathered = {
            let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
            gathered.take().unwrap_or_default()
        };
        if gathered.is_empty() {
            return;
        }
        let (keys, senders): (Vec<K>, Vec<_>) = gathered.into_iter().unzip();
        match (self.loader)(keys.clone()).await {
            Ok(mut loaded) => {
                for (key, sender) in keys.iter().zip(senders) {
                    let load = loaded.remove(key).unwrap_or_else(Load::absent);
                    let _ = sender.send(Ok(load));
                }
            }
            Err(error) => {
                for sender in senders {
                    let _ = sender.send(Err(error.clone()));
                }
            }
        }
    }
}
