//! Callers that go away.

use crate::{
    between::{Between, Call},
    support::{Held, SOON, builder, never, value, within},
};
use cloakroom_cache::{Cache, ErrorKind, OnAbandoned};
use cloakroom_core::MemoryStore;
use cloakroom_testkit::eventually;
use std::{
    collections::HashMap,
    io::Error,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

/// A store at which each call waits several times.
fn yielding() -> (Arc<MemoryStore>, Arc<Between>) {
    let store = Arc::new(MemoryStore::new());
    let between = Between::new(Arc::clone(&store) as _, |_| async {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        Ok(())
    });
    (store, between)
}

/// Polled so many times, with everything else running in between, and dropped; says whether it was
/// done before.
async fn polled<F: Future>(times: usize, future: F) -> bool {
    let mut future = Box::pin(future);
    for _ in 0..times {
        if futures_util::poll!(&mut future).is_ready() {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

#[tokio::test]
async fn wherever_the_leader_is_dropped_the_load_goes_on() {
    for times in 0.. {
        let (_, between) = yielding();
        let cache = builder(&between).build().unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let load = |text: &'static str| {
            let count = Arc::clone(&count);
            move || async move {
                count.fetch_add(1, SeqCst);
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                value(text).await
            }
        };
        let done = polled(times, cache.get_or_load("k", load("leader"))).await;
        let follower = cache.get_or_load("k", load("follower"));
        let value = within(follower).await.unwrap();
        let of = if times == 0 { "follower" } else { "leader" };
        assert_eq!((value.as_str(), count.load(SeqCst)), (of, 1), "{times}");
        if done {
            assert!(times > 5, "there were {times} places only");
            return;
        }
    }
}

#[tokio::test]
async fn wherever_a_caller_of_many_is_dropped_the_load_goes_on() {
    for times in 0.. {
        let (_, between) = yielding();
        let cache = builder(&between).build().unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let load = || {
            let count = Arc::clone(&count);
            move |keys: Vec<String>| {
                count.fetch_add(1, SeqCst);
                async move {
                    tokio::task::yield_now().await;
                    Ok::<_, Error>(
                        keys.into_iter()
                            .map(|k| (k.clone(), k))
                            .collect::<HashMap<_, _>>(),
                    )
                }
            }
        };
        let keys = || ["a", "b", "c"].map(str::to_owned);
        let done = polled(times, cache.get_many_or_load(keys(), load())).await;
        let found = within(cache.get_many_or_load(keys(), load()))
            .await
            .unwrap();
        assert_eq!(found.iter().flatten().count(), 3, "{times}");
        assert_eq!(count.load(SeqCst), 1, "{times}");
        if done {
            return;
        }
    }
}

async fn abandoned(choice: OnAbandoned) -> (Cache<String, String>, Arc<Between>, Held) {
    let (_, between) = yielding();
    let cache = builder(&between).on_abandoned(choice).build().unwrap();
    let held = Held::default();
    let load = held.clone();
    {
        let one = cache.get_or_load("k", move || async move { load.load("v").await });
        let two = cache.get_or_load("k", never);
        let both = futures_util::future::join(one, two);
        tokio::select! {
            _ = both => panic!("it waits"),
            () = held.begun() => {}
        }
    }
    (cache, between, held)
}

#[tokio::test]
async fn an_abandoned_load_is_finished_and_kept() {
    let (cache, _, held) = abandoned(OnAbandoned::Finish).await;
    held.go();
    assert_eq!(*within(cache.get_or_load("k", never)).await.unwrap(), "v");
    assert_eq!(cache.stats().loads, 1);
}

#[tokio::test]
async fn an_abandoned_load_is_given_up_and_its_lease_given_back() {
    let (cache, between, held) = abandoned(OnAbandoned::Abort).await;
    let released = || async { between.count(Call::Release) == 1 };
    assert!(eventually(SOON, released).await);
    // With the time of the runtime standing still, a lease would never end.
    tokio::time::pause();
    assert_eq!(
        *cache.get_or_load("k", || value("next")).await.unwrap(),
        "next"
    );
    assert_eq!((held.count(), cache.stats().takeovers), (1, 0));
}

#[tokio::test]
async fn who_comes_while_a_load_is_given_up_does_not_wait_for_its_lease() {
    let slow = Held::default();
    let release = slow.clone();
    let between = Between::new(Arc::new(MemoryStore::new()), move |call| {
        let release = release.clone();
        async move {
            if call == Call::Release {
                release.load("").await.unwrap();
            }
            Ok(())
        }
    });
    let cache = builder(&between)
        .on_abandoned(OnAbandoned::Abort)
        .lease(time::Duration::HOUR);
    let (cache, held) = (cache.build().unwrap(), Held::default());
    let load = held.clone();
    tokio::select! {
        _ = cache.get_or_load("k", move || async move { load.load("v").await }) => panic!("it waits"),
        () = held.begun() => {}
    }
    slow.begun().await;
    let mut next = std::pin::pin!(cache.get_or_load("k", || value("next")));
    assert!(futures_util::poll!(&mut next).is_pending());
    assert!(eventually(SOON, || async { cache.stats().waited == 1 }).await);
    slow.go();
    assert_eq!(*within(next).await.unwrap(), "next");
    assert_eq!(cache.stats().takeovers, 0);
}

#[tokio::test]
async fn an_abandoned_call_for_many_is_given_up_too() {
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let (_, between) = yielding();
    let cache = builder(&between)
        .on_abandoned(OnAbandoned::Abort)
        .build()
        .unwrap();
    let (held, dropped) = (Held::default(), Arc::new(AtomicUsize::new(0)));
    let (load, drops) = (held.clone(), Arc::clone(&dropped));
    let load = move |_| {
        let (load, dropped) = (load.clone(), Dropped(Arc::clone(&drops)));
        async move {
            let _dropped = dropped;
            load.load("")
                .await
                .map(|_| HashMap::<String, String>::new())
        }
    };
    tokio::select! {
        _ = cache.get_many_or_load(["a", "b"].map(str::to_owned), load) => panic!("it waits"),
        () = held.begun() => {}
    }
    assert!(eventually(SOON, || async { dropped.load(SeqCst) == 1 }).await);
    assert!(eventually(SOON, || async { between.count(Call::Release) == 2 }).await);
}

#[test]
fn nobody_hangs_when_the_runtime_of_a_load_ends() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let (one, two) = (runtime(), runtime());
    let store = Arc::new(MemoryStore::new());
    let cache = one.block_on(async { builder(&store).build().unwrap() });
    let (held, leader) = (Held::default(), cache.clone());
    let load = held.clone();
    one.spawn(async move {
        leader
            .get_or_load("k", move || async move { load.load("v").await })
            .await
    });
    two.block_on(held.begun());
    let waiter = cache.clone();
    let waiter = two.spawn(async move { waiter.get_or_load("k", never).await });
    let joined = || async { cache.stats().loads == 1 };
    assert!(two.block_on(eventually(SOON, joined)));
    two.block_on(async { tokio::time::sleep(std::time::Duration::from_millis(20)).await });
    one.shutdown_background();
    let error = two.block_on(within(waiter)).unwrap().unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Internal | ErrorKind::Panicked),
        "{error}"
    );
    // Its lease ends by itself.
    let again = two.block_on(within(cache.get_or_load("k", || value("next"))));
    assert_eq!(*again.unwrap(), "next");
}

