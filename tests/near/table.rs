//! What many runs showed, as a table for the manual.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::deployment::Topology;
use super::fault::Fault;
use super::run::Plan;
use super::verdict::Verdict;
use super::world::Crate;

/// What the runs of one kind showed.
#[derive(Debug, Default)]
struct Row {
    runs: usize,
    reads: usize,
    writes: usize,
    failed: usize,
    worst: Duration,
    violations: usize,
    lost_writes: usize,
    lost_ends: usize,
    said_again: Duration,
    recovery: Duration,
    slowest: Duration,
}

/// Runs, by topology, fault and driver.
#[derive(Debug, Default)]
pub(crate) struct Table(BTreeMap<(Topology, Fault, Crate), Row>);

impl Table {
    pub(crate) fn add(&mut self, plan: &Plan, verdict: &Verdict) {
        let key = (plan.topology, plan.strike.fault, plan.through);
        let row = self.0.entry(key).or_default();
        row.add(&Row {
            runs: 1,
            reads: verdict.reads,
            writes: verdict.writes,
            failed: verdict.failed,
            worst: verdict.worst,
            violations: verdict.violations.len(),
            lost_writes: verdict.lost_writes,
            lost_ends: verdict.lost_ends,
            said_again: verdict.said_again,
            recovery: verdict.recovery,
            slowest: verdict.slowest,
        });
    }

    /// All rows that are meant, as one.
    fn sum(&self, meant: impl Fn(Topology) -> bool) -> Row {
        let rows = self.0.iter().filter(|((topology, ..), _)| meant(*topology));
        rows.fold(Row::default(), |mut all, (_, row)| {
            all.add(row);
            all
        })
    }
}

impl Row {
    fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.reads += other.reads;
        self.writes += other.writes;
        self.failed += other.failed;
        self.worst = self.worst.max(other.worst);
        self.violations += other.violations;
        self.lost_writes += other.lost_writes;
        self.lost_ends += other.lost_ends;
        self.said_again = self.said_again.max(other.said_again);
        self.recovery = self.recovery.max(other.recovery);
        self.slowest = self.slowest.max(other.slowest);
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            runs,
            reads,
            writes,
            failed,
            violations,
            lost_writes,
            lost_ends,
            ..
        } = self;
        let [worst, said, recovery, slowest] =
            [self.worst, self.said_again, self.recovery, self.slowest].map(|d| d.as_millis());
        write!(
            f,
            "{runs} | {reads} | {writes} | {failed} | {worst} ms | {violations} | {lost_writes} | \
             {lost_ends} | {said} ms | {recovery} ms | {slowest} ms |"
        )
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| topology | fault | driver | runs | reads | writes | failed | worst staleness | \
             violations | lost writes | lost ends | said again | recovery | slowest |"
        )?;
        writeln!(
            f,
            "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
        )?;
        for ((topology, fault, driver), row) in &self.0 {
            writeln!(f, "| {topology} | {fault:?} | {driver:?} | {row}")?;
        }
        for topology in Topology::ALL {
            let all = self.sum(|own| own == topology);
            if all.runs > 0 {
                writeln!(f, "| {topology} | all | | {all}")?;
            }
        }
        writeln!(f, "| all | | | {}", self.sum(|_| true))
    }
}
