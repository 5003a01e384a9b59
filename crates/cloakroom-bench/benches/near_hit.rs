//! What a near hit costs, beside bare caches of one process. See the library of this crate.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use cloakroom_bench::{Contestant, KEYS, compare, runtime};
use cloakroom_cache::{Cache, CacheKey, Load};
use cloakroom_core::MemoryStore;
use std::{hash::Hash, io::Error, sync::Arc};
use tokio::runtime::Runtime;

/// What is kept: about the size of a product.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Value {
    number: u64,
    text: String,
}

trait Key: CacheKey + Hash + Eq + Clone + Send + Sync + 'static {}
impl<K: CacheKey + Hash + Eq + Clone + Send + Sync + 'static> Key for K {}

fn value(number: usize) -> Arc<Value> {
    let (number, text) = (number as u64, "x".repeat(100));
    Arc::new(Value { number, text })
}

struct Ours<K> {
    name: &'static str,
    keys: Vec<K>,
    cache: Cache<K, Value>,
}

impl<K: Key> Ours<K> {
    fn new(name: &'static str, keys: &[K], tag: Option<&'static str>) -> Self {
        let keys = keys.to_vec();
        let cache: Cache<K, Value> = runtime().block_on(async {
            let cache = Cache::builder(name, Arc::new(MemoryStore::new()));
            let cache = cache.fresh_for(time::Duration::HOUR).build().unwrap();
            for (number, key) in keys.iter().enumerate() {
                let load = move || async move {
                    let load = Load::new((*value(number)).clone());
                    Ok::<_, Error>(match tag {
                        Some(tag) => load.tag(tag),
                        None => load,
                    })
                };
                cache.get_or_load(key, load).await.unwrap();
            }
            cache
        });
        Self { name, keys, cache }
    }
}

impl<K: Key> Contestant for Ours<K> {
    fn name(&self) -> &str {
        self.name
    }

    fn read(&self, runtime: &Runtime, order: &[usize]) -> u64 {
        runtime.block_on(async {
            let mut sum = 0;
            for number in order {
                let missing = || async { Err::<Value, _>(Error::other("not there")) };
                let value = self.cache.get_or_load(&self.keys[*number], missing).await;
                sum += value.unwrap().number;
            }
            sum
        })
    }
}

struct Moka<K>(Vec<K>, moka::future::Cache<K, Arc<Value>>);

impl<K: Key> Moka<K> {
    fn new(keys: &[K]) -> Self {
        let cache = moka::future::Cache::new(2 * KEYS as u64);
        runtime().block_on(async {
            for (number, key) in keys.iter().enumerate() {
                cache.insert(key.clone(), value(number)).await;
            }
            cache.run_pending_tasks().await;
        });
        Self(keys.to_vec(), cache)
    }
}

impl<K: Key> Contestant for Moka<K> {
    fn name(&self) -> &str {
        "moka, get"
    }

    fn read(&self, runtime: &Runtime, order: &[usize]) -> u64 {
        runtime.block_on(async {
            let mut sum = 0;
            for number in order {
                sum += self.1.get(&self.0[*number]).await.unwrap().number;
            }
            sum
        })
    }
}

struct Quick<K>(Vec<K>, quick_cache::sync::Cache<K, Arc<Value>>);

impl<K: Key> Quick<K> {
    fn new(keys: &[K]) -> Self {
        let cache = quick_cache::sync::Cache::new(2 * KEYS);
        for (number, key) in keys.iter().enumerate() {
            cache.insert(key.clone(), value(number));
        }
        Self(keys.to_vec(), cache)
    }
}

impl<K: Key> Contestant for Quick<K> {
    fn name(&self) -> &str {
        "quick_cache, get"
    }

    fn read(&self, runtime: &Runtime, order: &[usize]) -> u64 {
        runtime.block_on(async {
            let get = |number: &usize| self.1.get(&self.0[*number]).unwrap().number;
            order.iter().map(get).sum()
        })
    }
}

struct Foyer<K: Key>(Vec<K>, foyer_memory::Cache<K, Arc<Value>>);

impl<K: Key> Foyer<K> {
    fn new(keys: &[K]) -> Self {
        let cache = foyer_memory::CacheBuilder::new(2 * KEYS).build();
        for (number, key) in keys.iter().enumerate() {
            cache.insert(key.clone(), value(number));
        }
        Self(keys.to_vec(), cache)
    }
}

impl<K: Key> Contestant for Foyer<K> {
    fn name(&self) -> &str {
        "foyer, get"
    }

    fn read(&self, runtime: &Runtime, order: &[usize]) -> u64 {
        runtime.block_on(async {
            let get = |number: &usize| self.1.get(&self.0[*number]).unwrap().number;
            order.iter().map(get).sum()
        })
    }
}

fn all<K: Key>(what: &str, keys: &[K]) {
    let (quick, moka, foyer) = (Quick::new(keys), Moka::new(keys), Foyer::new(keys));
    let ours = Ours::new("cloakroom, get_or_load", keys, None);
    let tagged = Ours::new("cloakroom, get_or_load, one tag", keys, Some("all"));
    let contestants: [&dyn Contestant; 5] = [&quick, &foyer, &moka, &ours, &tagged];
    // Those whose names hold a word that is asked for, or all.
    let word = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let word = word.unwrap_or_default();
    let contestants: Vec<_> = contestants
        .into_iter()
        .filter(|contestant| contestant.name().contains(&word))
        .collect();
    for threads in [1, 2] {
        let title = format!("{what}, {threads} thread(s): a read, and its ratio");
        print!("{}", compare(&title, threads, &contestants));
    }
}

fn main() {
    let texts: Vec<String> = (0..KEYS).map(|n| format!("product:{n}")).collect();
    let numbers: Vec<u64> = (0..KEYS as u64).collect();
    all("text keys", &texts);
    all("number keys", &numbers);
}
