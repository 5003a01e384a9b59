//! A server without room.

use super::instance::{BOUND, Database, LIMIT, instance};
use cloakroom_cache::{Cache, Load};
use cloakroom_testkit::{RedisServer, eventually};
use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

const NOW: Duration = Duration::ZERO;

/// Fills a server, and then takes away what room is left.
async fn fill(server: &RedisServer) {
    server
        .command(&["SET", "ballast", &"x".repeat(1 << 20)])
        .await;
    server.command(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
    let refused = server.try_command(&["SET", "more", "x"]).await;
    assert!(refused.is_err(), "it is full");
}

async fn tagged(cache: &Cache<String, String>, value: &str) -> String {
    let value = value.to_owned();
    let load = move || async move { Ok::<_, Infallible>(Load::new(value).tag("t")) };
    cache.get_or_load("tagged", load).await.unwrap().to_string()
}

#[tokio::test]
async fn a_full_server_serves_what_it_has_and_takes_invalidations() {
    let server = RedisServer::start().await;
    let (a, b) = (instance(&server.url()).await, instance(&server.url()).await);
    let data = Database::default();
    tagged(&a, "before").await;
    a.invalidate("tagged").await.unwrap();
    assert_eq!(tagged(&a, "old").await, "old");
    data.read(&a, "present", NOW).await.unwrap();
    fill(&server).await;

    assert_eq!(data.read(&b, "present", NOW).await.unwrap(), 0, "read");
    assert_eq!(tagged(&b, "other").await, "old");
    assert_eq!(data.loads(), 1);
    data.change();
    assert_eq!(data.read(&b, "absent", NOW).await.unwrap(), 1, "loaded");
    assert_eq!(data.read(&a, "absent", NOW).await.unwrap(), 1, "not stored");
    assert_eq!(data.loads(), 3);

    b.invalidate("present").await.unwrap();
    b.invalidate_tag("t").await.unwrap();
    let heard = || async {
        data.read(&a, "present", NOW).await.unwrap() == 1 && tagged(&a, "new").await == "new"
    };
    assert!(eventually(LIMIT, heard).await);
    assert_eq!(tagged(&b, "new").await, "new");
    let change = || async { Ok::<_, Infallible>(data.change()) };
    let written = b.write("present", change).await;
    println!("a write on a full server: {written:?}");

    server.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    let stored = || async {
        data.read(&a, "absent", NOW).await.unwrap();
        let fresh = instance(&server.url()).await;
        fresh.get("absent").await.unwrap().is_some()
    };
    assert!(eventually(LIMIT, stored).await, "it is kept again");
}

/// It holds no lease, so not every change of it may be heard of.
#[tokio::test]
async fn what_a_full_server_does_not_take_serves_no_longer_than_the_bound() {
    let server = RedisServer::start().await;
    let cache = instance(&server.url()).await;
    fill(&server).await;
    let data = Database::default();
    let began = Instant::now();
    for _ in 0..20 {
        data.read(&cache, "k", NOW).await.unwrap();
    }
    assert!(data.loads() == 1 || began.elapsed() > BOUND, "it is reused");
    let version = data.change();
    let changed = Instant::now();
    let shown = || async { data.read(&cache, "k", NOW).await.unwrap() == version };
    assert!(eventually(LIMIT, shown).await);
    let took = changed.elapsed();
    assert!(took < BOUND * 2, "{took:?}");
}

#[tokio::test]
async fn an_evicted_entry_is_a_miss_and_never_an_error() {
    let server = RedisServer::builder()
        .arg("--maxmemory-policy", "allkeys-lru")
        .start()
        .await;
    let cache = instance(&server.url()).await;
    let used: String = {
        let info = server.command(&["INFO", "memory"]).await;
        cloakroom_testkit::redis::from_redis_value(info).unwrap()
    };
    let used = used
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    let used: usize = used.unwrap().trim().parse().unwrap();
    let room = (used + (1 << 20)).to_string();
    server.command(&["CONFIG", "SET", "maxmemory", &room]).await;
    let big = "x".repeat(10_000);
    let read = async |key: usize| {
        let (big, key) = (big.clone(), key.to_string());
        let load = move || async move { Ok::<_, Infallible>(Load::new(big).tag("t")) };
        cache.get_or_load(&key, load).await.unwrap()
    };
    for key in 0..400 {
        assert_eq!(read(key).await.len(), 10_000);
    }
    let fresh = instance(&server.url()).await;
    let (mut hits, mut misses) = (0, 0);
    for key in 0..400 {
        match fresh.get(&key.to_string()).await.unwrap() {
            Some(_) => hits += 1,
            None => misses += 1,
        }
    }
    println!("400 values of 10 kB in 1 MiB: {hits} are there, {misses} were evicted");
    assert!(misses > 0);
}
