//! Which program is started as what, and with which configuration.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::authority::Certificate;
use crate::link::Link;
use crate::port::free_port;

/// The server's own log, in its directory.
pub(super) const LOG: &str = "redis.log";

/// What the server prints before it opens its log, in its directory.
pub(super) const OUTPUT: &str = "output.log";

/// The name of the RDB file, in the server's directory.
pub(super) const RDB: &str = "dump.rdb";

/// The name of a sentinel's configuration, in its directory.
pub(super) const SENTINEL_CONF: &str = "sentinel.conf";

/// The server's certificate, its key, and the authority that it trusts, in its directory.
const CHAIN: &str = "server.pem";
const KEY: &str = "server.key";
const AUTHORITY: &str = "authority.pem";

/// Which program to start as what, and with which arguments beyond the defaults.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) program: OsString,
    pub(crate) kind: Kind,
    /// Names and values in turn, as in `--save`, ``.
    pub(crate) args: Vec<String>,
    /// Whether there is a [`Link`] in front of it, which it names to others as its own port.
    pub(crate) linked: bool,
    pub(crate) tls: Option<Tls>,
}

/// TLS, on a port of its own. The other port stays, for the testkit's own commands.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    certificate: Certificate,
    pub(crate) port: u16,
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

impl Spec {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            program: program(),
            kind,
            args: Vec::new(),
            linked: false,
            tls: None,
        }
    }

    pub(crate) fn arg(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.args.extend([name.into(), value.into()]);
    }

    /// Speaks TLS too, and to other servers alone.
    pub(crate) fn secure(&mut self, certificate: Certificate) {
        let port = 0;
        self.tls = Some(Tls { certificate, port });
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
        if let Some(tls) = &mut self.tls {
            assert!(link.is_none(), "a link can't read what goes over TLS");
            tls.port = free_port();
        }
    }

    pub(super) fn command(&self, port: u16, dir: &Path) -> Command {
        if let Some(tls) = &self.tls {
            tls.write(dir);
        }
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
        let tls = self.tls.iter().flat_map(|tls| tls.directives(self.kind));
        words.chain(tls).chain(self.args.iter().cloned()).collect()
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

    pub(super) fn describe(&self, error: &io::Error) -> String {
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

impl Tls {
    /// Writes the certificates to where the server finds them: its directory.
    fn write(&self, dir: &Path) {
        let Certificate {
            chain,
            key,
            authority,
        } = &self.certificate;
        for (name, text) in [(CHAIN, chain), (KEY, key), (AUTHORITY, authority)] {
            fs::write(dir.join(name), text).expect("the server's directory can be written to");
        }
    }

    fn directives(&self, kind: Kind) -> Vec<String> {
        let port = self.port.to_string();
        let common = [
            ["--tls-port", &port],
            ["--tls-cert-file", CHAIN],
            ["--tls-key-file", KEY],
            ["--tls-ca-cert-file", AUTHORITY],
            ["--tls-auth-clients", "no"],
            ["--tls-replication", "yes"],
        ];
        let node = [["--tls-cluster", "yes"]];
        let node = node.iter().filter(|_| kind == Kind::Node);
        let words = common.iter().chain(node).flatten();
        words.map(|word| (*word).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_says_what_installs_it() {
        let spec = Spec::new(Kind::Plain);
        let text = spec.describe(&io::ErrorKind::NotFound.into());
        assert!(text.contains("`apt-get install -y redis-server`"), "{text}");
        assert!(text.contains("`cargo xtask test`"), "{text}");
    }
}
