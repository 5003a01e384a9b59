//! One load for all who want it.

use crate::{
    between::{Between, Call},
    support::{Held, Loads, builder, failing, never, value, within},
};
use cloakroom_cache::{Cache, ErrorKind, Load};
use cloakroom_core::{ManualClock, MemoryStore};
use futures_util::future::join_all;
use std::{
    collections::HashMap,
    io::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};
use time::Duration;

fn memory() -> (Arc<MemoryStore>, Cache<String, String>) {
    let store = Arc::new(MemoryStore::new());
    let cache = builder(&store).build().unwrap();
    (store, cache)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_callers_share_one_load_and_one_value() {
    let (_, cache) = memory();
    let loads = Loads::default();
    let callers = (0..1000).map(|_| {
        let (cache, loads) = (cache.clone(), loads.clone());
        tokio::spawn(async move {
            let load = move || async move { loads.load("v", std::time::Duration::ZERO).await };
            cache.get_or_load("k", load).await.unwrap()
        })
    });
    let callers: Vec<_> = callers.collect();
    let values = within(join_all(callers)).await;
    let first = values[0].as_ref().unwrap();
    assert!(
        values
            .iter()
            .all(|v| Arc::ptr_eq(v.as_ref().unwrap(), first))
    );
    assert_eq!((loads.count(), cache.stats().loads), (1, 1));
}

#[tokio::test]
async fn callers_of_all_methods_share_one_load() {
    let (_, cache) = memory();
    let (held, leader) = (Held::default(), cache.clone());
    let begun = held.clone();
    let leader = tokio::spawn(async move {
        leader
            .get_or_load("k", move || async move { held.load("v").await })
            .await
    });
    begun.begun().await;
    let one = cache.get_or_load("k", never);
    let two = cache.find_or_load("k", || async { Ok::<_, std::fmt::Error>(None) });
    let three = cache.get_many_or_load(["k".to_owned()], |_| async {
        Err::<HashMap<String, Load<String>>, _>("another type of error")
    });
    let all = futures_util::future::join3(one, two, three);
    let (all, ()) = within(futures_util::future::join(all, async { begun.go() })).await;
    let leader = leader.await.unwrap().unwrap();
    for value in [
        all.0.unwrap(),
        all.1.unwrap().unwrap(),
        all.2.unwrap()[0].clone().unwrap(),
    ] {
        assert!(Arc::ptr_eq(&value, &leader));
    }
    assert_eq!((begun.count(), cache.stats().loads), (1, 1));
}

#[tokio::test]
async fn waiters_with_another_type_of_error_get_the_same_error() {
    let (_, cache) = memory();
    let (one, two, three) = futures_util::join!(
        cache.get_or_load("k", || failing("first")),
        cache.get_or_load("k", || async { Err::<String, _>(std::fmt::Error) }),
        cache.find_or_load("k", || async { Err::<Option<String>, _>("text") }),
    );
    let (one, two, three) = (one.unwrap_err(), two.unwrap_err(), three.unwrap_err());
    let source = |error: &cloakroom_cache::Error| {
        std::ptr::from_ref(error.loader::<Error>().unwrap()).addr()
    };
    assert_eq!(source(&one), source(&two));
    assert_eq!(source(&one), source(&three));
    assert_eq!((one.kind(), cache.stats().loads), (ErrorKind::Load, 1));
}

#[tokio::test]
async fn a_hit_begins_no_second_refresh_and_a_miss_waits_for_the_first() {
    let clock = ManualClock::default();
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let cache = builder(&store).clock(clock.clone()).jitter(0.0);
    let cache = cache
        .stale_while_loading(Duration::seconds(10))
        .lease(Duration::HOUR);
    let cache = cache.build().unwrap();
    cache.get_or_load("k", || value("old")).await.unwrap();
    clock.advance(Duration::seconds(61));
    let held = Held::default();
    let load = || {
        let held = held.clone();
        move || async move { held.load("new").await }
    };
    for _ in 0..10 {
        assert_eq!(*cache.get_or_load("k", load()).await.unwrap(), "old");
    }
    held.begun().await;
    assert_eq!(*cache.get_or_load("k", load()).await.unwrap(), "old");
    clock.advance(Duration::seconds(60));
    let mut miss = std::pin::pin!(cache.get_or_load("k", never));
    assert!(futures_util::poll!(&mut miss).is_pending());
    held.go();
    assert_eq!(*within(miss).await.unwrap(), "new");
    assert_eq!((held.count(), cache.stats().loads), (1, 2));
}

#[tokio::test]
async fn a_soft_timeout_leaves_the_load_to_the_others() {
    let clock = ManualClock::default();
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let cache = builder(&store)
        .clock(clock.clone())
        .jitter(0.0)
        .stale_on_error(Duration::MINUTE);
    let cache = cache
        .soft_timeout(Duration::milliseconds(1))
        .build()
        .unwrap();
    cache.get_or_load("k", || value("old")).await.unwrap();
    clock.advance(Duration::seconds(61));
    let held = Held::default();
    let load = held.clone();
    let load = move || async move { load.load("new").await };
    assert_eq!(*within(cache.get_or_load("k", load)).await.unwrap(), "old");
    held.begun().await;
    let several = (0..10).map(|_| cache.get_or_load("k", never));
    let several = within(join_all(several)).await;
    assert!(several.iter().all(|v| **v.as_ref().unwrap() == "old"));
    held.go();
    let new = || async { cache.get("k").await.unwrap().is_some_and(|v| *v == "new") };
    assert!(cloakroom_testkit::eventually(crate::support::SOON, new).await);
    assert_eq!(cache.stats().loads, 2);
}

/// Also where only the store has the stale value, and answers after the timeout.
#[tokio::test]
async fn a_stale_value_found_after_the_soft_timeout_serves_at_once() {
    let clock = ManualClock::default();
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let first = builder(&store)
        .clock(clock.clone())
        .jitter(0.0)
        .stale_on_error(Duration::MINUTE);
    let tagged = || async { Ok::<_, Error>(Load::new("old".to_owned()).tag("t")) };
    first
        .build()
        .unwrap()
        .get_or_load("k", tagged)
        .await
        .unwrap();
    clock.advance(Duration::seconds(61));
    let between = Between::new(store, |_| async {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        Ok(())
    });
    let second = builder(&between)
        .clock(clock)
        .soft_timeout(Duration::milliseconds(1));
    let second = second.build().unwrap();
    let forever = std::future::pending::<Result<String, Error>>;
    assert_eq!(
        *within(second.get_or_load("k", forever)).await.unwrap(),
        "old"
    );
    assert_eq!(between.count(Call::Fetch), 1);
}

/// An early load is nobody's, and gives way to another instance's: but not with who has joined it.
#[tokio::test]
async fn who_joins_an_early_load_waits_for_another_instance() {
    let store = Arc::new(MemoryStore::new());
    let holds = Arc::new(AtomicBool::new(false));
    let (held, inside) = (Held::default(), Arc::clone(&holds));
    let slow = held.clone();
    let between = Between::new(Arc::clone(&store) as _, move |call| {
        let (inside, slow) = (Arc::clone(&inside), slow.clone());
        async move {
            if call == Call::Fetch && inside.swap(false, SeqCst) {
                slow.load("").await.unwrap();
            }
            Ok(())
        }
    });
    let a = builder(&between).early(1000.0).build().unwrap();
    let b = builder(&store).early(1000.0).build().unwrap();
    let brief = Load::new("old".to_owned()).fresh_for(Duration::milliseconds(150));
    let load = move || async move {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        Ok::<_, Error>(brief)
    };
    a.get_or_load("k", load).await.unwrap();
    // Its early load is held up on its way to the store.
    holds.store(true, SeqCst);
    assert_eq!(*a.get_or_load("k", || value("early")).await.unwrap(), "old");
    held.begun().await;
    // Meanwhile the value expires, another instance loads, and a caller joins.
    let gone = || async { a.get("k").await.unwrap().is_none() };
    assert!(cloakroom_testkit::eventually(crate::support::SOON, gone).await);
    let (other, of_b) = (Held::default(), b.clone());
    let loading = other.clone();
    let of_b = tokio::spawn(async move {
        of_b.get_or_load("k", move || async move { loading.load("b's").await })
            .await
    });
    other.begun().await;
    let mut joined = std::pin::pin!(a.get_or_load("k", never));
    assert!(futures_util::poll!(&mut joined).is_pending());
    held.go();
    let waited = || async { a.stats().waited == 1 };
    let (waited, early) = within(futures_util::future::join(
        cloakroom_testkit::eventually(crate::support::SOON, waited),
        async { futures_util::poll!(&mut joined).is_pending() },
    ))
    .await;
    assert!(waited && early);
    other.go();
    assert_eq!(*within(joined).await.unwrap(), "b's");
    assert_eq!(*of_b.await.unwrap().unwrap(), "b's");
}
