//! A value that was loaded before something said that it is wrong, and comes after.

use super::instance::{By, connected, instance, settings, store, until};
use cloakroom_cache::{Cache, Load};
use cloakroom_testkit::{Direction, Link, RedisServer};
use std::convert::Infallible;
use tokio::{sync::oneshot, task::JoinHandle};

type Strings = Cache<String, String>;

fn load_of(value: &str) -> Load<String> {
    Load::new(value.to_owned()).tag("t")
}

/// A load that has read `old`, and answers when it is told to.
async fn slow_load(cache: &Strings) -> (oneshot::Sender<()>, JoinHandle<String>) {
    let (go, gate) = oneshot::channel::<()>();
    let (loads, reader) = (cache.stats().loads, cache.clone());
    let load = move || async move {
        gate.await.unwrap();
        Ok::<_, Infallible>(load_of("old"))
    };
    let read = async move { reader.get_or_load("k", load).await.unwrap().to_string() };
    let task = tokio::spawn(read);
    until("it loads", || cache.stats().loads > loads).await;
    (go, task)
}

async fn load_new(cache: &Strings) -> String {
    let load = || async { Ok::<_, Infallible>(load_of("new")) };
    cache.get_or_load("k", load).await.unwrap().to_string()
}

/// A loads; something happens; then A's value comes. Nobody finds it anywhere.
async fn nothing_old_is_kept_after(what: &str, event: impl AsyncFn(&RedisServer, &Strings)) {
    let server = RedisServer::start().await;
    let url = server.url();
    let (a, b) = (instance(&url).await, instance(&url).await);
    // The tag is there before: the first load of it might be refused for that alone.
    load_new(&a).await;
    a.invalidate("k").await.unwrap();
    a.insert("last", String::new()).await.unwrap();
    let (go, late) = slow_load(&a).await;
    let (before, copies) = (a.stats().refused, a.near_stats().copies);
    event(&server, &b).await;
    // Messages come in their order: with this one, A has heard all.
    b.invalidate("last").await.unwrap();
    until("it is heard", || a.near_stats().copies < copies).await;
    go.send(()).unwrap();
    assert_eq!(late.await.unwrap(), "old", "{what}: who waits gets it");
    assert_eq!(a.stats().refused, before + 1, "{what}");
    for cache in [&a, &b] {
        let found = cache.get("k").await.unwrap();
        let found = found.as_deref().map(String::as_str);
        assert!(matches!(found, None | Some("new")), "{what}: {found:?}");
        assert_eq!(load_new(cache).await, "new", "{what}");
    }
}

#[tokio::test]
async fn a_late_value_is_refused_after_an_invalidation() {
    let event = async |_: &RedisServer, b: &Strings| b.invalidate("k").await.unwrap();
    nothing_old_is_kept_after("invalidate", event).await;
}

#[tokio::test]
async fn a_late_value_is_refused_after_its_tag_was_invalidated() {
    let event = async |_: &RedisServer, b: &Strings| b.invalidate_tag("t").await.unwrap();
    nothing_old_is_kept_after("invalidate_tag", event).await;
}

#[tokio::test]
async fn a_late_value_is_refused_after_an_insert() {
    let event = async |_: &RedisServer, b: &Strings| b.insert("k", load_of("new")).await.unwrap();
    nothing_old_is_kept_after("insert", event).await;
}

#[tokio::test]
async fn a_late_value_is_refused_after_a_write() {
    let event = async |_: &RedisServer, b: &Strings| {
        b.write("k", || async { Ok::<_, Infallible>(()) })
            .await
            .unwrap();
    };
    nothing_old_is_kept_after("write", event).await;
}

#[tokio::test]
async fn a_late_value_is_refused_after_its_key_was_deleted_by_hand() {
    let event = async |server: &RedisServer, _: &Strings| {
        let keys = server.keys().await;
        let entries = keys
            .iter()
            .filter(|k| String::from_utf8_lossy(k).contains("c:"));
        let command: Vec<_> = std::iter::once(b"DEL".as_slice())
            .chain(entries.map(Vec::as_slice))
            .collect();
        assert!(command.len() > 1, "the entry with the lease");
        server.command(&command).await;
    };
    nothing_old_is_kept_after("DEL", event).await;
}

