//! Starting the server's process and waiting until it answers.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::control::Control;
use super::spec::{Kind, LOG, OUTPUT, SENTINEL_CONF, Spec};
use crate::child::OwnedChild;
use crate::poll::eventually;

/// How long a server may take until it answers.
const READY_LIMIT: Duration = Duration::from_secs(10);

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
}
