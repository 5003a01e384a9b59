//! Every case of the suite, against every store: both drivers, on one server, behind Sentinels and
//! on a cluster, each without copies and with them. Where there are copies, each read is made of a
//! copy and of the store behind it, and the two must agree.

mod memory {
    use cloakroom_testkit::conformance::Fixture;

    async fn fixture(_case: &str) -> Fixture {
        Fixture::memory()
    }

    cloakroom_testkit::session_store_conformance!(fixture);
}

mod near_memory {
    use std::sync::Arc;

    use cloakroom_near::{Limits, NearStore};
    use cloakroom_testkit::conformance::Fixture;

    async fn fixture(_case: &str) -> Fixture {
        Fixture::near_memory(|store, clock| {
            Arc::new(NearStore::with_clock(store, Limits::default(), clock))
        })
    }

    cloakroom_testkit::session_store_conformance!(fixture);
}

/// The suite on stores that `$make` makes with each driver.
macro_rules! with_each_driver {
    ($($name:ident: $driver:ident, $make:path;)+) => {$(
        mod $name {
            use cloakroom::redis::$driver;
            use cloakroom_testkit::conformance::Fixture;

            async fn fixture(case: &str) -> Fixture {
                $make($driver, case).await
            }

            cloakroom_testkit::session_store_conformance!(fixture);
        }
    )+};
}

with_each_driver! {
    redis: RedisDriver, crate::store::fixtures::fixture;
    fred: FredDriver, crate::store::fixtures::fixture;
    near_redis: RedisDriver, crate::store::fixtures::near_fixture;
    near_fred: FredDriver, crate::store::fixtures::near_fixture;
    sentinel_redis: RedisDriver, crate::store::topology::sentinel_fixture;
    sentinel_fred: FredDriver, crate::store::topology::sentinel_fixture;
    near_sentinel_redis: RedisDriver, crate::store::topology::near_sentinel_fixture;
    near_sentinel_fred: FredDriver, crate::store::topology::near_sentinel_fixture;
    cluster_redis: RedisDriver, crate::store::topology::cluster_fixture;
    cluster_fred: FredDriver, crate::store::topology::cluster_fixture;
    near_cluster_redis: RedisDriver, crate::store::topology::near_cluster_fixture;
    near_cluster_fred: FredDriver, crate::store::topology::near_cluster_fixture;
}
