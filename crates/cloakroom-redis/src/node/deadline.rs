//! The one limit of an operation, however many steps it takes.

use cloakroom_core::{Error, ErrorKind, Result};
use std::{future::Future, time::Duration};
use tokio::time::{Instant, sleep, timeout_at};

/// When an operation must have ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// This much time from now.
    pub(crate) fn within(limit: Duration) -> Self {
        let at = Instant::now() + limit;
        Self { at, limit }
    }

    /// This much later.
    pub(crate) fn later(self, by: Duration) -> Self {
        let Self { at, limit } = self;
        let (at, limit) = (at + by, limit + by);
        Self { at, limit }
    }

    /// Waits, but not beyond the deadline.
    pub(crate) async fn bound<T>(self, work: impl Future<Output = Result<T>>) -> Result<T> {
        timeout_at(self.at, work).await.unwrap_or_else(|_| {
            let limit = self.limit;
            Err(Error::new(
                ErrorKind::Unavailable,
                format!("the store did not answer within {limit:?}"),
            ))
        })
    }

    /// Pauses before another attempt; says whether there is time for one.
    pub(crate) async fn pause(self, pause: Duration) -> bool {
        let in_time = Instant::now() + pause < self.at;
        if in_time {
            sleep(pause).await;
        }
        in_time
    }

    /// Whether somebody who has waited since then has waited for a good part of the limit. Who
    /// began late and ran out of time has learned nothing about the server.
    pub(crate) fn waited_long(self, since: Instant) -> bool {
        since.elapsed() >= self.limit / 2
    }
}
