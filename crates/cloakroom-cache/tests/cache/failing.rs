//! Loaders that fail, panic, or never return.

use crate::{
    between::{Between, Call},
    support::{Held, builder, failing, never, value, within},
};
use cloakroom_cache::{Cache, ErrorKind};
use cloakroom_core::{ManualClock, MemoryStore};
use futures_util::future::join_all;
use std::{collections::HashMap, io::Error, sync::Arc};
use time::Duration;

/// A store that counts its calls, and a cache whose clock stands still: no lease ends by itself.
fn counted(
    settings: impl FnOnce(
        cloakroom_cache::CacheBuilder<String, String>,
    ) -> cloakroom_cache::CacheBuilder<String, String>,
) -> (ManualClock, Arc<Between>, Cache<String, String>) {
    let clock = ManualClock::default();
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let between = Between::new(store, |_| async { Ok(()) });
    let builder = builder(&between).clock(clock.clone()).jitter(0.0);
    (clock, between, settings(builder).build().unwrap())
}

#[tokio::test]
async fn an_error_is_shared_and_not_kept() {
    let (_, between, cache) = counted(|b| b);
    let all = (0..50).map(|_| cache.get_or_load("k", || failing("no")));
    let all = within(join_all(all)).await;
    let all: Vec<_> = all.into_iter().map(Result::unwrap_err).collect();
    let source =
        |e: &cloakroom_cache::Error| std::ptr::from_ref(e.loader::<Error>().unwrap()).addr();
    assert!(all.iter().all(|e| source(e) == source(&all[0])));
    assert!(all[0].to_string().contains("no"), "{}", all[0]);
    assert_eq!((cache.stats().loads, cache.stats().load_errors), (1, 1));
    assert_eq!(
        (between.count(Call::Put), between.count(Call::Release)),
        (0, 1)
    );
    assert_eq!(*cache.get_or_load("k", || value("v")).await.unwrap(), "v");
}

#[tokio::test]
async fn a_panic_is_told_to_all_who_wait_and_the_next_call_loads() {
    let (_, between, cache) = counted(|b| b);
    let late = || async {
        tokio::task::yield_now().await;
        never().await
    };
    for round in 1..=2 {
        let all = (0..20).map(|_| async {
            match round {
                1 => cache.get_or_load("k", late).await,
                // Before there is a future.
                _ => {
                    cache
                        .get_or_load("k", || -> std::future::Ready<Result<String, Error>> {
                            panic!("early")
                        })
                        .await
                }
            }
        });
        for waiter in within(join_all(all)).await {
            assert_eq!(waiter.unwrap_err().kind(), ErrorKind::Panicked);
        }
        assert_eq!(cache.stats().panics, round);
        assert_eq!(
            between.count(Call::Release),
            usize::try_from(round).unwrap()
        );
    }
    assert_eq!(
        *within(cache.get_or_load("k", || value("v"))).await.unwrap(),
        "v"
    );
    assert_eq!((cache.stats().loads, cache.stats().waited), (3, 0));
}

#[tokio::test]
async fn a_panic_while_many_are_loaded_is_told_to_all_who_wait() {
    type Many = HashMap<String, String>;
    let (_, between, cache) = counted(|b| b);
    let keys = || ["a", "b"].map(str::to_owned);
    let early = |_| -> std::future::Ready<Result<Many, Error>> { panic!("early") };
    let late = |_| async { never().await.map(|_| Many::new()) };
    let error = within(cache.get_many_or_load(keys(), early))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked);
    let (error, other) = within(futures_util::future::join(
        cache.get_many_or_load(keys(), late),
        cache.get_or_load("b", never),
    ))
    .await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Panicked);
    assert_eq!(other.unwrap_err().kind(), ErrorKind::Panicked);
    let (panics, errors) = (cache.stats().panics, cache.stats().load_errors);
    assert_eq!((panics, errors, between.count(Call::Release)), (4, 0, 4));
    let load = |keys: Vec<String>| async move {
        Ok::<_, Error>(keys.into_iter().map(|k| (k.clone(), k)).collect::<Many>())
    };
    let found = within(cache.get_many_or_load(keys(), load)).await.unwrap();
    assert_eq!(found.iter().flatten().count(), 2);
}

#[tokio::test]
async fn a_failure_is_remembered_only_for_as_long_as_is_wished() {
    let (clock, _, cache) = counted(|b| b.back_off(Duration::seconds(5)));
    let error = cache.get_or_load("k", || failing("no")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Load);
    clock.advance(Duration::milliseconds(4999));
    let error = cache.get_or_load("k", never).await.unwrap_err();
    assert!(error.loader::<Error>().is_some());
    // Also of many keys, and of those alone.
    let many = |keys: Vec<String>| async move {
        assert_eq!(keys, ["other"]);
        Ok::<HashMap<String, String>, Error>(HashMap::new())
    };
    let keys = ["k", "other"].map(str::to_owned);
    assert_eq!(
        cache.get_many_or_load(keys, many).await.unwrap_err().kind(),
        ErrorKind::Load
    );
    clock.advance(Duration::milliseconds(1));
    assert_eq!(*cache.get_or_load("k", || value("v")).await.unwrap(), "v");
    cache.invalidate("k").await.unwrap();
    cache.get_or_load("k", || failing("no")).await.unwrap_err();
    cache.invalidate("k").await.unwrap();
    assert_eq!(*cache.get_or_load("k", || value("w")).await.unwrap(), "w");
}

#[tokio::test(start_paused = true)]
async fn a_loader_that_never_returns_frees_its_key_and_comes_too_late() {
    let (_, between, cache) = counted(|b| b.load_timeout(Duration::seconds(7)));
    let held = Held::default();
    let all = (0..10).map(|_| {
        let held = held.clone();
        cache.get_or_load("k", move || async move { held.load("late").await })
    });
    let began = tokio::time::Instant::now();
    for waiter in join_all(all).await {
        assert_eq!(waiter.unwrap_err().kind(), ErrorKind::TimedOut);
    }
    assert_eq!(began.elapsed().as_secs(), 7);
    assert_eq!(
        (
            held.count(),
            between.count(Call::Release),
            cache.stats().timeouts
        ),
        (1, 1, 1)
    );
    held.go();
    assert_eq!(
        *cache.get_or_load("k", || value("new")).await.unwrap(),
        "new"
    );
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(
        cache.get("k").await.unwrap().as_deref().map(String::as_str),
        Some("new")
    );
    assert_eq!((between.count(Call::Put), cache.stats().waited), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_kept_for_as_long_as_the_loader_runs() {
    let (clock, between, a) = counted(|b| b);
    let b = builder(&between).clock(clock.clone()).build().unwrap();
    let held = Held::default();
    let load = held.clone();
    let waits = tokio::spawn(async move {
        a.get_or_load("k", move || async move { load.load("v").await })
            .await
    });
    held.begun().await;
    let other = tokio::spawn(async move { b.get_or_load("k", never).await });
    for _ in 0..20 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        clock.advance(Duration::SECOND);
    }
    assert!(between.count(Call::Extend) >= 19);
    held.go();
    assert_eq!(*waits.await.unwrap().unwrap(), "v");
    assert_eq!(*other.await.unwrap().unwrap(), "v");
}
