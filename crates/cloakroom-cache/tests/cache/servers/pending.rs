//! Invalidations that the store can't be told, and is told when it can be reached again.

use super::instance::{By, Database, LIMIT, connected, instance, settings, store, until};
use cloakroom_cache::{Cache, Load, WriteError};
use cloakroom_testkit::{Link, RedisServer, eventually};
use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

type Strings = Cache<String, String>;

const NOW: Duration = Duration::ZERO;
const KEYS: usize = 100;
const COMMAND: Duration = Duration::from_millis(300);

/// A behind a link, B beside it.
async fn scene() -> (RedisServer, Link, Strings, Strings) {
    let server = RedisServer::start().await;
    let link = Link::to(server.port());
    let quick = store(By::Redis, &link.url()).command_timeout(COMMAND.try_into().unwrap());
    let a = connected(quick).await;
    let a = settings(&a).build().unwrap();
    let b = instance(&server.url()).await;
    (server, link, a, b)
}

#[tokio::test]
async fn invalidations_that_failed_are_said_when_the_store_is_back() {
    let (_server, link, a, b) = scene().await;
    let data = Database::default();
    let keys: Vec<_> = (0..KEYS).map(|key| key.to_string()).collect();
    for key in &keys {
        data.read(&b, key, NOW).await.unwrap();
    }
    link.cut();
    let version = data.change();
    let mut longest = Duration::ZERO;
    for key in &keys {
        let asked = Instant::now();
        let error = a.invalidate(key).await.unwrap_err();
        longest = longest.max(asked.elapsed());
        assert!(error.is_unavailable());
        assert_eq!(data.read(&a, key, NOW).await.unwrap(), version, "A knows");
    }
    for key in &keys {
        assert_eq!(data.read(&b, key, NOW).await.unwrap(), 0, "B can't know");
    }
    link.heal();
    let back = Instant::now();
    let all_new = || async {
        for key in &keys {
            if data.read(&b, key, NOW).await.unwrap() != version {
                return false;
            }
        }
        true
    };
    assert!(eventually(LIMIT, all_new).await);
    println!(
        "{KEYS} invalidations failed within {longest:?}; all were said {:?} after the way was free",
        back.elapsed()
    );
    assert!(
        longest < COMMAND + Duration::from_millis(200),
        "{longest:?}"
    );
}

#[tokio::test]
async fn a_stalled_store_fails_an_invalidation_within_the_command_timeout() {
    let (server, _link, a, b) = scene().await;
    server.pause();
    let asked = Instant::now();
    assert!(a.invalidate("k").await.unwrap_err().is_unavailable());
    let took = asked.elapsed();
    println!("an invalidation failed after {took:?}, of {COMMAND:?}");
    assert!(took < COMMAND + Duration::from_millis(200), "{took:?}");
    server.resume();
    let again = || async { b.invalidate("k").await.is_ok() };
    assert!(eventually(LIMIT, again).await);
}

/// Whoever said that a tag is wrong, and could not tell the store, doesn't believe the store before it
/// has been told.
#[tokio::test]
async fn who_failed_to_invalidate_a_tag_never_reads_what_bears_it() {
    for _ in 0..5 {
        let (_server, link, a, b) = scene().await;
        let load = async |cache: &Strings, value: &'static str| {
            let load =
                move || async move { Ok::<_, Infallible>(Load::new(value.to_owned()).tag("t")) };
            cache.get_or_load("k", load).await.unwrap().to_string()
        };
        // The tag is there before: the first load of it might be refused for that alone.
        load(&b, "first").await;
        b.invalidate("k").await.unwrap();
        assert_eq!(load(&b, "old").await, "old");
        assert_eq!(load(&a, "other").await, "old");
        link.cut();
        a.invalidate_tag("t").await.unwrap_err();
        link.heal();
        // From before the store is reached until it has been told.
        let told = || async {
            assert_eq!(load(&a, "new").await, "new");
            b.get("k")
                .await
                .unwrap()
                .is_some_and(|value| *value == "new")
        };
        assert!(eventually(LIMIT, told).await);
    }
}

#[tokio::test]
async fn an_insert_that_failed_leaves_no_old_value() {
    let (_server, link, a, b) = scene().await;
    let data = Database::default();
    data.read(&b, "k", NOW).await.unwrap();
    link.cut();
    let version = data.change();
    a.insert("k", version.to_string()).await.unwrap_err();
    link.heal();
    let new = || async { data.read(&b, "k", NOW).await.unwrap() == version };
    assert!(eventually(LIMIT, new).await);
}

#[tokio::test]
async fn a_write_changes_nothing_that_it_can_not_mark() {
    let (_server, link, a, _b) = scene().await;
    let data = Database::default();
    link.cut();
    let change = || async { Ok::<_, Infallible>(data.change()) };
    let error = a.write("k", change).await.unwrap_err();
    assert!(matches!(error, WriteError::Cache(error) if error.is_unavailable()));
    assert_eq!(data.change(), 1, "nothing was changed before");
}

/// A mark that can't be lifted keeps values out. It is lifted as soon as the store can be told, and not
/// half a minute later.
#[tokio::test]
async fn a_mark_is_lifted_when_the_store_is_back() {
    let (_server, link, a, b) = scene().await;
    let data = Database::default();
    data.read(&b, "k", NOW).await.unwrap();
    let change = || async {
        link.cut();
        Ok::<_, Infallible>(data.change())
    };
    assert_eq!(a.write("k", change).await.unwrap(), 1);
    assert_eq!(data.read(&b, "k", NOW).await.unwrap(), 1, "loaded");
    assert!(b.get("k").await.unwrap().is_none(), "and not kept");
    link.heal();
    let kept = || async {
        assert_eq!(data.read(&b, "k", NOW).await.unwrap(), 1);
        b.get("k").await.unwrap().is_some()
    };
    let back = Instant::now();
    assert!(eventually(LIMIT, kept).await);
    println!(
        "a mark was lifted {:?} after the way was free",
        back.elapsed()
    );
    until("it is near", || b.near_stats().copies > 0).await;
}
