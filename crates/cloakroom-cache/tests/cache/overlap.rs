//! Loads that overlap with what says that they are wrong.

use crate::{
    between::{Between, Call, out},
    support::{Ground, Held, SOON, builder, never, value, within},
};
use cloakroom_cache::{Cache, ErrorKind, Load, WriteError};
use cloakroom_core::{ManualClock, MemoryStore};
use cloakroom_testkit::eventually;
use futures_util::future::join_all;
use std::{
    io::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
};
use time::Duration;

type Loading = tokio::task::JoinHandle<cloakroom_cache::Result<Arc<String>>>;

/// A load under way of a value that bears the tag `t`.
async fn loading(cache: &Cache<String, String>, held: &Held) -> Loading {
    let (cache, load) = (cache.clone(), held.clone());
    let load = move || async move { Ok::<_, Error>(Load::new(load.load("old").await?).tag("t")) };
    let loading = tokio::spawn(async move { cache.get_or_load("k", load).await });
    held.begun().await;
    loading
}

#[tokio::test]
async fn what_is_invalidated_while_it_is_loaded_is_not_kept() {
    for how in ["invalidate", "tag", "write", "remote", "remote tag"] {
        let store = Arc::new(MemoryStore::new());
        let (cache, remote) = (
            builder(&store).build().unwrap(),
            builder(&store).build().unwrap(),
        );
        let held = Held::default();
        let old = loading(&cache, &held).await;
        match how {
            "invalidate" => cache.invalidate("k").await.unwrap(),
            "tag" => cache.invalidate_tag("t").await.unwrap(),
            "remote" => remote.invalidate("k").await.unwrap(),
            "remote tag" => remote.invalidate_tag("t").await.unwrap(),
            _ => cache
                .write("k", || async { Ok::<_, Error>(()) })
                .await
                .unwrap(),
        }
        held.go();
        assert_eq!(*within(old).await.unwrap().unwrap(), "old", "{how}");
        assert_eq!(cache.get("k").await.unwrap(), None, "{how}");
        assert_eq!(remote.get("k").await.unwrap(), None, "{how}");
        assert_eq!(cache.stats().refused, 1, "{how}");
        assert_eq!(
            *within(cache.get_or_load("k", || value("new")))
                .await
                .unwrap(),
            "new"
        );
    }
}

/// Also if the old load is still under way then.
#[tokio::test]
async fn who_reads_after_an_invalidation_does_not_join_an_older_load() {
    for how in ["invalidate", "tag", "insert"] {
        let store = Arc::new(MemoryStore::new());
        let cache = builder(&store).build().unwrap();
        let held = Held::default();
        let old = loading(&cache, &held).await;
        match how {
            "invalidate" => cache.invalidate("k").await.unwrap(),
            "tag" => cache.invalidate_tag("t").await.unwrap(),
            _ => cache.insert("k", "new".to_owned()).await.unwrap(),
        }
        let new = cache.clone();
        let new = tokio::spawn(async move { new.get_or_load("k", || value("new")).await });
        tokio::task::yield_now().await;
        held.go();
        assert_eq!(*within(old).await.unwrap().unwrap(), "old", "{how}");
        assert_eq!(*within(new).await.unwrap().unwrap(), "new", "{how}");
    }
}

#[tokio::test]
async fn a_newer_insert_wins_over_a_load_under_way() {
    let store = Arc::new(MemoryStore::new());
    let (cache, remote) = (
        builder(&store).build().unwrap(),
        builder(&store).build().unwrap(),
    );
    for (inserting, text) in [(&cache, "mine"), (&remote, "theirs")] {
        let held = Held::default();
        cache.invalidate("k").await.unwrap();
        let old = loading(&cache, &held).await;
        inserting.insert("k", text.to_owned()).await.unwrap();
        held.go();
        within(old).await.unwrap().unwrap();
        for reader in [&cache, &remote] {
            assert_eq!(*reader.get_or_load("k", never).await.unwrap(), text);
        }
        let cold = builder(&store).build().unwrap();
        assert_eq!(
            cold.get("k").await.unwrap().as_deref().map(String::as_str),
            Some(text)
        );
    }
}

