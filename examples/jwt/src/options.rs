//! The command line.

use clap::{Parser, error::ErrorKind};
use std::{ffi::OsString, process::ExitCode};

/// One small shop twice: with sessions, and with tokens that can be revoked.
#[derive(Debug, Parser)]
#[command(name = "jwt", disable_version_flag = true)]
pub(crate) struct Options {
    /// Keep what instances share in this Redis or Valkey: redis://HOST:PORT; without it, in memory
    #[arg(
        long,
        value_name = "URL",
        env = "REDIS_URL",
        hide_env_values = true,
        default_value = "memory:",
        hide_default_value = true
    )]
    pub(crate) redis: String,
    /// The first of eight ports on 127.0.0.1; 0 picks free ones
    #[arg(long, default_value_t = 3100)]
    pub(crate) port: u16,
    /// End after the walk through both
    #[arg(long)]
    pub(crate) once: bool,
}

/// What there is to say instead of running.
#[derive(Debug)]
pub(crate) struct Said(clap::Error);

/// Reads the command line, the program's name first.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Options, Said> {
    Options::try_parse_from(args).map_err(Said)
}

impl Said {
    /// Prints it: help, or what is wrong in one line.
    pub(crate) fn tell(&self) -> ExitCode {
        let text = self.0.render().to_string();
        if self.0.kind() == ErrorKind::DisplayHelp {
            println!("{}", text.trim_end());
            return ExitCode::SUCCESS;
        }
        let first = text.lines().next().unwrap_or_default();
        let what = first.trim_start_matches("error: ");
        eprintln!("jwt: {what} (--help shows the options)");
        ExitCode::from(2)
    }
}
