//! How long values are good.

use crate::{
    between::{Between, Call},
    support::{Held, SOON, builder, failing, never, value, within},
};
use cloakroom_cache::{Cache, CacheBuilder, ErrorKind, Load};
use cloakroom_core::{ManualClock, MemoryStore};
use cloakroom_testkit::eventually;
use std::{collections::HashSet, io::Error, sync::Arc};
use time::Duration;

type Builder = CacheBuilder<String, String>;

fn timed(
    set: impl FnOnce(Builder) -> Builder,
) -> (ManualClock, Arc<MemoryStore>, Cache<String, String>) {
    let clock = ManualClock::default();
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let cache = set(builder(&store).clock(clock.clone()).jitter(0.0).early(0.0));
    (clock, store, cache.build().unwrap())
}

async fn absent() -> Result<Option<String>, Error> {
    Ok(None)
}

#[tokio::test]
async fn a_near_copy_never_outlives_what_is_left_in_the_store() {
    let (clock, store, first) = timed(|b| b);
    first.get_or_load("k", || value("v")).await.unwrap();
    clock.advance(Duration::seconds(59));
    let second = builder(&store)
        .clock(clock.clone())
        .fresh_for(Duration::DAY)
        .build()
        .unwrap();
    assert!(second.get("k").await.unwrap().is_some());
    clock.advance(Duration::milliseconds(999));
    assert!(second.get("k").await.unwrap().is_some());
    assert_eq!(second.stats().near_hits, 1);
    clock.advance(Duration::milliseconds(1));
    for cache in [&first, &second] {
        assert!(cache.get("k").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_slow_answer_of_the_store_does_not_lengthen_a_near_copy() {
    let (clock, store, first) = timed(|b| b);
    first.get_or_load("k", || value("v")).await.unwrap();
    let slow = clock.clone();
    let between = Between::new(store, move |call| {
        let slow = slow.clone();
        async move {
            if call == Call::Fetch {
                slow.advance(Duration::seconds(30));
            }
            Ok(())
        }
    });
    let second = builder(&between).clock(clock.clone()).build().unwrap();
    // It set out at 0 s, and of what the store said at 30 s, 30 s were left.
    assert!(second.get("k").await.unwrap().is_some());
    assert_eq!(
        (between.count(Call::Fetch), second.stats().near_hits),
        (1, 0)
    );
    assert!(second.get("k").await.unwrap().is_none());
}

#[tokio::test]
async fn absence_has_a_time_of_its_own_and_ends_by_invalidation() {
    let (clock, store, cache) = timed(|b| b.absent_for(Duration::seconds(5)));
    assert_eq!(cache.find_or_load("k", absent).await.unwrap(), None);
    clock.advance(Duration::milliseconds(4999));
    let remote = builder(&store).clock(clock.clone()).build().unwrap();
    for cache in [&cache, &remote] {
        assert_eq!(
            cache
                .find_or_load("k", || async { never().await.map(Some) })
                .await
                .unwrap(),
            None
        );
        assert!(cache.get_or_load("k", never).await.unwrap_err().is_absent());
        assert_eq!(cache.get("k").await.unwrap(), None);
    }
    remote.invalidate("k").await.unwrap();
    assert_eq!(
        *cache.get_or_load("k", || value("made")).await.unwrap(),
        "made"
    );
    cache.find_or_load("other", absent).await.unwrap();
    clock.advance(Duration::seconds(5));
    assert_eq!(
        *cache.get_or_load("other", || value("made")).await.unwrap(),
        "made"
    );
    // An error is not absence.
    let error = cache
        .find_or_load("third", || async { failing("no").await.map(Some) })
        .await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Load);
    assert_eq!(
        *cache.get_or_load("third", || value("v")).await.unwrap(),
        "v"
    );
}

#[tokio::test]
async fn times_that_can_not_be_are_told_and_the_others_do_what_they_say() {
    type Set = fn(Builder) -> Builder;
    let wrong: [Set; 8] = [
        |b| b.fresh_for(Duration::ZERO),
        |b| b.fresh_for(Duration::seconds(-1)),
        |b| b.load_timeout(Duration::ZERO),
        |b| b.lease(Duration::MIN),
        |b| b.max_staleness(Duration::ZERO),
        |b| b.jitter(f64::NAN),
        |b| b.jitter(1.1),
        |b| b.early(-1.0),
    ];
    let store = Arc::new(MemoryStore::new());
    for (number, set) in wrong.into_iter().enumerate() {
        let error = set(builder(&store)).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{number}");
    }
    let right: [Set; 6] = [
        |b| b.fresh_for(Duration::MAX).stale_on_error(Duration::MAX),
        |b| {
            b.fresh_for(Duration::NANOSECOND)
                .lease(Duration::NANOSECOND)
        },
        |b| {
            b.load_timeout(Duration::MAX)
                .lease(Duration::MAX)
                .max_staleness(Duration::MAX)
        },
        |b| {
            b.absent_for(Duration::MIN)
                .stale_while_loading(Duration::MIN)
                .stale_on_error(Duration::MIN)
        },
        |b| {
            b.back_off(Duration::MAX)
                .stale_back_off(Duration::MAX)
                .early(1000.0)
                .jitter(1.0)
        },
        |b| {
            b.soft_timeout(Duration::MIN)
                .stale_while_loading(Duration::MAX)
        },
    ];
    for (number, set) in right.into_iter().enumerate() {
        let store = Arc::new(MemoryStore::new());
        for own in [
            None,
            Some(Duration::MIN),
            Some(Duration::ZERO),
            Some(Duration::MAX),
        ] {
            let cache = set(builder(&store)).build().unwrap();
            let load = move |text: &'static str| {
                move || async move {
                    let load = Load::new(text.to_owned());
                    Ok::<_, Error>(own.map_or(load.clone(), |own| load.fresh_for(own)))
                }
            };
            within(cache.get_or_load("k", load("one"))).await.unwrap();
            within(cache.get_or_load("k", load("two"))).await.unwrap();
            within(cache.write("k", || async { Ok::<_, Error>(()) }))
                .await
                .unwrap();
            let three = within(cache.get_or_load("k", load("three"))).await.unwrap();
            assert_eq!(*three, "three", "{number} {own:?}");
            assert_eq!(within(cache.find_or_load("n", absent)).await.unwrap(), None);
            cache
                .insert("i", load("four")().await.unwrap())
                .await
                .unwrap();
            cache.invalidate("k").await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_value_of_no_fresh_time_is_for_those_who_wait() {
    let (_, _, cache) = timed(|b| b);
    for own in [Duration::ZERO, Duration::seconds(-5)] {
        for n in ["one", "two"] {
            let load =
                move || async move { Ok::<_, Error>(Load::new(n.to_owned()).fresh_for(own)) };
            assert_eq!(*cache.get_or_load("k", load).await.unwrap(), n);
            assert_eq!(cache.get("k").await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn the_loaders_time_wins_and_chance_only_shortens_it() {
    let clock = ManualClock::default();
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let cache = builder(&store)
        .clock(clock.clone())
        .jitter(0.5)
        .build()
        .unwrap();
    for n in 0..200 {
        let load =
            || async { Ok::<_, Error>(Load::new(String::new()).fresh_for(Duration::seconds(100))) };
        cache.get_or_load(&format!("{n}"), load).await.unwrap();
    }
    let mut left = Vec::new();
    for _ in 0..=100 {
        let mut fresh = 0;
        for n in 0..200 {
            fresh += usize::from(cache.get(&format!("{n}")).await.unwrap().is_some());
        }
        left.push(fresh);
        clock.advance(Duration::SECOND);
    }
    assert_eq!((left[0], left[49], left[100]), (200, 200, 0));
    assert!(left[99] < 20, "{left:?}");
    assert!(left.iter().collect::<HashSet<_>>().len() > 30, "{left:?}");
}

#[tokio::test]
async fn an_early_load_is_begun_once_and_nobody_waits_for_it() {
    for (factor, early) in [(1000.0, 1), (0.0, 0)] {
        let store = Arc::new(MemoryStore::new());
        let cache = builder(&store).early(factor).build().unwrap();
        let first = || async {
            // So that a thousand times as long is longer than the value is fresh.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            Ok::<_, Error>(Load::new("old".to_owned()).fresh_for(Duration::milliseconds(5000)))
        };
        cache.get_or_load("k", first).await.unwrap();
        let held = Held::default();
        for _ in 0..200 {
            let load = held.clone();
            let load = move || async move { load.load("new").await };
            assert_eq!(*within(cache.get_or_load("k", load)).await.unwrap(), "old");
            tokio::task::yield_now().await;
        }
        assert_eq!((cache.stats().early, held.count() as u64), (early, early));
        if early == 1 {
            held.go();
            let new = || async { *cache.get_or_load("k", never).await.unwrap() == "new" };
            assert!(eventually(SOON, new).await);
        }
        // The next one would be early as well, if the load had taken time.
        assert_eq!(cache.stats().loads, 1 + early);
    }
}

#[tokio::test]
async fn an_early_load_that_fails_is_not_tried_at_each_read() {
    let store = Arc::new(MemoryStore::new());
    let cache = builder(&store)
        .early(1000.0)
        .stale_back_off(Duration::HOUR)
        .build()
        .unwrap();
    let first = || async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        Ok::<_, Error>(Load::new("old".to_owned()).fresh_for(Duration::seconds(20)))
    };
    cache.get_or_load("k", first).await.unwrap();
    let failed = || async {
        assert_eq!(
            *cache.get_or_load("k", || failing("no")).await.unwrap(),
            "old"
        );
        cache.stats().load_errors == 1
    };
    assert!(eventually(SOON, failed).await);
    for _ in 0..50 {
        assert_eq!(
            *cache.get_or_load("k", || failing("no")).await.unwrap(),
            "old"
        );
        tokio::task::yield_now().await;
    }
    assert_eq!((cache.stats().early, cache.stats().loads), (1, 2));
}
