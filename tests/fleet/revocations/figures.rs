//! What many revocations showed, as a row of a table.

use std::fmt;
use std::time::Duration;

use super::deployment::{Sample, What};

/// The table's head.
pub(super) const HEAD: &str = "\
| driver | revoked | times | last accepted: median | p99 | max | all refused: median | p99 | max | \
refused at once | nothing revoked: median | p99 |
|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

/// Revocations of one kind through one driver.
#[derive(Debug)]
pub(super) struct Figures {
    driver: &'static str,
    what: What,
    /// When the last question was begun that an instance accepted; zero if none was.
    accepted: Vec<Duration>,
    /// When the last instance had refused.
    refused: Vec<Duration>,
    idle: Vec<Duration>,
    /// How many instances refused the first question, and how many there were.
    at_once: usize,
    instances: usize,
}

impl Figures {
    pub(super) fn new(driver: &'static str, what: What) -> Self {
        Self {
            driver,
            what,
            accepted: Vec::new(),
            refused: Vec::new(),
            idle: Vec::new(),
            at_once: 0,
            instances: 0,
        }
    }

    pub(super) fn add(&mut self, sample: &Sample) {
        self.idle.push(sample.idle);
        let accepted = sample.refusals.iter().map(|refusal| refusal.accepted);
        let refused = sample.refusals.iter().map(|refusal| refusal.refused);
        self.instances += sample.refusals.len();
        self.at_once += accepted.clone().filter(Option::is_none).count();
        self.accepted
            .push(accepted.flatten().max().unwrap_or_default());
        self.refused.push(refused.max().unwrap());
    }

    /// How late a question was begun, at most, that was accepted.
    pub(super) fn last_accepted(&self) -> Duration {
        quantile(&self.accepted, 1.0)
    }

    /// How late the last instance refused, at most.
    pub(super) fn last_refused(&self) -> Duration {
        quantile(&self.refused, 1.0)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::OneSession => "one session",
            What::User => "a user's three",
        };
        let (driver, times) = (self.driver, self.refused.len());
        let (at_once, of) = (self.at_once, self.instances);
        let accepted = cells(&self.accepted, &[0.5, 0.99, 1.0]);
        let refused = cells(&self.refused, &[0.5, 0.99, 1.0]);
        let idle = cells(&self.idle, &[0.5, 0.99]);
        write!(
            f,
            "| {driver} | {what} | {times} | {accepted} | {refused} | {at_once} of {of} | {idle} |"
        )
    }
}

/// These quantiles, in milliseconds.
fn cells(times: &[Duration], parts: &[f64]) -> String {
    let millis = |part: &f64| quantile(times, *part).as_secs_f64() * 1e3;
    let cells = parts.iter().map(|part| format!("{:.2} ms", millis(part)));
    cells.collect::<Vec<_>>().join(" | ")
}

/// The smallest that so large a part of them does not exceed.
fn quantile(times: &[Duration], part: f64) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted[rank.max(1) - 1]
}

#[test]
fn quantiles_are_of_the_sample() {
    let times: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
    let at = |part| quantile(&times, part).as_millis();
    assert_eq!([at(0.5), at(0.99), at(1.0)], [50, 99, 100]);
    assert_eq!(quantile(&times[..1], 0.5), times[0]);
}
