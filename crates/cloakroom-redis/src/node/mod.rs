//! One server, kept connected: deadlines, reconnection, and nothing sent twice.

mod keeper;
mod refusal;

use crate::{Command, Connection, Driver, DriverError, Endpoint, Reply, scripts::Script};
use bytes::Bytes;
use cloakroom_core::{Error, ErrorKind, Health, Result};
use refusal::answered;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::timeout,
};

/// How long to wait for a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) command: Duration,
}

/// How long a refusal, or an answer that must not be, is held against a server. It must end by
/// itself: an instance that is asked for nothing because it seems unwell would stay so.
const RECENT: Duration = Duration::from_secs(1);

/// A connection that passed the handshake, with the scripts that its server holds.
#[derive(Debug)]
struct Live {
    connection: Box<dyn Connection>,
    /// The scripts' hashes, by [`Script::index`].
    hashes: Vec<Bytes>,
    closed: Arc<Notify>,
}

#[derive(Debug, Clone)]
enum State {
    /// Usable.
    Up(Arc<Live>),
    /// Lost a moment ago; the first attempt to reconnect is under way.
    Lost,
    /// The last attempt failed: callers are refused at once.
    Down(Arc<str>),
}

/// One server. A task of its own reconnects for as long as the node exists.
#[derive(Debug)]
pub(crate) struct Node {
    shared: Arc<Shared>,
    keeper: AbortHandle,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

#[derive(Debug)]
struct Shared {
    driver: Arc<dyn Driver>,
    endpoint: Endpoint,
    timeouts: Timeouts,
    state: watch::Sender<State>,
    /// When the server last refused what it was asked, if it has done nothing since.
    refused: Mutex<Option<Instant>>,
    /// When an answer last cost the connection.
    distrusted: Mutex<Option<Instant>>,
}

impl Node {
    /// Connects for the first time.
    pub(crate) async fn connect(
        driver: Arc<dyn Driver>,
        endpoint: Endpoint,
        timeouts: Timeouts,
    ) -> Result<Self> {
        let live = keeper::establish(&*driver, &endpoint, timeouts.connect)
            .await
            .map_err(|e| {
                let kind = if e.is_refused() {
                    ErrorKind::Config
                } else {
                    ErrorKind::Unavailable
                };
                Error::new(kind, format!("can't use the store at {endpoint}")).with_source(e)
            })?;
        let shared = Arc::new(Shared {
            driver,
            endpoint,
            timeouts,
            state: watch::Sender::new(State::Up(live)),
            refused: Mutex::default(),
            distrusted: Mutex::default(),
        });
        let keeper = tokio::spawn(keeper::keep_connected(Arc::downgrade(&shared))).abort_handle();
        Ok(Self { shared, keeper })
    }

    pub(crate) fn health(&self) -> Health {
        let up = matches!(&*self.shared.state.borrow(), State::Up(_));
        let refuses = self
            .shared
            .refused()
            .is_some_and(|at| at.elapsed() < RECENT);
        if up && !refuses && !self.keeper.is_finished() {
            Health::Up
        } else {
            Health::Down
        }
    }

    /// Sends one command.
    pub(crate) async fn call(&self, command: Command) -> Result<Reply> {
        let reply = self
            .within_deadline(async |live| live.connection.call(command).await)
            .await?;
        self.judge(reply)
    }

    /// Sends several commands in one round trip; the first refusal fails all.
    pub(crate) async fn pipeline(&self, commands: Vec<Command>) -> Result<Vec<Reply>> {
        let replies = self
            .within_deadline(async |live| live.connection.pipeline(commands).await)
            .await?;
        replies.into_iter().map(|reply| self.judge(reply)).collect()
    }

    /// Runs one script: by its hash, and by its text when the server has lost it.
    pub(crate) async fn run(
        &self,
        script: Script,
        keys: &[Bytes],
        argv: &[Bytes],
    ) -> Result<Reply> {
        let reply = self
            .within_deadline(async |live| {
                let by_hash = eval(live, script, keys, argv);
                match live.connection.call(by_hash).await? {
                    Reply::Error(e) if e.code == "NOSCRIPT" => {
                        // The server did not run it, so sending it again runs it once.
                        let source = Bytes::from_static(script.source().as_bytes());
                        let by_text = Command::new("EVAL").arg(source);
                        live.connection.call(with_keys(by_text, keys, argv)).await
                    }
                    reply => Ok(reply),
                }
            })
            .await?;
        let reply = self.judge(reply)?;
        if self.shared.refused().take().is_some() {
            tracing::info!(endpoint = %self.shared.endpoint, "store serves again");
        }
        Ok(reply)
    }

