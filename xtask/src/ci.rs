//! The steps of a full check, in order, with their times.

use std::time::{Duration, Instant};

use crate::command::{cargo, run as run_command};
use crate::{Failure, arrows, server};

/// How long one step may take: a first build on two slow cores included.
const STEP_LIMIT: Duration = Duration::from_secs(45 * 60);

/// One step of the check.
struct Step {
    name: &'static str,
    run: fn() -> Result<(), Failure>,
}

const STEPS: [Step; 6] = [
    Step {
        name: "test",
        run: || test(&[]),
    },
    Step {
        name: "no tls",
        run: test_without_tls,
    },
    Step {
        name: "fmt",
        run: fmt,
    },
    Step {
        name: "clippy",
        run: clippy,
    },
    Step {
        name: "doc",
        run: doc,
    },
    Step {
        name: "arrows",
        run: arrows::check_workspace,
    },
];

/// How one step went.
struct Outcome {
    name: &'static str,
    took: Duration,
    result: Result<(), Failure>,
}

/// Runs every step, also after one has failed, and says at the end how each went.
pub(crate) fn run() -> Result<(), Failure> {
    let outcomes: Vec<Outcome> = STEPS.iter().map(take).collect();
    print!("\n{}", summary(&outcomes));
    verdict(&outcomes)
}

/// Runs all tests, against a real server. `extra` goes to `cargo test`.
pub(crate) fn test(extra: &[String]) -> Result<(), Failure> {
    server::ensure()?;
    run_command(
        cargo(&["test", "--workspace", "--no-fail-fast"]).args(extra),
        STEP_LIMIT,
    )
}

/// Runs the drivers' own tests without TLS, which the tests of the workspace turn on for all.
fn test_without_tls() -> Result<(), Failure> {
    let drivers = [
        "-p",
        "cloakroom-driver-redis",
        "-p",
        "cloakroom-driver-fred",
    ];
    run_command(cargo(&["test", "--lib"]).args(drivers), STEP_LIMIT)
}

fn fmt() -> Result<(), Failure> {
    run_command(&mut cargo(&["fmt", "--all", "--check"]), STEP_LIMIT)
}

fn clippy() -> Result<(), Failure> {
    let args = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    run_command(&mut cargo(&args), STEP_LIMIT)
}

fn doc() -> Result<(), Failure> {
    let mut command = cargo(&["doc", "--workspace", "--no-deps"]);
    run_command(command.env("RUSTDOCFLAGS", "-D warnings"), STEP_LIMIT)
}

fn take(step: &Step) -> Outcome {
    println!("\n== {} ==", step.name);
    let start = Instant::now();
    let result = (step.run)();
    if let Err(failure) = &result {
        println!("{failure}");
    }
    let took = start.elapsed();
    println!("== {}: {:.1} s ==", step.name, took.as_secs_f64());
    Outcome {
        name: step.name,
        took,
        result,
    }
}

fn summary(outcomes: &[Outcome]) -> String {
    let line = |outcome: &Outcome| {
        let word = if outcome.result.is_ok() {
            "ok"
        } else {
            "FAILED"
        };
        format!(
            "{:<8} {:>8.1} s  {word}\n",
            outcome.name,
            outcome.took.as_secs_f64()
        )
    };
    outcomes.iter().map(line).collect()
}

fn verdict(outcomes: &[Outcome]) -> Result<(), Failure> {
    let failed = outcomes.iter().filter(|outcome| outcome.result.is_err());
    let failed: Vec<&str> = failed.map(|outcome| outcome.name).collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes() -> [Outcome; 2] {
        let fine = Step {
            name: "fine",
            run: || Ok(()),
        };
        let wrong = Step {
            name: "wrong",
            run: || Err("it broke".to_owned()),
        };
        [take(&fine), take(&wrong)]
    }

    #[test]
    fn one_failed_step_fails_the_check() {
        assert_eq!(verdict(&outcomes()[..1]), Ok(()));
        assert_eq!(verdict(&outcomes()), Err("failed: wrong".to_owned()));
    }

    #[test]
    fn the_summary_has_a_line_for_each_step() {
        let summary = summary(&outcomes());
        let ends: Vec<&str> = summary
            .lines()
            .filter_map(|line| line.split(" s  ").nth(1))
            .collect();
        assert_eq!(ends, ["ok", "FAILED"], "{summary}");
    }
}