#[tokio::test]
async fn a_load_whose_lease_was_taken_over_is_refused() {
    let clock = ManualClock::default();
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let mute = Between::new(Arc::clone(&store) as _, |call| async move {
        if call == Call::Extend {
            Err(out())
        } else {
            Ok(())
        }
    });
    let a = builder(&mute).clock(clock.clone()).build().unwrap();
    let b = builder(&store).clock(clock.clone()).build().unwrap();
    let held = Held::default();
    let slow = loading(&a, &held).await;
    clock.advance(Duration::seconds(4));
    assert_eq!(
        *within(b.get_or_load("k", || value("b's"))).await.unwrap(),
        "b's"
    );
    held.go();
    assert_eq!(*within(slow).await.unwrap().unwrap(), "old");
    assert_eq!((a.stats().refused, mute.count(Call::Put)), (1, 1));
    for cache in [&a, &b] {
        assert_eq!(*cache.get_or_load("k", never).await.unwrap(), "b's");
    }
}

#[tokio::test]
async fn a_write_keeps_values_out_and_its_readers_share_loads() {
    let store = Arc::new(MemoryStore::new());
    let (cache, remote) = (
        builder(&store).build().unwrap(),
        builder(&store).build().unwrap(),
    );
    cache.insert("k", "old".to_owned()).await.unwrap();
    let (held, changing) = (Held::default(), Held::default());
    let (writer, change) = (cache.clone(), changing.clone());
    let writing = tokio::spawn(async move {
        writer
            .write("k", || async move { change.load("").await })
            .await
    });
    changing.begun().await;
    // The first of them, and those who come while it loads.
    let load = || {
        let held = held.clone();
        move || async move { held.load("old").await }
    };
    let readers = join_all((0..100).map(|_| remote.get_or_load("k", load())));
    let late = async {
        held.begun().await;
        let late = join_all((0..100).map(|_| remote.get_or_load("k", load())));
        futures_util::future::join(late, async { held.go() })
            .await
            .0
    };
    let (readers, late) = within(futures_util::future::join(readers, late)).await;
    assert!(
        readers
            .into_iter()
            .chain(late)
            .all(|v| *v.unwrap() == "old")
    );
    assert_eq!(held.count(), 1);
    // An insert can't be newer for certain.
    remote.insert("k", "old".to_owned()).await.unwrap();
    assert_eq!(remote.get("k").await.unwrap(), None);
    changing.go();
    within(writing).await.unwrap().unwrap();
    for cache in [&cache, &remote] {
        assert_eq!(
            *cache.get_or_load("k", || value("new")).await.unwrap(),
            "new"
        );
    }
}

#[tokio::test]
async fn a_write_that_fails_or_is_dropped_leaves_nothing_old() {
    let clock = ManualClock::default();
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let (between, down) = Between::switched(Arc::clone(&store) as _);
    let cache = builder(&between).clock(clock.clone()).build().unwrap();
    cache.insert("k", "old".to_owned()).await.unwrap();
    let failed = cache
        .write("k", || async { Err::<(), _>(Error::other("no")) })
        .await;
    assert!(matches!(failed, Err(WriteError::Change(_))));
    assert_eq!(cache.get("k").await.unwrap(), None);
    down.store(true, SeqCst);
    let failed = cache
        .write("k", || async { panic!("changed") as Result<(), Error> })
        .await;
    assert!(matches!(failed, Err(WriteError::Cache(e)) if e.is_unavailable()));
    down.store(false, SeqCst);
    let changing = Held::default();
    let change = changing.clone();
    tokio::select! {
        _ = cache.write("k", || async move { change.load("").await }) => panic!("it waits"),
        () = changing.begun() => {}
    }
    // Nobody knows whether it has changed.
    cache.get_or_load("k", || value("perhaps")).await.unwrap();
    assert_eq!(cache.get("k").await.unwrap(), None);
    clock.advance(Duration::seconds(35));
    cache.get_or_load("k", || value("new")).await.unwrap();
    assert_eq!(*cache.get_or_load("k", never).await.unwrap(), "new");
}