    /// Runs one script many times in one round trip.
    pub(crate) async fn run_many(
        &self,
        script: Script,
        runs: &[(Vec<Bytes>, Vec<Bytes>)],
    ) -> Result<()> {
        let replies = self
            .within_deadline(async |live| {
                let commands = runs.iter().map(|(k, a)| eval(live, script, k, a));
                live.connection.pipeline(commands.collect()).await
            })
            .await?;
        for ((keys, argv), reply) in runs.iter().zip(replies) {
            match reply {
                Reply::Error(e) if e.code == "NOSCRIPT" => {
                    self.run(script, keys, argv).await?;
                }
                reply => drop(self.judge(reply)?),
            }
        }
        Ok(())
    }

    /// A server that refuses may have lost its role: then another connection may lead to the one
    /// that has it now.
    fn judge(&self, reply: Reply) -> Result<Reply> {
        if let Reply::Error(error) = &reply
            && refusal::did_not_run(error)
        {
            if self.shared.refused().replace(Instant::now()).is_none() {
                let why = refusal::describe(error);
                tracing::warn!(endpoint = %self.shared.endpoint, why, "store refuses");
            }
            if refusal::lost_its_role(error) {
                self.distrust();
            }
        }
        answered(reply)
    }

    /// Gives up the current connection: it answered something that it must not. Not again and
    /// again, for what lies in the store wrongly is answered wrongly by every connection.
    pub(crate) fn distrust(&self) {
        let last = self.shared.distrusted.lock();
        let mut last = last.unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < RECENT) {
            return;
        }
        *last = Some(Instant::now());
        if let State::Up(live) = &*self.shared.state.borrow() {
            live.closed.notify_one();
        }
    }

    /// Waits for a connection and for the answer, both within the command's deadline. After a
    /// deadline the connection is given up: it may be half open, and its server may be stopped.
    async fn within_deadline<T>(
        &self,
        ask: impl AsyncFnOnce(&Live) -> Result<T, DriverError>,
    ) -> Result<T> {
        let limit = self.shared.timeouts.command;
        let mut asked = None;
        let attempt = async {
            if self.keeper.is_finished() {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "the runtime that the store was opened on has ended; open it on the one that serves",
                ));
            }
            let live = asked.insert(self.shared.live().await?);
            ask(live).await.map_err(unavailable)
        };
        let result = timeout(limit, attempt).await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::Unavailable,
                format!("the store did not answer within {limit:?}"),
            ))
        });
        if let (Err(_), Some(live)) = (&result, &asked) {
            live.closed.notify_one();
        }
        result
    }
}

impl Shared {
    fn refused(&self) -> MutexGuard<'_, Option<Instant>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn live(&self) -> Result<Arc<Live>> {
        let mut states = self.state.subscribe();
        let state = states.wait_for(|state| !matches!(state, State::Lost)).await;
        match state.as_deref() {
            Ok(State::Up(live)) => Ok(Arc::clone(live)),
            Ok(State::Down(why)) => Err(Error::new(
                ErrorKind::Unavailable,
                format!("the store can't be reached: {why}"),
            )),
            Ok(State::Lost) | Err(_) => Err(Error::new(
                ErrorKind::Unavailable,
                "the store's connection was closed",
            )),
        }
    }
}

fn eval(live: &Live, script: Script, keys: &[Bytes], argv: &[Bytes]) -> Command {
    let command = Command::new("EVALSHA").arg(live.hashes[script.index()].clone());
    with_keys(command, keys, argv)
}

fn with_keys(command: Command, keys: &[Bytes], argv: &[Bytes]) -> Command {
    command
        .arg(keys.len().to_string())
        .args(keys.iter().cloned())
        .args(argv.iter().cloned())
}

fn unavailable(error: DriverError) -> Error {
    Error::new(ErrorKind::Unavailable, "the store's connection failed").with_source(error)
}
