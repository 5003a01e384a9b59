//! Versions of an application side by side, and what is stored that can't be read.

use crate::{
    between::{Between, Call},
    support::{Ground, builder, cache, never, value, within},
};
use cloakroom_cache::{Cache, Load};
use cloakroom_core::{CacheStore, MemoryStore, NewValue, Slot, Store};
use serde::{Deserialize, Serialize};
use std::{io::Error, sync::Arc};
use time::Duration;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Old {
    name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct New {
    first: String,
    last: String,
}

#[tokio::test]
async fn two_schemas_live_side_by_side_and_one_invalidation_drops_both() {
    let (_memory, memory) = Ground::memory();
    let (_redis, redis) = Ground::redis().await;
    for store in [memory, redis] {
        let old: Cache<u32, Old> = Cache::builder("people", Arc::clone(&store) as _)
            .build()
            .unwrap();
        let new: Cache<u32, New> = Cache::builder("people", Arc::clone(&store) as _)
            .schema(1)
            .build()
            .unwrap();
        let (name, first, last) = (
            "Ada Lovelace".to_owned(),
            "Ada".to_owned(),
            "Lovelace".to_owned(),
        );
        let (was, is) = (Old { name }, New { first, last });
        for round in 1..=3_u64 {
            for _ in 0..2 {
                let (was, is) = (was.clone(), is.clone());
                let found = old.get_or_load(&1, || async {
                    Ok::<_, Error>(Load::new(was).tag("people"))
                });
                assert_eq!(
                    *found.await.unwrap(),
                    Old {
                        name: "Ada Lovelace".to_owned()
                    }
                );
                let found =
                    new.get_or_load(&1, || async { Ok::<_, Error>(Load::new(is).tag("people")) });
                assert_eq!(found.await.unwrap().last, "Lovelace");
            }
            assert_eq!((old.stats().loads, new.stats().loads), (round, round));
            match round {
                1 => old.invalidate(&1).await.unwrap(),
                2 => new
                    .write(&1, || async { Ok::<_, Error>(()) })
                    .await
                    .unwrap(),
                _ => new.invalidate_tag("people").await.unwrap(),
            }
            assert_eq!(
                (old.get(&1).await.unwrap(), new.get(&1).await.unwrap()),
                (None, None)
            );
        }
        // What one inserts is news for the other.
        old.insert(&1, was.clone()).await.unwrap();
        assert_eq!(new.get(&1).await.unwrap(), None);
        let wrong =
            [old.stats(), new.stats()].map(|s| s.undecodable + s.store_errors + s.load_errors);
        assert_eq!(wrong, [0, 0]);
    }
}

/// Whoever forgot to raise the schema loads more, and shows nothing wrong.
#[tokio::test]
async fn a_form_that_can_not_be_read_is_loaded_anew() {
    let store: Arc<dyn CacheStore> = Arc::new(MemoryStore::new());
    let old: Cache<u32, Old> = Cache::builder("people", Arc::clone(&store))
        .build()
        .unwrap();
    let new: Cache<u32, New> = Cache::builder("people", store).build().unwrap();
    old.insert(
        &1,
        Old {
            name: "Ada".to_owned(),
        },
    )
    .await
    .unwrap();
    assert_eq!(new.get(&1).await.unwrap(), None);
    let load = || async {
        Ok::<_, Error>(New {
            first: "Ada".to_owned(),
            last: String::new(),
        })
    };
    within(new.get_or_load(&1, load)).await.unwrap();
    assert_eq!(new.stats().undecodable, 2);
    assert!(new.get(&1).await.unwrap().is_some());
}

#[tokio::test]
async fn a_damaged_entry_is_a_miss_and_is_replaced() {
    let (_memory, memory) = Ground::memory();
    let (_redis, redis) = Ground::redis().await;
    for store in [memory, redis] {
        damaged(&store).await;
    }
}

async fn damaged(store: &Arc<dyn Store>) {
    let between = Between::new(Arc::clone(store) as _, |_| async { Ok(()) });
    let cache = builder(&between).build().unwrap();
    cache.get("k").await.unwrap();
    let at = store.place(between.placed()[0]);
    for bytes in [
        &b""[..],
        b"\x01",
        b"\x02 of a later version, with something in it",
        &[0xff; 400],
    ] {
        let rubbish = NewValue {
            bytes: bytes::Bytes::copy_from_slice(bytes),
            fresh_for: Duration::HOUR,
            usable_for: Duration::HOUR,
        };
        store
            .insert(Slot { at, schema: 0 }, &rubbish)
            .await
            .unwrap();
        let other = self::cache(store);
        assert_eq!(other.get("k").await.unwrap(), None);
        let all = (0..10).map(|_| other.get_or_load("k", || value("anew")));
        for found in within(futures_util::future::join_all(all)).await {
            assert_eq!(*found.unwrap(), "anew");
        }
        assert_eq!((other.stats().undecodable, other.stats().loads), (2, 1));
        let third = self::cache(store);
        assert_eq!(*third.get_or_load("k", never).await.unwrap(), "anew");
    }
    assert_eq!(between.count(Call::Fetch), 1);
}

/// Also when the memory of the store is small.
#[tokio::test]
async fn a_store_without_room_loads_more_and_nothing_else() {
    let store = Arc::new(MemoryStore::new().cached_bytes(2000));
    let cache = builder(&store).near(0, 0).build().unwrap();
    for round in 0..3 {
        for n in 0..50 {
            let load = move || async move { Ok::<_, Error>(format!("{n}")) };
            let found = within(cache.get_or_load(&format!("{n}"), load))
                .await
                .unwrap();
            assert_eq!(*found, format!("{n}"), "{round}");
        }
    }
    let large = || async { Ok::<_, Error>("x".repeat(5000)) };
    assert_eq!(
        within(cache.get_or_load("large", large))
            .await
            .unwrap()
            .len(),
        5000
    );
    assert_eq!(
        (cache.get("large").await.unwrap(), cache.stats().refused),
        (None, 0)
    );
}
