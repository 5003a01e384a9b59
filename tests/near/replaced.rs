//! A server that was replaced and doesn't know it, while connections to it stand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloakroom::redis::{FredDriver, RedisDriver};
use cloakroom_core::{Address, Clock as _, Freshness, Loaded, SessionStore, SystemClock};
use cloakroom_near::{Limits, NearStore};
use cloakroom_redis::{ChannelRules, Driver};
use cloakroom_testkit::conformance::draft::anonymous;
use cloakroom_testkit::redis::from_redis_value;
use cloakroom_testkit::{RedisServer, eventually};

use super::network::{Kind, Network};
use super::through::Through;
use super::world::{BOUND, LIMIT};

const WITHIN: Freshness = Freshness {
    within: BOUND,
    ..Freshness::NOW
};

/// What an instance still has to do with the old server.
#[derive(Debug, Clone, Copy)]
enum Left {
    /// Its commands go there. Messages come from the new one, to which the address leads by now.
    Commands,
    /// Everything goes there: it became the replica of nobody, and kept its connections.
    Everything,
}

/// How long a session is shown that ended on the new server.
async fn shown_for(driver: impl Driver + Copy, left: Left, rules: ChannelRules) -> Duration {
    let old = RedisServer::start().await;
    let new = replica_of(&old).await;
    let network = Arc::new(Network::default());
    let through = Through {
        driver,
        network: Arc::clone(&network),
    };
    let store = cloakroom::redis::store_with(through, old.url())
        .renewal_interval(BOUND / 8)
        .rules(rules);
    let store = Arc::new(store.connect().await.unwrap());
    let near = NearStore::new(store.clone(), Limits::default());
    let session = anonymous(store.buckets().get(9).unwrap());
    store.create(&session).await.unwrap();
    let bucket = session.at.bucket;
    let channel = store.channel().unwrap();
    let term = || channel.lease(bucket).term;
    let proven = || {
        let lease = channel.lease(bucket);
        let age = lease.age(lease.term, SystemClock.moment());
        age.is_some_and(|age| age < BOUND / 2)
    };
    assert!(eventually(LIMIT, || async { proven() }).await);
    let copied = || async { holds(&new, session.at).await };
    assert!(eventually(LIMIT, copied).await);

    let before = term();
    new.command(&["REPLICAOF", "NO", "ONE"]).await;
    if let Left::Commands = left {
        network.redirect(old.port(), new.port());
        for link in network.links(&[Kind::Messages]) {
            link.cut_now(usize::MAX);
        }
        let again = || async { term() > before && proven() };
        assert!(eventually(LIMIT, again).await);
    }

    // A copy of the present term, and then its end, by somebody who knows the new server alone.
    let loaded = near.load(session.at, WITHIN).await.unwrap();
    assert!(matches!(loaded, Loaded::Found { .. }));
    if let Left::Everything = left {
        old.command(&["REPLICAOF", "127.0.0.1", "1"]).await;
    }
    let elsewhere = cloakroom::redis::store_with(driver, new.url())
        .connect()
        .await
        .unwrap();
    elsewhere.end(session.at).await.unwrap();
    let ended = Instant::now();
    let mut shown = Duration::ZERO;
    while ended.elapsed() < 4 * Duration::try_from(BOUND).unwrap() {
        let asked = ended.elapsed();
        if let Ok(Loaded::Found { .. }) = near.load(session.at, WITHIN).await {
            shown = asked;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shown
}

async fn holds(server: &RedisServer, at: Address) -> bool {
    let pattern = format!("*:s:{}", at.digest.to_hex());
    let keys = server.command(&["KEYS", &pattern]).await;
    let keys: Vec<String> = from_redis_value(keys).unwrap();
    !keys.is_empty()
}

async fn replica_of(main: &RedisServer) -> RedisServer {
    let main = format!("127.0.0.1 {}", main.port());
    RedisServer::builder()
        .arg("--replicaof", main)
        .start()
        .await
}

/// With all rules within the bound, and without this one for ever.
async fn needs(driver: impl Driver + Copy, left: Left, without: ChannelRules) {
    let shown = shown_for(driver, left, ChannelRules::ALL).await;
    println!("{driver:?}, {left:?}: shown for {shown:?} after its end");
    assert!(shown < BOUND);
    let shown = shown_for(driver, left, without).await;
    assert!(
        shown > 3 * BOUND,
        "without the rule it is shown for ever: {shown:?}"
    );
}

async fn messages_come_from_where_commands_go(driver: impl Driver + Copy) {
    let without = ChannelRules {
        one_server: false,
        ..ChannelRules::ALL
    };
    needs(driver, Left::Commands, without).await;
}

/// Nothing else would tell an instance that only reads its copies.
async fn a_renewal_writes(driver: impl Driver + Copy) {
    let without = ChannelRules {
        write: false,
        ..ChannelRules::ALL
    };
    needs(driver, Left::Everything, without).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_come_from_where_commands_go_redis() {
    messages_come_from_where_commands_go(RedisDriver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_come_from_where_commands_go_fred() {
    messages_come_from_where_commands_go(FredDriver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_writes_redis() {
    a_renewal_writes(RedisDriver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_writes_fred() {
    a_renewal_writes(FredDriver).await;
}
