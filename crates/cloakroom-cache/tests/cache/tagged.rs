//! Tags.

use crate::{
    between::{Between, Call},
    support::{Held, builder, never, value, within},
};
use cloakroom_cache::{Cache, ErrorKind, Load, Tag};
use cloakroom_core::{CacheStore, MemoryStore};
use std::{io::Error, sync::Arc};

fn bearing(tags: usize) -> impl Future<Output = Result<Load<String>, Error>> + Send {
    let load = (0..tags).fold(Load::new("v".to_owned()), |load, n| {
        load.tag(Tag::of(&("tag", n)))
    });
    std::future::ready(Ok(load))
}

#[tokio::test]
async fn each_of_several_tags_drops_the_value_everywhere() {
    let store = Arc::new(MemoryStore::new());
    let (a, b) = (
        builder(&store).build().unwrap(),
        builder(&store).build().unwrap(),
    );
    for changed in 0..3 {
        a.get_or_load("k", || bearing(2)).await.unwrap();
        b.get_or_load("k", never).await.unwrap();
        // Now both know the tags' versions.
        b.invalidate_tag(Tag::of(&("tag", changed))).await.unwrap();
        for cache in [&a, &b] {
            assert_eq!(
                cache.get("k").await.unwrap().is_some(),
                changed == 2,
                "{changed}"
            );
        }
    }
    assert_eq!((a.stats().refused, a.stats().loads), (0, 3));
}

#[tokio::test]
async fn a_tag_is_shared_by_all_caches_of_a_store() {
    let store: Arc<dyn CacheStore> = Arc::new(MemoryStore::new());
    let names: Cache<u8, String> = Cache::builder("names", Arc::clone(&store)).build().unwrap();
    let sizes: Cache<u8, u32> = Cache::builder("sizes", store).build().unwrap();
    names
        .insert(&1, Load::new("n".to_owned()).tag("shop"))
        .await
        .unwrap();
    sizes.insert(&1, Load::new(7).tag("shop")).await.unwrap();
    sizes.insert(&2, 8).await.unwrap();
    names.invalidate_tag("shop").await.unwrap();
    assert_eq!(
        (names.get(&1).await.unwrap(), sizes.get(&1).await.unwrap()),
        (None, None)
    );
    assert_eq!(sizes.get(&2).await.unwrap().as_deref(), Some(&8));
    // A key of that name is none of the tag's, nor the other way round.
    names.invalidate(&2).await.unwrap();
    assert!(sizes.get(&2).await.unwrap().is_some());
}

#[tokio::test]
async fn a_tag_that_is_known_only_after_the_load_is_compared_with_what_was_before() {
    let store = Arc::new(MemoryStore::new());
    let (a, b) = (
        builder(&store).build().unwrap(),
        builder(&store).build().unwrap(),
    );
    for changes in [true, false] {
        let (held, loading) = (Held::default(), a.clone());
        let load = held.clone();
        let load =
            move || async move { Ok::<_, Error>(Load::new(load.load("v").await?).tag("new")) };
        let loading = tokio::spawn(async move { loading.get_or_load("k", load).await });
        held.begun().await;
        if changes {
            b.invalidate_tag("new").await.unwrap();
        }
        b.invalidate_tag("another").await.unwrap();
        held.go();
        within(loading).await.unwrap().unwrap();
        assert_eq!(a.get("k").await.unwrap().is_none(), changes);
        assert_eq!(b.get("k").await.unwrap().is_none(), changes);
    }
}

#[tokio::test]
async fn more_than_64_tags_are_an_error_that_says_so() {
    let store = Arc::new(MemoryStore::new());
    let between = Between::new(store, |_| async { Ok(()) });
    let cache = builder(&between).build().unwrap();
    cache.get_or_load("64", || bearing(64)).await.unwrap();
    cache
        .insert("i64", bearing(64).await.unwrap())
        .await
        .unwrap();
    let cold = builder(&between).build().unwrap();
    for key in ["64", "i64"] {
        assert!(cold.get(key).await.unwrap().is_some());
    }
    let loaded = cache.get_or_load("65", || bearing(65)).await.unwrap_err();
    let inserted = cache
        .insert("i65", bearing(65).await.unwrap())
        .await
        .unwrap_err();
    for error in [loaded, inserted] {
        assert_eq!(error.kind(), ErrorKind::Encode);
        assert!(
            error.to_string().contains("at most 64 tags, not 65"),
            "{error}"
        );
    }
    assert_eq!(
        (
            cache.get("65").await.unwrap(),
            cache.get("i65").await.unwrap()
        ),
        (None, None)
    );
    // The lease was given back.
    assert_eq!(
        *within(cache.get_or_load("65", || value("v")))
            .await
            .unwrap(),
        "v"
    );
    assert_eq!((cache.stats().waited, between.count(Call::Release)), (0, 1));
}

#[tokio::test]
async fn versions_are_asked_once_and_their_changes_heard() {
    let store = Arc::new(MemoryStore::new());
    let between = Between::new(Arc::clone(&store) as _, |_| async { Ok(()) });
    let (a, b) = (
        builder(&between).build().unwrap(),
        builder(&store).build().unwrap(),
    );
    b.get_or_load("k", || bearing(1)).await.unwrap();
    for _ in 0..10 {
        assert!(a.get("k").await.unwrap().is_some());
        a.get_or_load("k", never).await.unwrap();
    }
    assert_eq!(
        (between.count(Call::Fetch), between.count(Call::Tag)),
        (1, 1)
    );
    b.invalidate_tag(Tag::of(&("tag", 0))).await.unwrap();
    assert!(a.get("k").await.unwrap().is_none());
    assert_eq!(between.count(Call::Tag), 2);
}

#[tokio::test]
async fn who_reads_another_cache_after_a_tag_changed_joins_no_load_from_before() {
    use cloakroom_cache::{Cache, Load};
    use std::sync::Arc;
    use tokio::sync::Notify;

    for (_ground, store) in [
        crate::support::Ground::memory(),
        crate::support::Ground::redis().await,
    ] {
        let build = |name: &str| -> Cache<String, String> {
            Cache::builder(name, Arc::clone(&store) as _)
                .build()
                .unwrap()
        };
        let (one, other) = (build("one"), build("other"));
        let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let slow = {
            let (begun, go) = (Arc::clone(&begun), Arc::clone(&go));
            move || async move {
                begun.notify_one();
                go.notified().await;
                Ok::<_, std::io::Error>(Load::new("old".to_owned()).tag("t"))
            }
        };
        let first = tokio::spawn({
            let other = other.clone();
            async move { other.get_or_load("k", slow).await.unwrap().to_string() }
        });
        begun.notified().await;
        one.invalidate_tag("t").await.unwrap();
        let load = || async { Ok::<_, std::io::Error>(Load::new("new".to_owned()).tag("t")) };
        let reader = tokio::spawn({
            let other = other.clone();
            async move { other.get_or_load("k", load).await.unwrap().to_string() }
        });
        // The first load ends at any time: the reader does not depend on it.
        go.notify_one();
        assert_eq!(first.await.unwrap(), "old");
        assert_eq!(reader.await.unwrap(), "new");
    }
}
