//! A real master under sentinels: who leads, and how that changes.

// What a helper of a test can't get, fails the test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use cloakroom_testkit::{RedisSentinel, RedisServer, eventually};

const LIMIT: Duration = Duration::from_secs(30);

/// Sentinels that find failures soon.
async fn quick() -> RedisSentinel {
    RedisSentinel::builder().brisk().start().await
}

async fn expect_key(server: &RedisServer) {
    let there = || async { server.keys().await == [b"a"] };
    assert!(eventually(LIMIT, there).await, "{}", server.log());
}

#[tokio::test]
async fn all_agree_at_the_start() {
    let group = quick().await;
    assert_eq!((group.servers().len(), group.sentinel_urls().len()), (3, 3));
    let master = group.master().await;
    assert_eq!(master.url(), group.servers()[0].url());
    master.command(&["SET", "a", "1"]).await;
    for replica in group.replicas().await {
        expect_key(replica).await;
    }
    assert_eq!(group.replicas().await.len(), 2);
}

#[tokio::test]
async fn a_killed_master_is_replaced_and_comes_back_as_replica() {
    let group = quick().await;
    let old = group.master().await;
    old.command(&["SET", "a", "1"]).await;
    old.command(&["WAIT", "2", "5000"]).await;
    old.kill();
    let new = group.successor_of(old).await;
    expect_key(new).await;
    group.restart_as_replica(old).await;
    group.wait_until_settled().await;
    expect_key(old).await;
    assert_eq!(group.master().await.url(), new.url());
}

#[tokio::test]
async fn a_paused_master_comes_back_as_one_until_the_sentinels_notice() {
    let group = quick().await;
    let old = group.master().await;
    old.pause();
    let new = group.successor_of(old).await;
    old.resume();
    group.wait_until_settled().await;
    assert_eq!(group.replicas().await.len(), 2);
    assert_eq!(group.master().await.url(), new.url());
}

#[tokio::test]
async fn a_master_that_is_well_is_replaced_on_demand_and_again() {
    let group = quick().await;
    let old = group.master().await;
    let new = group.failover().await;
    assert_ne!(old.url(), new.url());
    group.wait_until_settled().await;
    let newest = group.failover().await;
    assert_ne!(new.url(), newest.url());
}

#[tokio::test]
async fn a_master_behind_a_cut_link_is_isolated_and_replaced() {
    let group = RedisSentinel::builder().brisk().linked().start().await;
    let old = group.master().await;
    old.link().cut();
    group.successor_of(old).await;
    let role = format!("{:?}", old.command(&["ROLE"]).await);
    assert!(role.contains("master"), "it does not know: {role}");
    old.link().heal();
    group.wait_until_settled().await;
}

#[tokio::test]
async fn a_sentinel_that_restarts_remembers() {
    let group = quick().await;
    let sentinel = &group.sentinels()[0];
    sentinel.kill();
    let new = group.failover().await;
    sentinel.restart().await;
    group.wait_until_settled().await;
    assert_eq!(group.master().await.url(), new.url());
}

#[tokio::test]
#[should_panic(expected = "`apt-get install -y redis-server`")]
async fn a_missing_program_fails_with_what_installs_it() {
    let builder = RedisSentinel::builder().program("no-such-program");
    builder.start().await;
}
