//! What a server is started with.

use super::RedisServer;
use super::launch::{Spec, program};

/// A server to start. Made by [`RedisServer::builder`].
#[derive(Debug)]
pub struct RedisServerBuilder(Spec);

impl RedisServerBuilder {
    pub(super) fn new() -> Self {
        Self(Spec {
            program: program(),
            args: Vec::new(),
        })
    }

    /// Adds a configuration directive in the form of the command line, as in
    /// `arg("--appendonly", "yes")`. It wins over the defaults.
    #[must_use]
    pub fn arg(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.args.extend([name.into(), value.into()]);
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
