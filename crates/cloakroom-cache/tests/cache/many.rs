//! Several keys at once.

use crate::support::{Held, SOON, builder, never, within};
use cloakroom_cache::{ErrorKind, Load};
use cloakroom_core::{ManualClock, MemoryStore};
use cloakroom_testkit::eventually;
use std::{
    collections::HashMap,
    io::Error,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use time::Duration;

type Many = HashMap<String, String>;

fn keys<const N: usize>(keys: [&str; N]) -> Vec<String> {
    keys.map(str::to_owned).to_vec()
}

fn each(keys: Vec<String>) -> Many {
    keys.into_iter().map(|key| (key.clone(), key)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_that_is_missing_is_loaded_by_one_call() {
    let store = Arc::new(MemoryStore::new());
    let cache = builder(&store).build().unwrap();
    for round in 0..300 {
        let wanted: Vec<_> = (0..20).map(|n| format!("{round}/{n}")).collect();
        cache.insert(&wanted[3], "there".to_owned()).await.unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        let load = move |keys: Vec<String>| {
            count.fetch_add(1, SeqCst);
            assert_eq!(keys.len(), 19);
            async move { Ok::<_, Error>(each(keys)) }
        };
        let found = within(cache.get_many_or_load(wanted.clone(), load))
            .await
            .unwrap();
        assert_eq!(calls.load(SeqCst), 1, "{round}");
        for (n, (key, value)) in wanted.iter().zip(found).enumerate() {
            assert_eq!(*value.unwrap(), if n == 3 { "there" } else { key });
        }
    }
}

#[tokio::test]
async fn keys_may_be_none_or_twice_and_those_without_an_answer_do_not_exist() {
    let store = Arc::new(MemoryStore::new());
    let cache = builder(&store).build().unwrap();
    let none = |_| async { panic!("called") as Result<Many, Error> };
    assert!(
        cache
            .get_many_or_load(Vec::new(), none)
            .await
            .unwrap()
            .is_empty()
    );
    // Kept nowhere, and still loaded once.
    let load = |mut keys: Vec<String>| async move {
        keys.sort();
        assert_eq!(keys, ["a", "b"]);
        let a = Load::new("a".to_owned()).not_kept();
        let other = Load::new("never asked for".to_owned());
        Ok::<_, Error>(HashMap::from([
            ("a".to_owned(), a),
            ("c".to_owned(), other),
        ]))
    };
    let found = within(cache.get_many_or_load(keys(["a", "b", "a", "b"]), load))
        .await
        .unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|v| v.as_deref().map(String::as_str))
        .collect();
    assert_eq!(found, [Some("a"), None, Some("a"), None]);
    assert!(cache.get_or_load("b", never).await.unwrap_err().is_absent());
    assert_eq!(
        (cache.get("a").await.unwrap(), cache.get("c").await.unwrap()),
        (None, None)
    );
}

#[tokio::test]
async fn an_error_is_that_of_all_keys_and_of_who_joined() {
    let store = Arc::new(MemoryStore::new());
    let cache = builder(&store).build().unwrap();
    let load = |_| async { Err::<Many, _>(Error::other("no")) };
    let (many, one, other) = within(futures_util::future::join3(
        cache.get_many_or_load(keys(["a", "b"]), load),
        cache.get_or_load("a", never),
        cache.get_or_load("b", never),
    ))
    .await;
    let errors = [many.unwrap_err(), one.unwrap_err(), other.unwrap_err()];
    let source =
        |e: &cloakroom_cache::Error| std::ptr::from_ref(e.loader::<Error>().unwrap()).addr();
    assert!(errors.iter().all(|e| source(e) == source(&errors[0])));
    assert_eq!(
        (errors[0].kind(), cache.stats().loads),
        (ErrorKind::Load, 2)
    );
    let found = cache.get_many_or_load(keys(["a", "b"]), |keys| async {
        Ok::<_, Error>(each(keys))
    });
    assert_eq!(within(found).await.unwrap().iter().flatten().count(), 2);
}

#[tokio::test]
async fn a_key_that_another_loads_is_waited_for_and_not_loaded() {
    let store = Arc::new(MemoryStore::new());
    let (cache, remote) = (
        builder(&store).build().unwrap(),
        builder(&store).build().unwrap(),
    );
    let held = [Held::default(), Held::default()];
    let mut tasks = Vec::new();
    for ((cache, key), held) in [(&cache, "near"), (&remote, "far")].into_iter().zip(&held) {
        let (cache, load) = (cache.clone(), held.clone());
        tasks.push(tokio::spawn(async move {
            cache
                .get_or_load(key, move || async move { load.load("theirs").await })
                .await
        }));
        held.begun().await;
    }
    let own = Held::default();
    let load = own.clone();
    let load = move |keys: Vec<String>| {
        let load = load.clone();
        async move {
            assert_eq!(keys, ["mine"]);
            load.load("").await?;
            Ok::<_, Error>(each(keys))
        }
    };
    let found = cache.get_many_or_load(keys(["near", "mine", "far"]), load);
    let meanwhile = async {
        own.begun().await;
        own.go();
        held.iter().for_each(Held::go);
    };
    let (found, ()) = within(futures_util::future::join(found, meanwhile)).await;
    let found: Vec<_> = found
        .unwrap()
        .into_iter()
        .map(|v| v.unwrap().to_string())
        .collect();
    assert_eq!(found, ["theirs", "mine", "theirs"]);
    for task in tasks {
        within(task).await.unwrap().unwrap();
    }
}

/// They are loaded beside the answer, though no call for all is made.
#[tokio::test]
async fn keys_that_are_all_stale_or_due_are_loaded_at_once() {
    let clock = ManualClock::default();
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let cache = builder(&store).clock(clock.clone()).jitter(0.0);
    let cache = cache.stale_while_loading(Duration::MINUTE).build().unwrap();
    for key in ["a", "b"] {
        cache.insert(key, "old".to_owned()).await.unwrap();
    }
    clock.advance(Duration::seconds(61));
    let load = |keys| async { Ok::<_, Error>(each(keys)) };
    let found = within(cache.get_many_or_load(keys(["a", "b"]), load))
        .await
        .unwrap();
    assert!(found.iter().all(|v| **v.as_ref().unwrap() == "old"));
    for key in ["a", "b"] {
        let new = || async { *cache.get_or_load(key, never).await.unwrap() == key };
        assert!(eventually(SOON, new).await, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_returns_is_dropped_when_all_its_keys_are_over() {
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let store = Arc::new(MemoryStore::new());
    let cache = builder(&store).build().unwrap();
    let dropped = Arc::new(AtomicUsize::new(0));
    let drops = Arc::clone(&dropped);
    let load = move |_| {
        let dropped = Dropped(Arc::clone(&drops));
        async move {
            let _dropped = dropped;
            std::future::pending::<Result<Many, Error>>().await
        }
    };
    let error = cache
        .get_many_or_load(keys(["a", "b"]), load)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(dropped.load(SeqCst), 1);
}
