//! Everything a person or CI runs: `cargo xtask …`.

mod arrows;
mod ci;
mod command;
mod server;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask COMMAND

  test [ARGS]   installs redis-server where it is missing, then runs all tests;
                ARGS go to `cargo test`
  arrows        checks which crate may depend on which, and what goes with it
  ci            everything that CI runs: test, no tls, fmt, clippy, doc, arrows
";

/// What a step failed with, in words for whoever ran it.
type Failure = String;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), Failure> {
    match args
        .split_first()
        .map(|(command, rest)| (command.as_str(), rest))
    {
        Some(("test", rest)) => ci::test(rest),
        Some(("arrows", [])) => arrows::check_workspace(),
        Some(("ci", [])) => ci::run(),
        Some(("help" | "--help" | "-h", _)) => {
            print!("{USAGE}");
            Ok(())
        }
        _ => Err(format!("no such command: {args:?}\n\n{USAGE}")),
    }
}

#[cfg(test)]
mod tests {
    use super::run;

    #[test]
    fn an_unknown_command_is_refused_with_the_usage() {
        for args in [&[][..], &["tset"], &["ci", "--fast"]] {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            assert!(
                run(&args).unwrap_err().contains("cargo xtask COMMAND"),
                "{args:?}"
            );
        }
    }
}
