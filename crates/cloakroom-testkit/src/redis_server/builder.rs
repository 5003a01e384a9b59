//! What a server is started with.

use std::ffi::OsString;

use super::RedisServer;
use super::spec::{Kind, Spec};
use crate::authority::Certificate;

/// A server to start. Made by [`RedisServer::builder`].
#[derive(Debug)]
pub struct RedisServerBuilder(Spec);

impl RedisServerBuilder {
    pub(super) fn new() -> Self {
        Self(Spec::new(Kind::Plain))
    }

    /// Starts this program instead of the one that the environment names: another version, or a
    /// Valkey.
    #[must_use]
    pub fn program(mut self, program: impl Into<OsString>) -> Self {
        self.0.program = program.into();
        self
    }

    /// Adds a configuration directive in the form of the command line, as in
    /// `arg("--appendonly", "yes")`. It wins over the defaults.
    #[must_use]
    pub fn arg(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.arg(name, value);
        self
    }

    /// Puts a [`Link`](crate::Link) in front of the server, which
    /// [`RedisServer::link`] answers and [`RedisServer::url`] leads through.
    #[must_use]
    pub fn linked(mut self) -> Self {
        self.0.linked = true;
        self
    }

    /// Speaks TLS with this certificate on a port of its own, which [`RedisServer::url`] and
    /// [`RedisServer::public_port`] answer; clients need none unless
    /// `arg("--tls-auth-clients", "yes")` says so. The testkit's own commands go to the other port.
    /// Not together with [`linked`](Self::linked).
    #[must_use]
    pub fn tls(mut self, certificate: Certificate) -> Self {
        self.0.secure(certificate);
        self
    }

    /// Starts the server and waits until it answers, for at most 10 seconds.
    ///
    /// # Panics
    ///
    /// With the server's log, if it doesn't come up; with the command that installs it, if there
    /// is no server program.
    pub async fn start(self) -> RedisServer {
        RedisServer::launch(self.0).await
    }
}
