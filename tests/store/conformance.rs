//! Every case of the suite, against every store.

mod memory {
    use cloakroom_testkit::conformance::Fixture;

    async fn fixture(_case: &str) -> Fixture {
        Fixture::memory()
    }

    cloakroom_testkit::session_store_conformance!(fixture);
}

mod redis {
    use crate::store::shared::fixture;

    cloakroom_testkit::session_store_conformance!(fixture);
}

mod sentinel {
    use crate::store::topology::sentinel_fixture as fixture;

    cloakroom_testkit::session_store_conformance!(fixture);
}

mod cluster {
    use crate::store::topology::cluster_fixture as fixture;

    cloakroom_testkit::session_store_conformance!(fixture);
}
