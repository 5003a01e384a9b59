//! Loads before the end of the fresh time, and who comes to wait for one.

use super::instance::{By, connected, settings, store, until};
use cloakroom_cache::Cache;
use cloakroom_testkit::{Direction, Link, RedisServer};
use std::{convert::Infallible, time::Duration};

async fn load(value: &'static str, takes: Duration) -> Result<String, Infallible> {
    tokio::time::sleep(takes).await;
    Ok(value.to_owned())
}

/// An early load gives way to another instance's. Who joined it, because the value ended meanwhile,
/// needs a value all the same.
#[tokio::test]
async fn who_joins_an_early_load_that_gives_way_waits_for_the_other() {
    let server = RedisServer::start().await;
    let link = Link::to(server.port());
    let fresh = time::Duration::milliseconds(1500);
    let build = async |url: String| -> Cache<String, String> {
        let patient = store(By::Redis, &url).command_timeout(time::Duration::seconds(10));
        let store = connected(patient).await;
        let cache = settings(&store).max_staleness(time::Duration::HOUR);
        cache.fresh_for(fresh).early(1000.0).build().unwrap()
    };
    let (a, b) = (build(link.url()).await, build(server.url()).await);
    let short = Duration::from_millis(50);
    let over = tokio::time::Instant::now() + Duration::from_millis(1600);
    let first = a.get_or_load("k", move || load("first", short)).await;
    assert_eq!(*first.unwrap(), "first");
    // It is served, and B holds the lease: a while longer than the value is fresh.
    let long = Duration::from_secs(4);
    // By chance, if by a good one.
    while b.stats().early == 0 {
        let served = b.get_or_load("k", move || load("second", long)).await;
        assert_eq!(*served.unwrap(), "first");
    }
    until("B loads early", || b.stats().loads == 1).await;
    // A's own early load is still asking when the value's time is over.
    link.delay(Direction::ToServer, Duration::from_millis(2000));
    while a.stats().early == 0 {
        let served = a.get_or_load("k", move || load("third", short)).await;
        assert_eq!(*served.unwrap(), "first");
    }
    tokio::time::sleep_until(over).await;
    let joined = a.get_or_load("k", move || load("third", short));
    // Polled in this order: it waits for the early load, and then that is answered.
    let (joined, ()) = tokio::join!(joined, async {
        link.delay(Direction::ToServer, Duration::ZERO);
    });
    assert_eq!(*joined.unwrap(), "second");
    assert_eq!(a.stats().loads, 1, "the first");
}
