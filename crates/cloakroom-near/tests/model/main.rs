//! A model of how copies are kept true, and every way that it can go, within bounds.
//!
//! One session, one process with a copy of it, one subscription. The server writes, numbers its
//! messages and delivers them in order; a message may be lost without a word, the connection may end
//! or lead to a server that is the master no more, and each answer may take its time or come before
//! messages that were sent earlier. `state.rs` is what there is, `protocol.rs` what may happen and
//! what the rules make of it, step by step as the code does it.
//!
//! # Time
//!
//! Take any read, and call the moment that lies `within` before it its *cut*. The promise is that
//! the read shows whatever was written before the cut. Nothing in the protocol depends on how old a
//! thing is except whether a read accepts it, and this read accepts what is known to have been true
//! after its cut. So all that a moment need tell is whether it was before or after: the cut may be
//! made anywhere, and every state after it is one that the read may find. That leaves nothing out,
//! and covers every `within` at once.
//!
//! # What is checked
//!
//! In each state, whatever a reader would be shown, by the copy or by a load that it may join,
//!
//! - *fresh*: shows all that was written before the cut;
//! - *told*: shows all that this process has heard of.
//!
//! With all rules both hold; without any one rule the checker finds how one breaks, or the table in
//! `rules.rs` says why not. A checker that finds nothing has proven nothing until it has found this.
//! Two of the rules were not in the code before the model asked for them.

mod protocol;
mod rules;
mod state;

use protocol::Protocol;
use rules::{ALL_RULES, Rule, Scope, TABLE};
use stateright::{Checker, HasDiscoveries, Model};
use std::time::Instant;

/// What breaks first, if anything does; shows how.
fn broken(scope: &Scope, without: Option<Rule>) -> Option<&'static str> {
    let began = Instant::now();
    let may = scope.may;
    let checker = Protocol { without, may }.checker();
    let checker = checker.finish_when(HasDiscoveries::AnyFailures);
    let checker = checker.spawn_bfs().join();
    let (name, states, took) = (
        scope.name,
        checker.unique_state_count(),
        began.elapsed().as_millis(),
    );
    println!("{name}, without {without:?}: {states} states, {took} ms");
    let (property, path) = checker.discoveries().into_iter().next()?;
    println!("  not {property}: {:?}", path.into_actions());
    Some(property)
}

#[test]
fn with_all_rules_every_read_is_true() {
    for scope in Scope::ALL {
        assert_eq!(broken(&scope, None), None, "{}", scope.name);
    }
}

#[test]
fn without_a_rule_some_read_is_not() {
    for (rule, scope, breaks) in TABLE {
        assert_eq!(broken(&scope, Some(rule)), breaks, "without {rule:?}");
    }
    let tried = |rule: &Rule| TABLE.iter().any(|(tried, ..)| tried == rule);
    assert!(ALL_RULES.iter().all(tried));
}
