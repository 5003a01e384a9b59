//! Why the program ends early.

use std::{fmt, process::ExitCode};

/// One line for the person at the terminal, and the exit code that goes with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    code: u8,
    line: String,
}

impl Failure {
    /// A wrong option: exit code 2.
    pub(crate) fn usage(line: impl Into<String>) -> Self {
        Self::new(2, &line.into())
    }

    /// Options are right, but starting failed: exit code 1.
    pub(crate) fn start(line: impl Into<String>) -> Self {
        Self::new(1, &line.into())
    }

    /// Keeps to one line whatever the text holds.
    fn new(code: u8, line: &str) -> Self {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { code, line }
    }

    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fleet: {}", self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line() {
        let failure = Failure::usage("first\n  [second: a, b]\r\n");
        assert_eq!(failure.to_string(), "fleet: first [second: a, b]");
    }
}
