//! Connecting, and connecting again.

use super::{
    Live, Shared, State,
    refusal::{describe, did_not_run},
};
use crate::{Command, Connection, Driver, DriverError, Endpoint, Event, Reply, scripts::Script};
use bytes::Bytes;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{sync::Notify, time::timeout};

/// The pause before the first new attempt to connect; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// Long enough to leave a struggling server alone, short enough to be back within a second.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Reconnects whenever the connection is lost, until the node is dropped.
pub(super) async fn keep_connected(shared: Weak<Shared>) {
    loop {
        let Some(closed) = shared.upgrade().and_then(|s| match &*s.state.borrow() {
            State::Up(live) => Some(Arc::clone(&live.closed)),
            State::Lost | State::Down(_) => None,
        }) else {
            return;
        };
        closed.notified().await;
        if !reconnect(&shared).await {
            return;
        }
    }
}

/// Tries until it is connected again; `false` when the node is gone.
async fn reconnect(shared: &Weak<Shared>) -> bool {
    let mut pause = FIRST_PAUSE;
    if let Some(shared) = shared.upgrade() {
        tracing::debug!(endpoint = %shared.endpoint, "store connection lost");
        shared.state.send_replace(State::Lost);
    }
    loop {
        let Some(shared) = shared.upgrade() else {
            return false;
        };
        match establish(&*shared.driver, &shared.endpoint, shared.timeouts.connect).await {
            Ok(live) => {
                if matches!(&*shared.state.borrow(), State::Down(_)) {
                    tracing::info!(endpoint = %shared.endpoint, "store is reachable again");
                }
                *shared.refused() = None;
                shared.state.send_replace(State::Up(live));
                return true;
            }
            Err(error) => {
                if matches!(&*shared.state.borrow(), State::Lost) {
                    tracing::warn!(endpoint = %shared.endpoint, %error, "store is unreachable");
                }
                shared
                    .state
                    .send_replace(State::Down(error.to_string().into()));
            }
        }
        drop(shared);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Connects and loads the scripts, within the limit.
pub(super) async fn establish(
    driver: &dyn Driver,
    endpoint: &Endpoint,
    limit: Duration,
) -> Result<Arc<Live>, DriverError> {
    let closed = Arc::new(Notify::new());
    let sink = Arc::clone(&closed);
    let attempt = async {
        let connection = driver
            .connect(
                endpoint,
                Arc::new(move |event| {
                    if event == Event::Closed {
                        sink.notify_one();
                    }
                }),
            )
            .await?;
        let hashes = load_scripts(&*connection).await?;
        Ok(Arc::new(Live {
            connection,
            hashes,
            closed,
        }))
    };
    timeout(limit, attempt)
        .await
        .unwrap_or_else(|_| Err(DriverError::lost(format!("no answer within {limit:?}"))))
}

/// Loads the scripts, from a server that takes writes: a replica, or a master that was demoted,
/// would answer reads with what it had.
async fn load_scripts(connection: &dyn Connection) -> Result<Vec<Bytes>, DriverError> {
    let load = |source: &'static str| {
        let source = Bytes::from_static(source.as_bytes());
        Command::new("SCRIPT").arg("LOAD").arg(source)
    };
    let loads = Script::sources().map(load);
    let commands: Vec<_> = [Command::new("ROLE")].into_iter().chain(loads).collect();
    let sent = commands.len();
    let mut replies = connection.pipeline(commands).await?.into_iter();
    if replies.len() != sent {
        return Err(DriverError::lost("the server left commands unanswered"));
    }
    match replies.next().map(granted).transpose()? {
        Some(Reply::Array(role)) if role.first() == Some(&Reply::Bytes("master".into())) => {}
        _ => return Err(DriverError::lost("the server is a replica")),
    }
    let hash = |reply| match granted(reply)? {
        Reply::Bytes(hash) => Ok(hash),
        other => Err(DriverError::lost(format!("SCRIPT LOAD answered {other:?}"))),
    };
    replies.map(hash).collect()
}

/// What the handshake was answered, unless the server refused.
fn granted(reply: Reply) -> Result<Reply, DriverError> {
    match reply {
        // Not ready yet: a server that is starting, or a replica without its master.
        Reply::Error(e) if did_not_run(&e) => Err(DriverError::lost(describe(&e))),
        Reply::Error(e) => Err(DriverError::refused(describe(&e))),
        reply => Ok(reply),
    }
}
