//! The runs that must find something: each rule is broken in turn, and the check must notice.

use cloakroom_near::Rules;
use cloakroom_redis::ChannelRules;

use super::deployment::Topology;
use super::fault::Fault;
use super::run::{Plan, number};
use super::verdict::{Verdict, Violation};
use super::world::Obeyed;

/// So many runs are made with each of a mutant's faults before it counts as not caught. Most are
/// caught by the first.
const TRIES: u64 = 12;

/// Runs with these rules until a read is too stale; says what caught it.
async fn caught(name: &str, rules: Obeyed, faults: &[Fault]) {
    if let Some(runs) = number("CLOAKROOM_FAULT_RUNS") {
        return rate(name, rules, faults, runs).await;
    }
    for plan in plans(faults, TRIES) {
        let verdict = plan.clone().run(rules).await;
        if is_caught(&verdict) {
            println!("{name} was caught by {plan}: {verdict}");
            return;
        }
        println!("{name} was not caught by {plan}: {verdict}");
    }
    panic!("{name} was not caught in {TRIES} runs of each of {faults:?}");
}

/// How often a mutant is caught, as a row of a table for the manual.
async fn rate(name: &str, rules: Obeyed, faults: &[Fault], runs: u64) {
    let (mut caught, mut first) = (0, None);
    let made = runs * faults.len() as u64;
    for plan in plans(faults, runs) {
        if is_caught(&plan.clone().run(rules).await) {
            caught += 1;
            first.get_or_insert(plan);
        }
    }
    let first = first.expect("a mutant is caught").to_string();
    println!("| `{name}` | {faults:?} | {caught} of {made} | {first} |");
}

fn plans(faults: &[Fault], turns: u64) -> impl Iterator<Item = Plan> {
    let each = |turn| {
        faults
            .iter()
            .map(move |f| Plan::with(Topology::Single, 1000 + turn, *f, turn))
    };
    (0..turns).flat_map(each)
}

fn is_caught(verdict: &Verdict) -> bool {
    verdict.violations.iter().any(Violation::is_stale)
}

/// A mutant of the near cache, or of the channel.
macro_rules! mutants {
    ($($(#[$doc:meta])* $part:ident.$rule:ident: $test:ident, $faults:expr;)+) => {$(
        $(#[$doc])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            let mut rules = Obeyed::ALL;
            rules.$part.$rule = false;
            let name = concat!(stringify!($part), ".", stringify!($rule));
            caught(name, rules, &$faults).await;
        }
    )+};
}

mutants! {
    near.trust: copies_that_are_always_trusted_are_caught, [Fault::DropMessages, Fault::Cut];
    near.terms: copies_that_outlive_their_term_are_caught, [Fault::Cut, Fault::CutMessages];
    near.fence: values_that_were_overtaken_are_caught, [Fault::SlowAnswers];
    near.late_joining: joining_a_load_too_late_is_caught, [Fault::LateAnswers];
    channel.from_sending: leases_measured_from_receipt_are_caught, [Fault::LateMessages];
    channel.terms: terms_that_never_end_are_caught, [Fault::Cut, Fault::CutMessages];
    channel.numbers: uncounted_messages_are_caught, [Fault::DropMessages];
}

#[test]
fn every_rule_has_its_mutant() {
    // Destructured, so that a new rule can't be forgotten here.
    let Rules {
        trust: _,
        terms: _,
        fence: _,
        late_joining: _,
    } = Rules::ALL;
    let ChannelRules {
        from_sending: _,
        terms: _,
        numbers: _,
        // Where others are at work too, one of these two helps out for the other: tried in
        // `replaced`.
        write: _,
        one_server: _,
    } = ChannelRules::ALL;
}
