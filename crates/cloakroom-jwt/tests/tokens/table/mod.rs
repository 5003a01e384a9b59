//! The adversarial cases, one row each: what is presented, and what the answer must be.

mod claims;
mod form;
mod headers;
mod signatures;

use crate::forge::{public, ring, verifier};
use cloakroom_core::Clock as _;
use cloakroom_core::ManualClock;
use time::Duration;

const GOOD: &str = "accepted";

/// A case: the number that the checklist has for it, which variant, the token, the answer.
struct Row {
    case: &'static str,
    variant: String,
    token: String,
    answer: String,
}

fn row(case: &'static str, variant: impl Into<String>, token: String, answer: &str) -> Row {
    Row {
        case,
        variant: variant.into(),
        token,
        answer: answer.to_owned(),
    }
}

fn claim(name: &str) -> String {
    format!("Claim({name:?})")
}

#[test]
fn every_adversarial_token_gets_its_answer() {
    let keys = ring();
    let now = ManualClock::default().now();
    keys.trust_until(public(2, "leaving"), now + Duration::SECOND)
        .unwrap();
    keys.trust_until(public(3, "retired"), now).unwrap();
    keys.trust(public(4, "removed")).unwrap();
    assert!(keys.remove("removed"));
    let verifier = verifier(&keys);

    let rows: Vec<Row> = [
        form::rows(),
        headers::rows(),
        signatures::rows(),
        claims::rows(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let answer = match verifier.verify_ignoring_revocation(&row.token) {
                Ok(_) => GOOD.to_owned(),
                Err(refusal) => format!("{refusal:?}"),
            };
            let (case, variant, wanted) = (row.case, &row.variant, &row.answer);
            (answer != *wanted).then(|| format!("{case} {variant}: {answer}, not {wanted}"))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} wrong:\n  {}",
        wrong.len(),
        wrong.join("\n  ")
    );
    println!("{} rows", rows.len());
    assert!(rows.len() > 200, "rows have gone missing: {}", rows.len());
}
