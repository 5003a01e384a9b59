//! How many commands an operation sends to the server.

use super::instance::{Database, asked, instance};
use cloakroom_cache::{Cache, Load};
use cloakroom_testkit::RedisServer;
use std::{convert::Infallible, time::Duration};

/// What was asked of the server during this, which must have been scripts alone.
async fn cost(server: &RedisServer, what: impl Future<Output = ()>) -> u64 {
    server.reset_stats().await;
    what.await;
    asked(&server.command_stats().await)
}

async fn read(cache: &Cache<String, String>) {
    let load = || async { Ok::<_, Infallible>("v".to_owned()) };
    cache.get_or_load("k", load).await.unwrap();
}

#[tokio::test]
async fn each_operation_sends_as_few_commands_as_it_can() {
    let server = RedisServer::start().await;
    let (a, b) = (instance(&server.url()).await, instance(&server.url()).await);
    let load = cost(&server, read(&a)).await;
    let near_hit = cost(&server, read(&a)).await;
    let store_hit = cost(&server, read(&b)).await;
    let get = cost(&server, async { drop(b.get("k").await.unwrap()) }).await;
    let invalidate = cost(&server, async { a.invalidate("k").await.unwrap() }).await;
    let write = async {
        let change = || async { Ok::<_, Infallible>(()) };
        a.write("k", change).await.unwrap();
    };
    let write = cost(&server, write).await;
    let insert = async { a.insert("k", "w".to_owned()).await.unwrap() };
    let insert = cost(&server, insert).await;
    let tag = async { a.invalidate_tag("t").await.unwrap() };
    let tag = cost(&server, tag).await;
    println!(
        "commands: load {load}, near hit {near_hit}, store hit {store_hit}, get near {get}, \
         invalidate {invalidate}, write {write}, insert {insert}, invalidate_tag {tag}"
    );
    assert_eq!((load, near_hit, store_hit, get), (2, 0, 1, 0));
    assert_eq!((invalidate, write, insert, tag), (1, 2, 1, 1));
}

#[tokio::test]
async fn a_tag_is_asked_for_once() {
    let server = RedisServer::start().await;
    let (a, b) = (instance(&server.url()).await, instance(&server.url()).await);
    let read = async |cache: &Cache<String, String>, key: &str| {
        let load = || async { Ok::<_, Infallible>(Load::new("v".to_owned()).tag("t")) };
        cache.get_or_load(key, load).await.unwrap();
    };
    // The tag is there before: the first load of it might be refused for that alone.
    read(&a, "before").await;
    let load = cost(&server, read(&a, "k1")).await;
    let first = cost(&server, read(&b, "k1")).await;
    read(&a, "k2").await;
    let second = cost(&server, read(&b, "k2")).await;
    let near_hit = cost(&server, read(&b, "k2")).await;
    println!(
        "with a tag: load {load}; store hit {first}, with the tag near {second}; near hit {near_hit}"
    );
    assert_eq!((load, first, second, near_hit), (2, 2, 1, 0));
}

/// A hundred readers of one instance are one fetch.
#[tokio::test]
async fn readers_of_one_instance_share_a_fetch() {
    let server = RedisServer::start().await;
    let (a, b) = (instance(&server.url()).await, instance(&server.url()).await);
    let database = Database::default();
    database.read(&a, "k", Duration::ZERO).await.unwrap();
    let all = async {
        let each = (0..100).map(|_| database.read(&b, "k", Duration::ZERO));
        futures_util::future::join_all(each).await;
    };
    let all = cost(&server, all).await;
    println!("100 readers at once: {all} command");
    assert_eq!((all, database.loads()), (1, 1));
}
