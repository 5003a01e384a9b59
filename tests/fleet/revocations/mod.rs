//! How soon eight processes refuse what was revoked.
//!
//! Who revokes is a ninth instance, in this process: its clock starts in the moment in which
//! `revoke` returns, with no answer to an HTTP request in between that would give the others time.
//! From then on each of the eight is asked over a connection of its own, one question after the
//! other, until it refuses. What counts is when the last of them has answered so. That is later than
//! it knew, by what an answer takes; when the last question was begun that was still accepted is too
//! early. The truth lies between, and the table shows both, beside the time in which all eight answer
//! the same questions when nothing is revoked. A refusal takes longer: it asks the store.
//!
//! All questions come from one thread, so that they leave the instances a core at least.
//!
//! 100 revocations of each kind, or as many as `CLOAKROOM_REVOCATIONS` says.

mod asker;
mod deployment;
mod figures;

use cloakroom::redis::{FredDriver, RedisDriver};

use crate::fleet::support::MAX_STALENESS;
use deployment::{Deployment, What};
use figures::Figures;

/// How many revocations, and whether somebody wants to see that many, on a machine for themselves.
fn runs() -> (usize, bool) {
    let wanted = std::env::var("CLOAKROOM_REVOCATIONS");
    let wanted = wanted.ok().map(|text| text.parse().unwrap());
    (wanted.unwrap_or(100), wanted.is_some())
}

#[tokio::test]
async fn eight_processes_refuse_what_was_revoked() {
    let (runs, alone) = runs();
    println!("{}", figures::HEAD);
    for driver in ["redis", "fred"] {
        let mut eight = match driver {
            "redis" => Deployment::start(driver, RedisDriver).await,
            _ => Deployment::start(driver, FredDriver).await,
        };
        for what in [What::OneSession, What::User] {
            let mut figures = Figures::new(driver, what);
            for run in 0..runs {
                figures.add(&eight.revoke(what, run).await);
            }
            println!("{figures}");
            check(&figures, alone);
        }
    }
}

/// The promise is about questions that are asked later than the bound. That all answers come within
/// it holds as well, on a machine that has the time to give them.
fn check(figures: &Figures, alone: bool) {
    let late = figures.last_accepted();
    assert!(late < MAX_STALENESS, "asked {late:?} after it, accepted");
    let last = figures.last_refused();
    assert!(!alone || last < MAX_STALENESS, "refused after {last:?}");
}
