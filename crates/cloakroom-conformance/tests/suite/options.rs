//! What the suite can be told, and what it makes of a store that can't even be opened.

use std::future::pending;
use std::time::Duration;

use cloakroom_conformance::{Outcome, Suite, v0_15};

use crate::flawed::{BRIEFLY, Flawed};
use crate::flaws::Flaw;
use crate::store::Tidy;

fn unopenable() -> Suite {
    Suite::new(|| async { panic!("no server") })
}

#[tokio::test]
async fn copies_may_be_stale_for_as_long_as_was_said() {
    let tidy = Tidy::default();
    Suite::new(move || {
        let store = Flawed::new(tidy.clone(), Flaw::KeepsCopiesBriefly);
        async move { v0_15::instance(store) }
    })
    .staleness(BRIEFLY)
    .assert()
    .await;
}

#[tokio::test]
async fn a_store_that_can_not_be_opened_breaks_every_case_and_ends_none() {
    let report = unopenable().run().await;
    assert!(!report.conforms());
    for case in report.cases().filter(|case| case.group() != "outage") {
        let seen = "opening panicked: no server".to_owned();
        assert_eq!(case.outcome(), &Outcome::Broken(seen), "{case}");
    }
}

#[tokio::test]
async fn a_store_that_never_opens_hangs() {
    let suite = Suite::new(pending).deadline(Duration::from_millis(10));
    let report = suite.run().await;
    let seen = Outcome::Broken("opening had not answered after 10ms".to_owned());
    let mut cases = report.cases().filter(|case| case.group() != "outage");
    assert!(cases.all(|case| case.outcome() == &seen), "{report}");
}

#[tokio::test]
async fn without_hooks_no_outage_is_tried() {
    let report = unopenable().run().await;
    let mut outage = report.cases().filter(|case| case.group() == "outage");
    assert!(outage.all(|case| matches!(case.outcome(), Outcome::NotTried(_))));
    assert_eq!(report.not_tried().count(), 4);
}

#[tokio::test]
async fn what_is_left_out_says_why() {
    let suite = unopenable()
        .leave_out("gone", "it keeps whole records")
        .leave_out("basics::sessions_do_not_mix", "it is alone");
    let report = suite.run().await;
    let why = |text: &str| Outcome::NotTried(text.to_owned());
    for case in report.cases() {
        match (case.group(), case.name()) {
            ("gone", _) => assert_eq!(case.outcome(), &why("it keeps whole records")),
            ("basics", "sessions_do_not_mix") => assert_eq!(case.outcome(), &why("it is alone")),
            ("outage", _) => {}
            _ => assert!(matches!(case.outcome(), Outcome::Broken(_)), "{case}"),
        }
    }
    let table = report.to_string();
    assert!(
        table.contains("not tried  sessions_do_not_mix: it is alone"),
        "{table}"
    );
}

#[tokio::test]
async fn only_what_is_asked_for_is_tried() {
    let suite = unopenable()
        .only("create")
        .only("basics::sessions_do_not_mix");
    let report = suite.run().await;
    let broken = report.broken().map(|case| (case.group(), case.name()));
    let tried = [
        ("basics", "sessions_do_not_mix"),
        ("create", "an_existing_session_is_never_overwritten"),
        ("create", "of_many_with_one_id_each_gets_its_own"),
    ];
    assert!(broken.eq(tried), "{report}");
    assert_eq!(report.cases().count(), report.not_tried().count() + 3);
}

#[test]
#[should_panic(expected = "neither a group nor a case \"gnoe\"")]
fn what_is_left_out_must_exist() {
    let _ = unopenable().leave_out("gnoe", "a slip of the pen");
}

#[tokio::test]
#[should_panic(
    expected = "the store does not conform\nbasics\n  BROKEN     what_is_created_is_loaded"
)]
async fn a_test_that_asserts_fails_with_the_table() {
    unopenable().assert().await;
}
