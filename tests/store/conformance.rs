//! Every case of the suite, against every store.

mod memory {
    use cloakroom_testkit::conformance::Fixture;

    async fn fixture(_case: &str) -> Fixture {
        Fixture::memory()
    }

    cloakroom_testkit::session_store_conformance!(fixture);
}

mod redis {
    use crate::store::shared;
    use cloakroom::redis::RedisDriver;
    use cloakroom_testkit::conformance::Fixture;

    async fn fixture(case: &str) -> Fixture {
        shared::fixture(RedisDriver, case).await
    }

    cloakroom_testkit::session_store_conformance!(fixture);
}

mod fred {
    use crate::store::shared;
    use cloakroom::redis::FredDriver;
    use cloakroom_testkit::conformance::Fixture;

    async fn fixture(case: &str) -> Fixture {
        shared::fixture(FredDriver, case).await
    }

    cloakroom_testkit::session_store_conformance!(fixture);
}

/// Each read is made of a copy and of the store behind it, and they must agree.
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

mod near_redis {
    use crate::store::shared;
    use cloakroom::redis::RedisDriver;
    use cloakroom_testkit::conformance::Fixture;

    async fn fixture(case: &str) -> Fixture {
        shared::near_fixture(RedisDriver, case).await
    }

    cloakroom_testkit::session_store_conformance!(fixture);
}

mod near_fred {
    use crate::store::shared;
    use cloakroom::redis::FredDriver;
    use cloakroom_testkit::conformance::Fixture;

    async fn fixture(case: &str) -> Fixture {
        shared::near_fixture(FredDriver, case).await
    }

    cloakroom_testkit::session_store_conformance!(fixture);
}
