//! Waiting for the session to end.

use super::{Found, Live, Visit};
use cloakroom_core::{Freshness, Loaded, SessionId};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How often a session is looked at where the application allows no staleness, or the store tells
/// nothing by itself.
const LOOK: Duration = Duration::from_millis(500);

/// Why a session is over for whoever waited for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Over {
    /// It ended: logged out, revoked, evicted or expired. Or there was none.
    Ended,
    /// It has a newer id: a login, or a rotation for a change of privileges. Whoever comes with
    /// that id may go on.
    Superseded,
    /// The store could not be asked for longer than the staleness that is allowed.
    Unknown,
}

impl Visit {
    /// Returns when the session is over.
    pub(crate) async fn revoked(&self) -> Over {
        let id = match &self.state().found {
            Found::Unread(id) | Found::Absent(id) | Found::Live(Live { id, .. }) => id.clone(),
            Found::Superseded => return Over::Superseded,
            Found::Nothing | Found::Ended => return Over::Ended,
            Found::Unreachable => return Over::Unknown,
        };
        self.watch(&id).await
    }

    async fn watch(&self, id: &SessionId) -> Over {
        let Ok(at) = self.address(id) else {
            return Over::Ended;
        };
        let inner = &self.sessions.0;
        let within = Duration::try_from(self.need.within).unwrap_or_default();
        let pause = if within.is_zero() { LOOK } else { within / 4 };
        // Half of the time for how old a copy may be, a quarter for how long nobody looks, and the
        // rest for asking.
        let need = Freshness {
            within: self.need.within / 2,
            ..self.need
        };
        // Before the first look, so that nothing falls between.
        let watcher = inner.watchers().watch(at);
        let mut unknown_since: Option<Instant> = None;
        loop {
            match inner.store.load(at, need).await {
                Ok(Loaded::Found { .. }) => unknown_since = None,
                Ok(Loaded::Superseded) => return Over::Superseded,
                Ok(Loaded::Ended | Loaded::Absent) => return Over::Ended,
                Err(_) => {
                    let since = *unknown_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= within {
                        return Over::Unknown;
                    }
                }
            }
            let _ = timeout(pause, watcher.news()).await;
        }
    }
}