#[tokio::test]
async fn a_late_value_is_refused_after_the_server_was_emptied() {
    let event = async |server: &RedisServer, _: &Strings| {
        server.command(&["FLUSHALL"]).await;
    };
    nothing_old_is_kept_after("FLUSHALL", event).await;
}

/// The holder can't keep its lease, another takes it over, and then the holder comes back.
#[tokio::test]
async fn a_late_value_is_refused_after_another_took_the_lease_over() {
    let server = RedisServer::start().await;
    let link = Link::to(server.port());
    let lease = time::Duration::milliseconds(200);
    let a = connected(store(By::Redis, &link.url())).await;
    let b = connected(store(By::Redis, &server.url())).await;
    let a = settings(&a).lease(lease).build().unwrap();
    let b = settings(&b).lease(lease).build().unwrap();
    load_new(&a).await;
    a.invalidate("k").await.unwrap();
    let (go, late) = slow_load(&a).await;
    link.stall(Direction::Both);
    assert_eq!(load_new(&b).await, "new");
    assert_eq!(b.stats().takeovers, 1);
    link.heal();
    go.send(()).unwrap();
    assert_eq!(late.await.unwrap(), "old");
    let (found, theirs) = (a.get("k").await.unwrap(), b.get("k").await.unwrap());
    assert_eq!(*found.unwrap(), "new");
    assert_eq!(*theirs.unwrap(), "new");
}

/// Of a load under way nobody knows its tags yet. Who begins after a tag was invalidated must not get
/// what was read before, though the entry itself has no news.
#[tokio::test]
async fn who_reads_after_a_tag_was_invalidated_joins_no_load_from_before() {
    let server = RedisServer::start().await;
    let a = instance(&server.url()).await;
    load_new(&a).await;
    a.invalidate("k").await.unwrap();
    let (go, late) = slow_load(&a).await;
    a.invalidate_tag("t").await.unwrap();
    let reader = a.clone();
    let after = tokio::spawn(async move { load_new(&reader).await });
    until("it waits for the lease", || a.stats().waited == 1).await;
    go.send(()).unwrap();
    assert_eq!(late.await.unwrap(), "old");
    assert_eq!(after.await.unwrap(), "new");
}

/// While a key is being written nothing is kept, and still not everybody loads.
#[tokio::test]
async fn who_reads_during_a_write_shares_one_load() {
    let server = RedisServer::start().await;
    let (a, b) = (instance(&server.url()).await, instance(&server.url()).await);
    load_new(&a).await;
    let change = || async {
        until("it hears of the mark", || a.near_stats().copies == 0).await;
        let (go, late) = slow_load(&a).await;
        let others: Vec<_> = (0..100).map(|_| a.clone()).collect();
        let others = others
            .into_iter()
            .map(|cache| tokio::spawn(async move { load_new(&cache).await }));
        let others: Vec<_> = others.collect();
        tokio::task::yield_now().await;
        go.send(()).unwrap();
        assert_eq!(late.await.unwrap(), "old");
        for other in others {
            assert_eq!(other.await.unwrap(), "old");
        }
        Ok::<_, Infallible>(())
    };
    b.write("k", change).await.unwrap();
    assert_eq!(a.stats().loads, 2, "one before, one for all");
    until("it hears of it", || a.near_stats().copies == 0).await;
    assert_eq!(load_new(&a).await, "new");
}

/// A tag is for all caches of a store: also for another one in the same process, at once.
#[tokio::test]
async fn another_cache_of_the_process_sees_an_invalidated_tag_at_once() {
    let server = RedisServer::start().await;
    let link = Link::to(server.port());
    let shared = connected(store(By::Redis, &link.url())).await;
    let pages = settings(&shared).build().unwrap();
    let lists = Cache::builder("lists", shared as _).build().unwrap();
    load_new(&lists).await;
    assert!(lists.get("k").await.unwrap().is_some());
    link.withhold_pushes(true);
    pages.invalidate_tag("t").await.unwrap();
    assert_eq!(
        lists.get("k").await.unwrap(),
        None::<std::sync::Arc<String>>
    );
}
