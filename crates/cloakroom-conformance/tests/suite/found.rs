//! Every flaw is found, and every case finds one.

use std::collections::BTreeSet;
use std::time::Duration;

use cloakroom_conformance::{Case, Report, Suite, v0_15};
use time::OffsetDateTime;

use crate::flawed::Flawed;
use crate::flaws::{FLAWS, Flaw, LIBERTIES};
use crate::store::Tidy;

/// Long enough for a busy machine; the flaws that hang do so in few cases.
const DEADLINE: Duration = Duration::from_secs(3);

fn suite(flaw: Flaw) -> Suite {
    let tidy = Tidy::default();
    match flaw {
        Flaw::IgnoresExpiry => tidy.state().now = || OffsetDateTime::UNIX_EPOCH,
        Flaw::DiffsAgainstTheFirstLoad => tidy.state().learns_from_saves = false,
        _ => {}
    }
    let (broken, mended) = (tidy.clone(), tidy.clone());
    Suite::new(move || {
        let store = Flawed::new(tidy.clone(), flaw);
        async move { v0_15::instance(store) }
    })
    .deadline(DEADLINE)
    .recovery(DEADLINE)
    .outage(
        move || {
            let tidy = broken.clone();
            async move { tidy.state().down = true }
        },
        move || {
            let tidy = mended.clone();
            async move {
                let mut state = tidy.state();
                state.down = false;
                if flaw == Flaw::ForgetsInOutages {
                    state.sessions.clear();
                }
            }
        },
    )
}

fn name(case: &Case) -> String {
    format!("{}::{}", case.group(), case.name())
}

fn broken(report: &Report) -> BTreeSet<String> {
    report.broken().map(name).collect()
}

/// The names of these cases, with the names of all of its cases for a whole group.
fn spelled_out(expected: &[&str], report: &Report) -> BTreeSet<String> {
    let matches = |name: &String| {
        let named = |expected: &&str| match expected.strip_suffix('*') {
            Some(group) => name.starts_with(group),
            None => name == expected,
        };
        expected.iter().any(named)
    };
    report.cases().map(name).filter(matches).collect()
}

#[tokio::test]
async fn each_flaw_is_found_and_each_case_finds_one() {
    let runs = FLAWS.iter().map(|(flaw, expected)| {
        let run = tokio::spawn(async move { suite(*flaw).run().await });
        (*flaw, *expected, run)
    });
    let (mut wrong, mut found, mut all) = (String::new(), BTreeSet::new(), BTreeSet::new());
    for (flaw, expected, run) in runs.collect::<Vec<_>>() {
        let report = run.await.expect("the suite does not panic");
        let expected = spelled_out(expected, &report);
        let seen = broken(&report);
        // A case that can't be tried because of the flaw is none that finds it.
        if seen != expected {
            wrong += &format!("{flaw:?} should break {expected:#?}\n{report}\n\n");
        }
        found.extend(seen);
        all.extend(report.cases().map(name));
    }
    assert!(wrong.is_empty(), "{wrong}");
    let never: Vec<_> = all.difference(&found).collect();
    assert!(never.is_empty(), "no flaw breaks {never:?}");
}

#[tokio::test]
async fn what_a_store_may_do_breaks_nothing() {
    let runs = LIBERTIES.map(|liberty| {
        let run = tokio::spawn(async move { suite(liberty).run().await });
        (liberty, run)
    });
    for (liberty, run) in runs {
        let report = run.await.expect("the suite does not panic");
        assert!(report.conforms(), "{liberty:?}\n{report}");
        assert_eq!(report.not_tried().count(), 0, "{liberty:?}\n{report}");
    }
}