#[tokio::test]
async fn nobody_hangs_when_the_cache_is_dropped_while_they_wait() {
    let store = Arc::new(MemoryStore::new());
    let cache = builder(&store).build().unwrap();
    let held = Held::default();
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let (cache, held) = (cache.clone(), held.clone());
            tokio::spawn(async move {
                cache
                    .get_or_load("k", move || async move { held.load("v").await })
                    .await
            })
        })
        .collect();
    held.begun().await;
    drop(cache);
    held.go();
    for waiter in waiters {
        assert_eq!(*within(waiter).await.unwrap().unwrap(), "v");
    }
}

#[tokio::test]
async fn an_invalidation_whose_caller_goes_away_goes_on() {
    use std::{pin::pin, task::Poll};

    let (ground, store) = crate::support::Ground::redis().await;
    let (near, far) = (
        crate::support::cache(&store),
        crate::support::cache(&ground.another().await),
    );
    for key in ["a", "b"] {
        let tagged = cloakroom_cache::Load::new("old".to_owned()).tag("t");
        near.insert(key, tagged).await.unwrap();
        assert!(far.get(key).await.unwrap().is_some());
    }
    let poll_once =
        |future: &mut std::pin::Pin<&mut dyn Future<Output = cloakroom_cache::Result<()>>>| {
            let waker = std::task::Waker::noop();
            assert!(matches!(
                future
                    .as_mut()
                    .poll(&mut std::task::Context::from_waker(waker)),
                Poll::Pending
            ));
        };
    {
        let mut by_key = pin!(near.invalidate("a"));
        poll_once(&mut (by_key.as_mut() as _));
    }
    let gone = |key| {
        let far = &far;
        move || async move { far.get(key).await.unwrap().is_none() }
    };
    assert!(cloakroom_testkit::eventually(crate::support::SOON, gone("a")).await);
    assert!(far.get("b").await.unwrap().is_some());
    {
        let mut by_tag = pin!(near.invalidate_tag("t"));
        poll_once(&mut (by_tag.as_mut() as _));
    }
    assert!(cloakroom_testkit::eventually(crate::support::SOON, gone("b")).await);
}
