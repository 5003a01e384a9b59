//! The command line.

use crate::failure::Failure;
use clap::{Parser, error::ErrorKind};
use std::{ffi::OsString, time::Duration};

/// A product page on four instances, with and without a cache before its database.
#[derive(Debug, Parser)]
#[command(name = "cache-aside")]
pub(crate) struct Options {
    /// Share values through this store: redis://HOST:PORT; without it, in this process's memory
    #[arg(
        long,
        value_name = "URL",
        default_value = "memory:",
        hide_default_value = true
    )]
    pub(crate) store: String,
    /// For how long clients read, without the cache and with it
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) seconds: u64,
    /// How many read at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) clients: u32,
    /// How many products there are
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) products: u32,
    /// How long a query takes beside the database's own work
    #[arg(long, value_name = "MS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    latency_ms: u64,
    /// How many of 1,000 requests change a price
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub(crate) writes: u32,
    /// How many instances there are
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=32))]
    pub(crate) instances: u16,
    /// Measure without the cache only; with --serve, begin without it
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Serve until Ctrl-C instead, and print the addresses
    #[arg(long)]
    pub(crate) serve: bool,
}

impl Options {
    pub(crate) fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms)
    }

    /// The kind of the store, without what an address may hold.
    pub(crate) fn store_kind(&self) -> &str {
        self.store.split(':').next().unwrap_or_default()
    }
}

/// Reads the command line, the program's name first. `None` if it only asked for help, which was
/// printed.
///
/// # Errors
///
/// A usage [`Failure`] that says in one line what is wrong.
pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Option<Options>, Failure> {
    match Options::try_parse_from(args) {
        Ok(options) => Ok(Some(options)),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            print!("{}", error.render());
            Ok(None)
        }
        Err(error) => {
            let text = error.render().to_string();
            let what = text.split("\n\n").next().unwrap_or_default();
            let what = what.trim_start_matches("error: ");
            Err(Failure::usage(format!("{what} (--help shows the options)")))
        }
    }
}
