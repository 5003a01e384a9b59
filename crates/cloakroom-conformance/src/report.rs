//! What a run has shown.

use std::fmt;

/// What a case came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The store did what is owed.
    Kept,
    /// It did not: this was seen.
    Broken(String),
    /// The case could not be tried, or was left out, for this reason.
    NotTried(String),
}

/// One case of the suite and its outcome.
#[derive(Clone, Debug)]
pub struct Case {
    pub(crate) group: &'static str,
    pub(crate) name: &'static str,
    pub(crate) owed: &'static str,
    pub(crate) outcome: Outcome,
}

impl Case {
    /// The group that the case belongs to, such as `gone`.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.group
    }

    /// The case's name within its group. Names are kept from version to version.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The sentence that says what a store owes.
    #[must_use]
    pub fn owed(&self) -> &'static str {
        self.owed
    }

    /// What the case came to.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}

/// `group::name: what is owed`, and what was seen if that is something else.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}: {}", self.group, self.name, self.owed)?;
        match &self.outcome {
            Outcome::Kept => Ok(()),
            Outcome::Broken(seen) => write!(f, " Seen: {seen}."),
            Outcome::NotTried(why) => write!(f, " Not tried: {why}."),
        }
    }
}

/// All cases of a run, in the suite's order.
///
/// It prints as a table: a line for each case, and below it what is owed and what was seen where
/// that is broken.
#[derive(Clone, Debug)]
pub struct Report {
    pub(crate) cases: Vec<Case>,
}

impl Report {
    /// All cases, whatever they came to.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.cases.iter()
    }

    /// The cases that the store broke.
    pub fn broken(&self) -> impl Iterator<Item = &Case> {
        self.cases()
            .filter(|case| matches!(case.outcome, Outcome::Broken(_)))
    }

    /// The cases that could not be tried or were left out.
    pub fn not_tried(&self) -> impl Iterator<Item = &Case> {
        self.cases()
            .filter(|case| matches!(case.outcome, Outcome::NotTried(_)))
    }

    /// Whether no case is broken. What was not tried does not count against a store; a report
    /// says so in its last line.
    #[must_use]
    pub fn conforms(&self) -> bool {
        self.broken().next().is_none()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut group = "";
        for case in self.cases() {
            if case.group != group {
                group = case.group;
                writeln!(f, "{group}")?;
            }
            row(f, case)?;
        }
        let (broken, untried) = (self.broken().count(), self.not_tried().count());
        let kept = self.cases.len() - broken - untried;
        write!(f, "{kept} kept, {broken} broken, {untried} not tried")
    }
}

fn row(f: &mut fmt::Formatter<'_>, case: &Case) -> fmt::Result {
    let name = case.name;
    match &case.outcome {
        Outcome::Kept => writeln!(f, "  kept       {name}"),
        Outcome::NotTried(why) => writeln!(f, "  not tried  {name}: {why}"),
        Outcome::Broken(seen) => {
            writeln!(f, "  BROKEN     {name}")?;
            writeln!(f, "               owed: {}", case.owed)?;
            writeln!(f, "               seen: {seen}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: [Outcome; 3]) -> Report {
        let names = ["one", "two", "three"];
        let cases = names.into_iter().zip(outcomes).map(|(name, outcome)| Case {
            group: if name == "one" { "first" } else { "second" },
            name,
            owed: "It holds.",
            outcome,
        });
        Report {
            cases: cases.collect(),
        }
    }

    #[test]
    fn it_prints_a_table() {
        let (seen, why) = ("nothing".to_owned(), "no hooks".to_owned());
        let report = report([Outcome::Kept, Outcome::Broken(seen), Outcome::NotTried(why)]);
        let table = "\
first
  kept       one
second
  BROKEN     two
               owed: It holds.
               seen: nothing
  not tried  three: no hooks
1 kept, 1 broken, 1 not tried";
        assert_eq!(report.to_string(), table);
        assert!(!report.conforms());
        let broken: Vec<String> = report.broken().map(ToString::to_string).collect();
        assert_eq!(broken, ["second::two: It holds. Seen: nothing."]);
    }

    #[test]
    fn what_was_not_tried_does_not_count_against_a_store() {
        let why = Outcome::NotTried("no hooks".to_owned());
        assert!(report([Outcome::Kept, why.clone(), why]).conforms());
    }
}
