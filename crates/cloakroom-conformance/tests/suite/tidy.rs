//! The small store conforms.

use cloakroom_conformance::{Suite, v0_15};

use crate::store::Tidy;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_keeps_what_it_owes_conforms() {
    let store = Tidy::default();
    let (broken, mended) = (store.clone(), store.clone());
    let report = Suite::new(move || {
        let store = store.clone();
        async move { v0_15::instance(store) }
    })
    .outage(
        move || {
            let store = broken.clone();
            async move { store.state().down = true }
        },
        move || {
            let store = mended.clone();
            async move { store.state().down = false }
        },
    )
    .assert()
    .await;
    println!("{report}");
    assert_eq!(report.not_tried().count(), 0, "{report}");
}
