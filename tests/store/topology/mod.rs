//! More servers than one: Sentinels and clusters, by URL.

mod again;
mod cluster;
mod moving;
mod reading;
mod sentinel;
mod urls;

use std::sync::{Arc, Weak};
use std::time::Duration;

use cloakroom_redis::Driver;
use cloakroom_testkit::conformance::Fixture;
use cloakroom_testkit::{RedisCluster, RedisClusterBuilder, RedisSentinel, RedisServer};
use tokio::sync::Mutex;

use crate::store::fixtures::{fixture_on, near_fixture_on};

/// How long a master is missed before a replica takes its place.
const NODE_TIMEOUT: Duration = Duration::from_secs(1);

/// On a busy machine nobody is to be taken for dead who is only slow.
const NEVER: Duration = Duration::from_secs(120);

/// A cluster to start that misses a master quickly, and whose other masters serve on meanwhile.
fn cluster() -> RedisClusterBuilder {
    let builder = RedisCluster::builder().node_timeout(NODE_TIMEOUT);
    builder.arg("--cluster-require-full-coverage", "no")
}

/// `redis-cluster://` with some of the nodes.
fn url(cluster: &RedisCluster) -> String {
    let nodes = cluster.nodes().iter().take(2);
    format!("redis-cluster://{}", hosts(nodes.map(|node| &**node)))
}

/// `redis-sentinel://` with all Sentinels.
fn sentinel_url(all: &RedisSentinel) -> String {
    let sentinels = hosts(all.sentinels());
    format!("redis-sentinel://{sentinels}/?master={}", all.name())
}

fn hosts<'a>(servers: impl IntoIterator<Item = &'a RedisServer>) -> String {
    let host = |server: &RedisServer| format!("127.0.0.1:{}", server.port());
    let hosts: Vec<_> = servers.into_iter().map(host).collect();
    hosts.join(",")
}

/// The cluster that tests share which leave it as it is.
async fn shared_cluster() -> Arc<RedisCluster> {
    static SHARED: Mutex<Weak<RedisCluster>> = Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(cluster) = shared.upgrade() {
        return cluster;
    }
    let builder = RedisCluster::builder().node_timeout(NEVER);
    let cluster = Arc::new(builder.start().await);
    *shared = Arc::downgrade(&cluster);
    cluster
}

async fn shared_sentinels() -> Arc<RedisSentinel> {
    static SHARED: Mutex<Weak<RedisSentinel>> = Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(sentinels) = shared.upgrade() {
        return sentinels;
    }
    let builder = RedisSentinel::builder().replicas(1).down_after(NEVER);
    let sentinels = Arc::new(builder.start().await);
    *shared = Arc::downgrade(&sentinels);
    sentinels
}

/// Four instances on three masters with their replicas.
pub(crate) async fn cluster_fixture(driver: impl Driver + Copy, case: &str) -> Fixture {
    let cluster = shared_cluster().await;
    fixture_on(driver, &url(&cluster), cluster, case).await
}

/// The same, each with copies.
pub(crate) async fn near_cluster_fixture(driver: impl Driver + Copy, case: &str) -> Fixture {
    let cluster = shared_cluster().await;
    near_fixture_on(driver, &url(&cluster), cluster, case).await
}

/// Four instances on a master that Sentinels watch.
pub(crate) async fn sentinel_fixture(driver: impl Driver + Copy, case: &str) -> Fixture {
    let sentinels = shared_sentinels().await;
    fixture_on(driver, &sentinel_url(&sentinels), sentinels, case).await
}

/// The same, each with copies.
pub(crate) async fn near_sentinel_fixture(driver: impl Driver + Copy, case: &str) -> Fixture {
    let sentinels = shared_sentinels().await;
    near_fixture_on(driver, &sentinel_url(&sentinels), sentinels, case).await
}
