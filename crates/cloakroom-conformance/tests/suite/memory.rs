//! The memory stores of tower-sessions, as published: what they keep of this, and what not.
//!
//! A save puts the whole record in its place. What follows from it is written down here, so that a
//! version that does otherwise is noticed.

use cloakroom_conformance::{Report, Suite, v0_14, v0_15};

/// A save writes the record whether the session is still there or not, and whatever else was written
/// since it was loaded.
const BROKEN: [&str; 12] = [
    "gone::a_save_after_a_delete_writes_nothing",
    "gone::a_save_of_an_unknown_id_makes_nothing",
    "gone::a_save_of_an_expired_session_makes_nothing",
    "gone::a_save_on_another_instance_brings_nothing_back",
    "gone::a_save_beside_a_delete_brings_nothing_back",
    "overlap::many_writers_each_keep_theirs",
    "overlap::writers_on_two_instances_each_keep_theirs",
    "overlap::a_removal_and_an_addition_both_hold",
    "overlap::a_save_that_changes_nothing_undoes_nothing",
    "overlap::the_later_of_two_writes_holds",
    "rotation::a_save_under_the_old_id_brings_nothing_back",
    "rotation::beside_saves_the_old_id_stays_gone",
];

#[tokio::test]
async fn the_memory_store_of_0_14_keeps_whole_records() {
    let store = tower_sessions_memory_store_014::MemoryStore::default();
    let suite = Suite::new(move || {
        let store = store.clone();
        async move { v0_14::instance(store) }
    });
    check(&suite.run().await);
}

#[tokio::test]
async fn the_memory_store_of_0_15_keeps_whole_records() {
    let store = tower_sessions_memory_store_015::MemoryStore::default();
    let suite = Suite::new(move || {
        let store = store.clone();
        async move { v0_15::instance(store) }
    });
    check(&suite.run().await);
}

fn check(report: &Report) {
    println!("{report}");
    let broken = report.broken();
    let broken: Vec<_> = broken
        .map(|case| format!("{}::{}", case.group(), case.name()))
        .collect();
    assert_eq!(broken, BROKEN, "{report}");
    assert!(report.not_tried().all(|case| case.group() == "outage"));
}
