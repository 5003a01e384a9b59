//! The table that is printed at the end.

use crate::{clients::Noted, options::Options};
use std::fmt;

/// What was measured.
#[derive(Debug)]
pub(crate) struct Report {
    title: String,
    pub(crate) without: Option<Noted>,
    pub(crate) with: Option<Noted>,
}

impl Report {
    pub(crate) fn new(options: &Options) -> Self {
        let title = format!(
            "{} instances, {} products, {} clients, {} ms for a query, {} changes in 1,000 requests, \
             {} s, store: {}",
            options.instances,
            options.products,
            options.clients,
            options.latency().as_millis(),
            options.writes,
            options.seconds,
            options.store_kind()
        );
        let (without, with) = (None, None);
        Self {
            title,
            without,
            with,
        }
    }

    fn row(
        &self,
        f: &mut fmt::Formatter<'_>,
        what: &str,
        value: impl Fn(&Noted) -> String,
    ) -> fmt::Result {
        let cell = |noted: &Option<Noted>| noted.as_ref().map(&value).unwrap_or_default();
        let (without, with) = (cell(&self.without), cell(&self.with));
        writeln!(f, "{what:<36}{without:>14}{with:>14}")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.title)?;
        let with = if self.with.is_some() { "with" } else { "" };
        writeln!(f, "{:<36}{:>14}{with:>14}", "", "without")?;
        let milliseconds =
            |noted: &Noted, part| format!("{:.2} ms", noted.within(part).as_secs_f64() * 1e3);
        let part = |count: u64, noted: &Noted| {
            let reads = (noted.requests - noted.changes).max(1);
            format!("{:.1} %", count as f64 * 100.0 / reads as f64)
        };
        self.row(f, "requests a second", |n| {
            format!("{:.0}", n.rate(n.requests))
        })?;
        self.row(f, "database loads a second", |n| {
            format!("{:.0}", n.rate(n.loads))
        })?;
        self.row(f, "a read, median", |n| milliseconds(n, 0.5))?;
        self.row(f, "a read, p99", |n| milliseconds(n, 0.99))?;
        self.row(f, "reads from near copies", |n| part(n.near, n))?;
        self.row(f, "reads from the store", |n| part(n.store, n))?;
        self.row(f, "reads that shared a load", |n| part(n.shared, n))?;
        self.row(f, "reads that loaded", |n| part(n.loads, n))?;
        self.row(f, "prices changed", |n| n.changes.to_string())?;
        self.row(f, "stale after an acknowledged change", |n| {
            n.stale.to_string()
        })?;
        self.row(f, "requests that failed", |n| n.failed.to_string())
    }
}
