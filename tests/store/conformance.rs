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
