//! More servers than one: Sentinels and clusters, by URL.

mod cluster;
mod moving;
mod reading;
mod sentinel;
mod servers;
mod urls;

use std::sync::{Arc, Weak};

use cloakroom_testkit::conformance::Fixture;
use servers::{Cluster, Sentinels};
use tokio::sync::Mutex;

use crate::store::shared::fixture_on;

/// The cluster that tests share which leave it as it is.
async fn shared_cluster() -> Arc<Cluster> {
    static SHARED: Mutex<Weak<Cluster>> = Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(cluster) = shared.upgrade() {
        return cluster;
    }
    let cluster = Arc::new(Cluster::start().await);
    *shared = Arc::downgrade(&cluster);
    cluster
}

async fn shared_sentinels() -> Arc<Sentinels> {
    static SHARED: Mutex<Weak<Sentinels>> = Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(sentinels) = shared.upgrade() {
        return sentinels;
    }
    let sentinels = Arc::new(Sentinels::start().await);
    *shared = Arc::downgrade(&sentinels);
    sentinels
}

/// Four instances on three masters with their replicas.
pub(crate) async fn cluster_fixture(case: &str) -> Fixture {
    let cluster = shared_cluster().await;
    let masters = cluster.nodes[..3].to_vec();
    fixture_on(&cluster.url(), masters, cluster, case).await
}

/// Four instances on a master that Sentinels watch.
pub(crate) async fn sentinel_fixture(case: &str) -> Fixture {
    let sentinels = shared_sentinels().await;
    let master = vec![Arc::clone(&sentinels.servers[0])];
    fixture_on(&sentinels.url(), master, sentinels, case).await
}
