//! What a cache does on any store.

use crate::support::{Ground, Loads, cache};
use cloakroom_cache::{Cache, ErrorKind, Load, Tag};
use cloakroom_core::Store;
use std::{collections::HashMap, io::Error, sync::Arc, time::Duration};

const MOMENT: Duration = Duration::from_millis(50);

async fn everywhere<F: Future<Output = ()>>(test: impl Fn(Arc<dyn Store>, Arc<dyn Store>) -> F) {
    let (_ground, store) = Ground::memory();
    test(Arc::clone(&store), store).await;
    let (ground, store) = Ground::redis().await;
    let other = ground.another().await;
    test(store, other).await;
}

#[tokio::test]
async fn a_value_is_loaded_once_and_invalidated() {
    everywhere(|store, other| async move {
        let (a, b, loads) = (cache(&store), cache(&other), Loads::default());
        let get = |cache: &Cache<String, String>, value: &'static str| {
            let (cache, loads) = (cache.clone(), loads.clone());
            async move {
                let load = move || async move { loads.load(value, MOMENT).await };
                cache.get_or_load("k", load).await.unwrap().to_string()
            }
        };
        let all = futures_util::future::join_all(
            (0..100).map(|n| get(if n % 2 == 0 { &a } else { &b }, "one")),
        );
        assert!(all.await.iter().all(|value| value == "one"));
        assert_eq!(loads.count(), 1);
        assert_eq!(get(&a, "two").await, "one");
        b.invalidate("k").await.unwrap();
        assert_eq!(get(&b, "two").await, "two");
        tokio::time::sleep(MOMENT).await;
        assert_eq!(get(&a, "three").await, "two");
        assert_eq!(loads.count(), 2);
        a.insert("k", "four".to_owned()).await.unwrap();
        assert_eq!(get(&a, "five").await, "four");
        tokio::time::sleep(MOMENT).await;
        assert_eq!(get(&b, "five").await, "four");
        assert_eq!(loads.count(), 2);
    })
    .await;
}

#[tokio::test]
async fn tags_absence_and_many() {
    everywhere(|store, other| async move {
        let (a, b) = (cache(&store), cache(&other));
        let tagged =
            || async { Ok::<_, Error>(Load::new("v".to_owned()).tag("t").tag(Tag::of(&("p", 7)))) };
        a.get_or_load("k", tagged).await.unwrap();
        assert!(b.get("k").await.unwrap().is_some());
        b.invalidate_tag(Tag::of(&("p", 7u64))).await.unwrap();
        assert!(b.get("k").await.unwrap().is_none());
        tokio::time::sleep(MOMENT).await;
        assert!(a.get("k").await.unwrap().is_none());
        assert_eq!(a.stats().refused, 0);

        let none = || async { Ok::<_, Error>(None) };
        assert_eq!(a.find_or_load("n", none).await.unwrap(), None);
        let never = || async {
            panic!("loaded");
            #[allow(unreachable_code)]
            Ok::<String, Error>(String::new())
        };
        assert_eq!(b.find_or_load("n", never).await.unwrap(), None);
        assert_eq!(
            b.get_or_load("n", never).await.unwrap_err().kind(),
            ErrorKind::Absent
        );
        let error = b.get_or_load("x", never).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panicked);

        a.insert("m1", "1".to_owned()).await.unwrap();
        let load = |keys: Vec<String>| async move {
            assert_eq!(keys.len(), 2, "{keys:?}");
            Ok::<_, Error>(HashMap::from([("m2".to_owned(), "2".to_owned())]))
        };
        let keys = ["m1", "m2", "m3"].map(str::to_owned);
        let found = b.get_many_or_load(keys, load).await.unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|v| v.as_deref().map(String::as_str))
            .collect();
        assert_eq!(found, [Some("1"), Some("2"), None]);

        let changed = a.write("m1", || async { Ok::<_, Error>(9) }).await.unwrap();
        assert_eq!(changed, 9);
        assert!(a.get("m1").await.unwrap().is_none());
    })
    .await;
}
