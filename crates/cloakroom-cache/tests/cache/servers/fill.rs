//! A value on its way from the store, overtaken by the message that says that it is wrong.

use super::instance::{Database, connected, settings, until};
use cloakroom_cache::Cache;
use cloakroom_core::BoxFuture;
use cloakroom_driver_redis::RedisDriver;
use cloakroom_redis::{
    Command, Connection, Driver, DriverError, Endpoint, EventSink, RedisStore, Reply,
};
use cloakroom_testkit::RedisServer;
use std::time::Duration;
use tokio::time::sleep;

/// Lets the replies to scripts come late, by chance and each by itself; messages come at once.
#[derive(Debug)]
struct LateReplies;

#[derive(Debug)]
struct Late(Box<dyn Connection>);

impl Driver for LateReplies {
    fn connect<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        events: EventSink,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, DriverError>> {
        Box::pin(async move {
            let connection = RedisDriver.connect(endpoint, events).await?;
            Ok(Box::new(Late(connection)) as _)
        })
    }
}

impl Connection for Late {
    fn call(&self, command: Command) -> BoxFuture<'_, Result<Reply, DriverError>> {
        Box::pin(async move {
            let is_script = command.parts()[0] == b"EVALSHA"[..];
            let reply = self.0.call(command).await;
            if is_script {
                sleep(Duration::from_micros(fastrand::u64(0..6_000))).await;
            }
            reply
        })
    }

    fn pipeline(&self, commands: Vec<Command>) -> BoxFuture<'_, Result<Vec<Reply>, DriverError>> {
        self.0.pipeline(commands)
    }
}

type Strings = Cache<String, String>;

/// A value is in the store; A reads it while B changes it.
async fn race(seed: u64, a: Strings, b: Strings) -> Database {
    let (database, mut random) = (Database::default(), fastrand::Rng::with_seed(seed));
    let key = seed.to_string();
    database.change();
    database.read(&b, &key, Duration::ZERO).await.unwrap();
    let mut pause = || Duration::from_micros(random.u64(0..6_000));
    let (first, second, third) = (pause(), pause(), pause());
    let change = async {
        sleep(first).await;
        database.change();
        b.invalidate(&key).await.unwrap();
    };
    let read = async |after| {
        sleep(after).await;
        database.read(&a, &key, third / 4).await.unwrap();
    };
    tokio::join!(change, read(second), read(third));
    database
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_reply_that_comes_after_the_message_is_not_kept() {
    const RACES: u64 = 1500;
    let server = RedisServer::start().await;
    let late = RedisStore::builder(LateReplies, server.url());
    let interval = time::Duration::milliseconds(100);
    let late = connected(late.renewal_interval(interval)).await;
    let other = RedisStore::builder(RedisDriver, server.url());
    let other = connected(other.renewal_interval(interval)).await;
    // A bound that is never reached: nothing but the message drops a copy.
    let long = time::Duration::HOUR;
    let cache = |store| settings(store).max_staleness(long).build().unwrap();
    let (a, b) = (cache(&late), cache(&other));
    let mut databases = Vec::new();
    for first in (0..RACES).step_by(100) {
        let seeds = first..first + 100;
        let all = seeds.map(|seed| tokio::spawn(race(seed, a.clone(), b.clone())));
        databases.extend(futures_util::future::try_join_all(all).await.unwrap());
    }
    // One connection's messages come in their order: with this one, all were heard.
    a.insert("last", String::new()).await.unwrap();
    let copies = a.near_stats().copies;
    b.invalidate("last").await.unwrap();
    until("it is heard", || a.near_stats().copies < copies).await;
    let mut near = 0;
    for (seed, database) in databases.iter().enumerate() {
        let hits = a.stats().near_hits;
        let read = database.read(&a, &seed.to_string(), Duration::ZERO).await;
        assert_eq!(read.unwrap(), 2, "seed {seed}");
        near += a.stats().near_hits - hits;
    }
    let fenced = a.near_stats().fenced;
    println!("{RACES} races: {fenced} old replies kept out; {near} copies were good");
    assert!(fenced > RACES / 50 && near > RACES / 50);
}
