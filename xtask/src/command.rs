//! Running other programs, each with a limit.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Failure;

/// The workspace's directory.
pub(crate) fn root() -> PathBuf {
    // At run time, so that a binary which was built elsewhere works on the tree that it runs in.
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let xtask = xtask
        .as_deref()
        .unwrap_or(Path::new(env!("CARGO_MANIFEST_DIR")));
    xtask
        .parent()
        .map_or_else(|| xtask.to_owned(), Path::to_owned)
}

/// The cargo that runs this program, in the workspace's directory.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// Runs a program, its output shown as it comes and nothing on its standard input, for at most
/// `limit`.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<(), Failure> {
    let shown = show(command);
    println!("$ {shown}");
    match finish(command.stdin(Stdio::null()), limit) {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(format!("`{shown}` failed ({status})")),
        Ok(None) => Err(format!("`{shown}` was ended after {} s", limit.as_secs())),
        Err(error) => Err(format!("`{shown}` can't be run: {error}")),
    }
}

/// The standard output of a program that takes no time.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let shown = show(command);
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("`{shown}` can't be run: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let printed = String::from_utf8_lossy(&output.stderr);
        Err(format!("`{shown}` failed ({}): {printed}", output.status))
    }
}

/// How the program ended; `None` if it had to be killed at the limit.
fn finish(command: &mut Command, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let mut child = command.spawn()?;
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        sleep(Duration::from_millis(20));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// A command as a person would type it: without the path of the program.
fn show(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn a_program_that_fails_fails_the_step() {
        assert_eq!(run(&mut Command::new("true"), LIMIT), Ok(()));
        let failure = run(&mut Command::new("false"), LIMIT).unwrap_err();
        assert!(failure.starts_with("`false` failed"), "{failure}");
        let failure = run(&mut Command::new("no-such-program"), LIMIT).unwrap_err();
        assert!(failure.contains("can't be run"), "{failure}");
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let failure = run(Command::new("sleep").arg("60"), Duration::ZERO).unwrap_err();
        assert_eq!(failure, "`sleep 60` was ended after 0 s");
    }

    #[test]
    fn a_program_is_shown_without_its_path() {
        assert_eq!(
            show(Command::new("/somewhere/bin/cargo").arg("test")),
            "cargo test"
        );
    }
}
