//! What many runs showed, as a table for the manual.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

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
    excused: usize,
    slowest: Duration,
}

/// Runs, by topology, fault and driver.
#[derive(Debug, Default)]
pub(crate) struct Table(BTreeMap<(&'static str, Fault, Crate), Row>);

impl Table {
    pub(crate) fn add(&mut self, plan: &Plan, verdict: &Verdict) {
        let key = (plan.topology.0, plan.strike.fault, plan.through);
        let row = self.0.entry(key).or_default();
        row.runs += 1;
        row.reads += verdict.reads;
        row.writes += verdict.writes;
        row.failed += verdict.failed;
        row.worst = row.worst.max(verdict.worst);
        row.violations += verdict.violations.len();
        row.excused += verdict.excused;
        row.slowest = row.slowest.max(verdict.slowest);
    }

    fn total(&self) -> Row {
        self.0.values().fold(Row::default(), |all, row| Row {
            runs: all.runs + row.runs,
            reads: all.reads + row.reads,
            writes: all.writes + row.writes,
            failed: all.failed + row.failed,
            worst: all.worst.max(row.worst),
            violations: all.violations + row.violations,
            excused: all.excused + row.excused,
            slowest: all.slowest.max(row.slowest),
        })
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
            excused,
            ..
        } = self;
        let (worst, slowest) = (self.worst.as_millis(), self.slowest.as_millis());
        write!(
            f,
            "{runs} | {reads} | {writes} | {failed} | {worst} ms | {violations} | {excused} | {slowest} ms |"
        )
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| topology | fault | driver | runs | reads | writes | failed | worst staleness | \
             violations | lost by Redis | slowest |"
        )?;
        writeln!(f, "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        for ((topology, fault, driver), row) in &self.0 {
            writeln!(f, "| {topology} | {fault:?} | {driver:?} | {row}")?;
        }
        writeln!(f, "| all | | | {}", self.total())
    }
}
