//! Starting the server's process and waiting until it answers.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::control::Control;
use crate::child::OwnedChild;
use crate::link::Link;
use crate::poll::eventually;
use crate::port::free_port;

/// How long a server may take until it answers.
const READY_LIMIT: Duration = Duration::from_secs(10);

/// The server's own log, in its directory.
const LOG: &str = "redis.log";

/// What the server prints before it opens its log, in its directory.
const OUTPUT: &str = "output.log";

/// The name of the RDB file, in the server's directory.
pub(super) const RDB: &str = "dump.rdb";

/// The name of a sentinel's configuration, in its directory.
const SENTINEL_CONF: &str = "sentinel.conf";

/// Which program to start as what, and with which arguments beyond the defaults.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) program: OsString,
    pub(crate) kind: Kind,
    /// Names and values in turn, as in `--save`, ``.
    pub(crate) args: Vec<String>,
    /// Whether there is a [`Link`] in front of it, which it names to others as its own port.
    pub(crate) linked: bool,
}

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A server of its own, or with replicas.
    Plain,
    /// A node of a cluster.
    Node,
    /// A sentinel, which reads and writes its configuration in a file.
    Sentinel,
}

/// The server's program: as the environment names it, or on the `PATH`.
fn program() -> OsString {
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
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            program: program(),
            kind,
            args: Vec::new(),
            linked: false,
        }
    }

    pub(crate) fn arg(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.args.extend([name.into(), value.into()]);
    }

    /// What `port` and the port of the link before it ask for. A cluster's own bus gets a port of
    /// its own choice too: 10,000 above the other may be another's, or no port at all.
    pub(super) fn settle_ports(&mut self, link: Option<&Link>) {
        let announce = match self.kind {
            Kind::Plain => Some("--replica-announce-port"),
            Kind::Node => Some("--cluster-announce-port"),
            Kind::Sentinel => None,
        };
        if let (Some(name), Some(link)) = (announce, link) {
            self.arg(name, link.port().to_string());
        }
        if self.kind == Kind::Node {
            self.arg("--cluster-port", free_port().to_string());
        }
    }

    /// Starts the server on `control`'s port in `dir` and waits until it answers.
    pub(super) async fn launch(
        &self,
        control: &Control,
        dir: &Path,
    ) -> Result<OwnedChild, Refusal> {
        let child = OwnedChild::spawn("redis-server", &mut self.command(control.port(), dir))
            .map_err(|error| Refusal::Failed(self.describe(&error)))?;
        let dir = dir.canonicalize().expect("the server's directory exists");
        let answers = || async {
            match self.kind {
                Kind::Plain | Kind::Node => control.answers_from(&dir).await,
                Kind::Sentinel => control.answers_with(&dir.join(SENTINEL_CONF)).await,
            }
        };
        let settled = || async { answers().await || child.exited().is_some() };
        let settled = eventually(READY_LIMIT, settled).await;
        let up = settled && child.exited().is_none();
        if up {
            Ok(child)
        } else {
            Err(refusal(&child, &log(&dir)))
        }
    }

    fn command(&self, port: u16, dir: &Path) -> Command {
        let mut command = Command::new(&self.program);
        match self.kind {
            Kind::Plain | Kind::Node => command.args(self.directives(port, dir)),
            Kind::Sentinel => command.arg(self.sentinel_conf(port, dir)).arg("--sentinel"),
        };
        let output = File::options()
            .create(true)
            .append(true)
            .open(dir.join(OUTPUT));
        let output = output.expect("the server's directory can be written to");
        command.env("LC_ALL", "C").stdin(Stdio::null());
        command
            .stdout(output.try_clone().expect("an open file can be shared"))
            .stderr(output);
        command
    }

    /// The server's configuration: names and values in turn.
    fn directives(&self, port: u16, dir: &Path) -> Vec<String> {
        let path = |path: &Path| path.to_str().expect("paths are UTF-8").to_owned();
        let (port, dir, log) = (port.to_string(), path(dir), path(&dir.join(LOG)));
        let common = [
            ["--port", &port],
            ["--bind", "127.0.0.1"],
            ["--daemonize", "no"],
            ["--dir", &dir],
            ["--logfile", &log],
            ["--protected-mode", "no"],
        ];
        let storage = [
            ["--save", ""],
            ["--appendonly", "no"],
            // Compressed values can't be searched for what must not be in them.
            ["--dbfilename", RDB],
            ["--rdbcompression", "no"],
            // A replica that comes is not kept waiting for others.
            ["--repl-diskless-sync-delay", "0"],
        ];
        let stores = self.kind != Kind::Sentinel;
        let storage = storage.iter().filter(|_| stores);
        let words = common.iter().chain(storage).flatten();
        let words = words.map(|word| (*word).to_owned());
        words.chain(self.args.iter().cloned()).collect()
    }

    /// The file that a sentinel is started with. It keeps there what it learns, so a restart finds
    /// what is left of it.
    fn sentinel_conf(&self, port: u16, dir: &Path) -> PathBuf {
        let path = dir.join(SENTINEL_CONF);
        if !path.exists() {
            let directives = self.directives(port, dir);
            let lines = directives.chunks(2).map(|pair| {
                let name = pair[0].trim_start_matches("--");
                format!("{name} {}\n", pair[1])
            });
            fs::write(&path, lines.collect::<String>())
                .expect("the server's directory can be written to");
        }
        path
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
        let spec = Spec::new(Kind::Plain);
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
        let spec = Spec::new(Kind::Plain);
        let text = spec.describe(&io::ErrorKind::NotFound.into());
        assert!(text.contains("`apt-get install -y redis-server`"), "{text}");
        assert!(text.contains("`cargo xtask test`"), "{text}");
    }
}
