//! Starting the server's process and waiting until it answers.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::control::Control;
use crate::child::OwnedChild;
use crate::poll::eventually;

/// How long a server may take until it answers.
const READY_LIMIT: Duration = Duration::from_secs(10);

/// The server's own log, in its directory.
const LOG: &str = "redis.log";

/// What the server prints before it opens its log, in its directory.
const OUTPUT: &str = "output.log";

/// The name of the RDB file, in the server's directory.
pub(super) const RDB: &str = "dump.rdb";

/// Which program to start, and with which arguments beyond the defaults.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) program: OsString,
    pub(super) args: Vec<String>,
}

/// The server's program: as the environment names it, or on the `PATH`.
pub(super) fn program() -> OsString {
    std::env::var_os("CLOAKROOM_REDIS_SERVER").unwrap_or("redis-server".into())
}

/// Why a server did not come up.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Someone else has the port: another one may do.
    PortTaken,
    /// Anything else, in words that end with the log.
    Failed(String),
}

impl Spec {
    /// Starts the server on `control`'s port in `dir` and waits until it answers.
    pub(super) async fn launch(
        &self,
        control: &Control,
        dir: &Path,
    ) -> Result<OwnedChild, Refusal> {
        let child = OwnedChild::spawn("redis-server", &mut self.command(control.port(), dir))
            .map_err(|error| Refusal::Failed(self.describe(&error)))?;
        let dir = dir.canonicalize().expect("the server's directory exists");
        let settled = || async { control.answers_from(&dir).await || child.exited().is_some() };
        let settled = eventually(READY_LIMIT, settled).await;
        let up = settled && child.exited().is_none();
        if up {
            Ok(child)
        } else {
            Err(refusal(&child, &log(&dir)))
        }
    }

    fn command(&self, port: u16, dir: &Path) -> Command {
        let output = File::options()
            .create(true)
            .append(true)
            .open(dir.join(OUTPUT));
        let output = output.expect("the server's directory can be written to");
        let mut command = Command::new(&self.program);
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--daemonize",
            "no",
        ]);
        command
            .arg("--dir")
            .arg(dir)
            .arg("--logfile")
            .arg(dir.join(LOG));
        command.args(["--protected-mode", "no", "--save", "", "--appendonly", "no"]);
        // Compressed values can't be searched for what must not be in them.
        command.args(["--dbfilename", RDB, "--rdbcompression", "no"]);
        command
            .args(&self.args)
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        command
            .stdout(output.try_clone().expect("an open file can be shared"))
            .stderr(output);
        command
    }

    fn describe(&self, error: &io::Error) -> String {
        let program = self.program.to_string_lossy();
        if error.kind() == io::ErrorKind::NotFound {
            format!(
                "there is no `{program}`. These tests run against a real server: install it with \
                 `apt-get install -y redis-server`, or run `cargo xtask test`, which does so on \
                 Debian. CLOAKROOM_REDIS_SERVER can name another program."
            )
        } else {
            format!("`{program}` can't be started: {error}")
        }
    }
}

/// What the server in `dir` has printed and logged so far.
pub(super) fn log(dir: &Path) -> String {
    let read = |name| fs::read(dir.join(name)).unwrap_or_default();
    [read(OUTPUT), read(LOG)]
        .iter()
        .map(|part| String::from_utf8_lossy(part))
        .collect()
}

fn refusal(child: &OwnedChild, log: &str) -> Refusal {
    match child.exited() {
        Some(_) if is_port_taken(log) => Refusal::PortTaken,
        Some(status) => Refusal::Failed(format!("redis-server ended ({status}); its log:\n{log}")),
        None => Refusal::Failed(format!(
            "redis-server did not answer within {READY_LIMIT:?}; its log:\n{log}"
        )),
    }
}

/// Whether the log's last words are that the port is taken.
fn is_port_taken(log: &str) -> bool {
    log.lines().rev().take(3).any(|line| {
        line.contains("Address already in use") || line.contains("Failed listening on port")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_told_from_other_failures() {
        let taken = "7:M 21 Nov 2026 * monotonic clock: POSIX clock_gettime\n\
                     7:M 21 Nov 2026 # Warning: Could not create server TCP listening socket \
                     127.0.0.1:20001: bind: Address already in use\n\
                     7:M 21 Nov 2026 # Failed listening on port 20001 (TCP), aborting.\n";
        assert!(is_port_taken(taken));
        assert!(!is_port_taken(
            "*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\n"
        ));
    }

    #[tokio::test]
    async fn a_port_that_another_server_holds_is_taken() {
        let other = crate::RedisServer::start().await;
        let spec = Spec {
            program: program(),
            args: Vec::new(),
        };
        let dir = tempfile::tempdir().unwrap();
        let refusal = spec
            .launch(&Control::new(other.port()), dir.path())
            .await
            .unwrap_err();
        assert!(matches!(refusal, Refusal::PortTaken), "{refusal:?}");
    }

    #[test]
    fn a_port_that_was_taken_at_an_earlier_start_is_history() {
        let log = format!(
            "Address already in use\n{}",
            "Ready to accept connections\n".repeat(3)
        );
        assert!(!is_port_taken(&log));
    }

    #[test]
    fn a_missing_program_says_what_installs_it() {
        let spec = Spec {
            program: program(),
            args: Vec::new(),
        };
        let text = spec.describe(&io::ErrorKind::NotFound.into());
        assert!(text.contains("`apt-get install -y redis-server`"), "{text}");
        assert!(text.contains("`cargo xtask test`"), "{text}");
    }
}