/// What the store could not be told, this process knows all the same, and tells it before it reads.
#[tokio::test]
async fn an_invalidation_in_an_outage_is_seen_here_at_once_and_told_later() {
    let store = Arc::new(MemoryStore::new());
    let (between, down) = Between::switched(Arc::clone(&store) as _);
    let (cache, remote) = (
        builder(&between).build().unwrap(),
        builder(&store).build().unwrap(),
    );
    for key in ["by key", "by tag", "by insert"] {
        let load = || async { Ok::<_, Error>(Load::new("old".to_owned()).tag("t")) };
        cache.get_or_load(key, load).await.unwrap();
    }
    down.store(true, SeqCst);
    assert!(
        cache
            .invalidate("by key")
            .await
            .unwrap_err()
            .is_unavailable()
    );
    assert!(
        cache
            .invalidate_tag("t")
            .await
            .unwrap_err()
            .is_unavailable()
    );
    assert!(
        cache
            .insert("by insert", "new".to_owned())
            .await
            .unwrap_err()
            .is_unavailable()
    );
    for key in ["by key", "by tag", "by insert"] {
        assert_eq!(
            cache.get(key).await.unwrap_err().kind(),
            ErrorKind::Unavailable,
            "{key}"
        );
    }
    down.store(false, SeqCst);
    for key in ["by tag", "by key", "by insert"] {
        assert_eq!(cache.get(key).await.unwrap(), None, "{key}");
        assert_eq!(remote.get(key).await.unwrap(), None, "{key}");
    }
    // Told by the reads; what nobody reads is told by itself.
    down.store(true, SeqCst);
    remote.insert("k", "old".to_owned()).await.unwrap();
    cache.invalidate("k").await.unwrap_err();
    assert!(remote.get("k").await.unwrap().is_some());
    down.store(false, SeqCst);
    assert!(eventually(SOON, || async { remote.get("k").await.unwrap().is_none() }).await);
}

/// A few thousand rounds of readers, and a writer that reads what it wrote.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_process_reads_what_it_has_invalidated_and_inserted() {
    let store = Arc::new(MemoryStore::new());
    reads_its_own(builder(&store).early(1000.0).build().unwrap(), 1500).await;
}

/// The same where what it did is announced only after it was done.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_process_reads_what_it_has_invalidated_and_inserted_on_redis() {
    let (_ground, store) = Ground::redis().await;
    let cache = Cache::builder("test", Arc::clone(&store) as _).early(1000.0);
    reads_its_own(cache.build().unwrap(), 300).await;
}

async fn reads_its_own(cache: Cache<String, String>, rounds: u64) {
    let (database, round) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
    let read = |cache: Cache<String, String>, database: Arc<AtomicU64>| async move {
        let load = move || async move {
            let read = database.load(SeqCst).to_string();
            for _ in 0..fastrand::u8(0..4) {
                tokio::task::yield_now().await;
            }
            Ok::<_, Error>(Load::new(read).tag("t"))
        };
        let value = cache.get_or_load("k", load).await.unwrap();
        value.parse::<u64>().unwrap()
    };
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (cache, database, round) =
                (cache.clone(), Arc::clone(&database), Arc::clone(&round));
            tokio::spawn(async move {
                let mut newest = 0;
                while newest < rounds {
                    newest = read(cache.clone(), Arc::clone(&database)).await;
                    round.fetch_add(1, SeqCst);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let mut random = fastrand::Rng::with_seed(30);
    let began = std::time::Instant::now();
    for n in 1..=rounds {
        match random.u8(0..4) {
            0 => {
                database.store(n, SeqCst);
                cache.invalidate_tag("t").await.unwrap();
            }
            1 => {
                let changed = || async {
                    database.store(n, SeqCst);
                    Ok::<_, Error>(())
                };
                cache.write("k", changed).await.unwrap();
            }
            2 => {
                database.store(n, SeqCst);
                cache
                    .insert("k", Load::new(n.to_string()).tag("t"))
                    .await
                    .unwrap();
            }
            _ => {
                database.store(n, SeqCst);
                cache.invalidate("k").await.unwrap();
            }
        }
        let seen = within(read(cache.clone(), Arc::clone(&database))).await;
        assert_eq!(seen, n, "after {} reads", round.load(SeqCst));
        if let Some(near) = cache.get("k").await.unwrap() {
            assert_eq!(near.parse::<u64>().unwrap(), n);
        }
    }
    within(join_all(readers)).await;
    println!(
        "{:?}, {} reads, {:?}",
        began.elapsed(),
        round.load(SeqCst),
        cache.stats()
    );
}
