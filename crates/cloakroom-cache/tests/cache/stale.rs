//! Values whose fresh time is over.

use crate::{
    between::{Between, Call},
    support::{Held, SOON, builder, failing, never, value, within},
};
use cloakroom_cache::{Cache, CacheBuilder, ErrorKind, Load, OnUnavailable};
use cloakroom_core::{ManualClock, MemoryStore};
use cloakroom_testkit::eventually;
use std::{
    io::Error,
    sync::{Arc, atomic::Ordering::SeqCst},
};
use time::Duration;

type Builder = CacheBuilder<String, String>;

fn timed(
    set: impl FnOnce(Builder) -> Builder,
) -> (ManualClock, Arc<MemoryStore>, Cache<String, String>) {
    let clock = ManualClock::default();
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let cache = set(builder(&store).clock(clock.clone()).jitter(0.0))
        .build()
        .unwrap();
    (clock, store, cache)
}

#[tokio::test]
async fn an_error_after_the_fresh_time_is_answered_by_the_stale_value_for_a_while() {
    let (clock, _, cache) = timed(|b| b.stale_on_error(Duration::seconds(30)));
    cache.get_or_load("k", || value("old")).await.unwrap();
    clock.advance(Duration::seconds(61));
    for _ in 0..10 {
        assert_eq!(
            *cache.get_or_load("k", || failing("no")).await.unwrap(),
            "old"
        );
    }
    // One failed, and for a second nobody tried again.
    assert_eq!((cache.stats().loads, cache.stats().stale), (2, 10));
    clock.advance(Duration::SECOND);
    assert_eq!(
        *cache.get_or_load("k", || failing("no")).await.unwrap(),
        "old"
    );
    assert_eq!(cache.stats().loads, 3);
    // It is never fresh, and not served for ever.
    assert_eq!(cache.get("k").await.unwrap(), None);
    clock.advance(Duration::seconds(28));
    let error = cache.get_or_load("k", || failing("no")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Load);
    assert_eq!(
        *cache.get_or_load("k", || value("new")).await.unwrap(),
        "new"
    );
}

#[tokio::test]
async fn a_value_that_only_the_store_has_serves_after_an_error_too() {
    let (clock, store, cache) = timed(|b| b.stale_on_error(Duration::seconds(30)));
    let tagged = || async { Ok::<_, Error>(Load::new("old".to_owned()).tag("t")) };
    cache.get_or_load("k", tagged).await.unwrap();
    clock.advance(Duration::seconds(61));
    let cold = builder(&store).clock(clock).build().unwrap();
    assert_eq!(
        *cold.get_or_load("k", || failing("no")).await.unwrap(),
        "old"
    );
}

#[tokio::test]
async fn nothing_stale_is_served_once_it_was_invalidated() {
    for by_tag in [false, true] {
        let (clock, _, cache) = timed(|b| {
            b.stale_on_error(Duration::HOUR)
                .stale_while_loading(Duration::HOUR)
        });
        let tagged = || async { Ok::<_, Error>(Load::new("old".to_owned()).tag("t")) };
        cache.get_or_load("k", tagged).await.unwrap();
        clock.advance(Duration::seconds(61));
        match by_tag {
            false => cache.invalidate("k").await.unwrap(),
            true => cache.invalidate_tag("t").await.unwrap(),
        }
        let error = cache.get_or_load("k", || failing("no")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Load, "{by_tag}");
    }
}

#[tokio::test]
async fn nothing_stale_is_served_when_it_is_invalidated_while_the_load_fails() {
    for by_tag in [false, true] {
        let (clock, store, first) = timed(|b| b.stale_on_error(Duration::HOUR));
        let tagged = || async { Ok::<_, Error>(Load::new("old".to_owned()).tag("t")) };
        first.get_or_load("k", tagged).await.unwrap();
        clock.advance(Duration::seconds(61));
        let cold = builder(&store).clock(clock.clone()).build().unwrap();
        for cache in [first, cold] {
            let held = Held::default();
            let load = held.clone();
            let load = move || async move {
                load.load("").await?;
                failing("no").await
            };
            let reading = cache.clone();
            let reading = tokio::spawn(async move { reading.get_or_load("k", load).await });
            held.begun().await;
            match by_tag {
                false => cache.invalidate("k").await.unwrap(),
                true => cache.invalidate_tag("t").await.unwrap(),
            }
            held.go();
            let error = within(reading).await.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Load, "{by_tag}");
        }
    }
}

#[tokio::test]
async fn a_stale_value_is_served_at_once_while_it_is_loaded() {
    let (clock, store, cache) = timed(|b| b.stale_while_loading(Duration::seconds(30)));
    let tagged = || async { Ok::<_, Error>(Load::new("old".to_owned()).tag("t")) };
    cache.get_or_load("k", tagged).await.unwrap();
    clock.advance(Duration::seconds(61));
    let cold = builder(&store).clock(clock.clone()).build().unwrap();
    let held = Held::default();
    for cache in [&cold, &cache] {
        let load = held.clone();
        let load = move || async move { load.load("new").await };
        assert_eq!(*within(cache.get_or_load("k", load)).await.unwrap(), "old");
    }
    held.begun().await;
    held.go();
    for cache in [&cold, &cache] {
        let new = || async { *cache.get_or_load("k", never).await.unwrap() == "new" };
        assert!(eventually(SOON, new).await);
    }
    assert_eq!(held.count(), 1);
}

#[tokio::test]
async fn a_failing_load_beside_a_stale_value_is_not_tried_at_each_read() {
    let (clock, _, cache) = timed(|b| b.stale_while_loading(Duration::seconds(30)));
    cache.get_or_load("k", || value("old")).await.unwrap();
    clock.advance(Duration::seconds(61));
    let failed = || async {
        assert_eq!(
            *cache.get_or_load("k", || failing("no")).await.unwrap(),
            "old"
        );
        cache.stats().load_errors == 1
    };
    assert!(eventually(SOON, failed).await);
    for _ in 0..10 {
        cache.get_or_load("k", never).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(cache.stats().loads, 2);
}

#[tokio::test]
async fn without_the_store_a_value_serves_unless_its_tag_was_heard_to_change() {
    let clock = ManualClock::default();
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let (between, down) = Between::switched(Arc::clone(&store) as _);
    let cache = builder(&between).clock(clock.clone()).jitter(0.0);
    let cache = cache
        .on_unavailable(OnUnavailable::Stale(Duration::HOUR))
        .stale_on_error(Duration::HOUR);
    let (cache, other) = (cache.build().unwrap(), builder(&store).build().unwrap());
    for key in ["a", "b"] {
        let load = move || async move { Ok::<_, Error>(Load::new("old".to_owned()).tag(key)) };
        cache.get_or_load(key, load).await.unwrap();
    }
    other.invalidate_tag("b").await.unwrap();
    down.store(true, SeqCst);
    clock.advance(Duration::seconds(61));
    assert_eq!(
        *cache.get_or_load("a", || value("new")).await.unwrap(),
        "old"
    );
    assert_eq!(
        *cache.get_or_load("b", || value("new")).await.unwrap(),
        "new"
    );
    assert!(between.count(Call::Fetch) > 2);
}
