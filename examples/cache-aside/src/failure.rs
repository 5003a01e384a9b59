//! Why the program ends early.

use std::{fmt, process::ExitCode};

/// One line for the person at the terminal, and the exit code that goes with it.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    line: String,
}

impl Failure {
    /// A wrong option: exit code 2.
    pub(crate) fn usage(line: impl Into<String>) -> Self {
        let (code, line) = (2, line.into());
        Self { code, line }
    }

    /// Options are right, but it can't run: exit code 1.
    pub(crate) fn run(line: impl Into<String>) -> Self {
        let (code, line) = (1, line.into());
        Self { code, line }
    }

    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cache-aside: {}", self.line)
    }
}
