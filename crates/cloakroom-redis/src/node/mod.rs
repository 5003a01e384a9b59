//! One server, kept connected: deadlines, reconnection, and nothing sent twice.

mod deadline;
mod handshake;
mod keeper;
mod live;
mod refusal;
mod replicas;
mod request;
mod server;

use crate::{Driver, DriverError, Endpoint, Reply};
use cloakroom_core::{Error, ErrorKind, Health, Result};
use live::Live;
use refusal::describe;
use std::{
    error::Error as _,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, sync::watch, task::AbortHandle};

pub(crate) use deadline::Deadline;
pub(crate) use handshake::run_of;
pub(crate) use keeper::Locate;

pub(crate) use request::{Confirmation, Request, Run, is_lost};

/// How long to wait for a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) command: Duration,
}

/// What all nodes of a store share.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) timeouts: Timeouts,
    /// Whether the servers must be nodes of a cluster; otherwise they must not be.
    pub(crate) cluster: bool,
    pub(crate) observer: Arc<dyn Observer>,
}

/// Whoever is told what becomes of a node. Called from the node's own task: must not block.
pub(crate) trait Observer: fmt::Debug + Send + Sync {
    /// A connection stands; `another` unless the one before led to the same run of a server.
    fn up(&self, endpoint: &Endpoint, another: bool);
    /// A connection was lost, or an attempt to connect failed.
    fn down(&self);
}

/// How long a refusal, or an answer that must not be, is held against a server. It must end by
/// itself: an instance that is asked for nothing because it seems unwell would stay so.
const RECENT: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
enum State {
    /// Usable.
    Up(Arc<Live>),
    /// Not connected, or no longer; the first attempt is under way.
    Lost,
    /// The last attempt failed: callers are refused at once.
    Down(Arc<DriverError>),
}

/// Which servers a node has led to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Met {
    /// The run of the last one; `None` before the first.
    pub(crate) run: Option<String>,
    /// How often it was another run than before.
    pub(crate) times: u64,
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
    setup: Setup,
    place: Box<dyn Locate>,
    state: watch::Sender<State>,
    met: Mutex<Met>,
    /// When the server last refused what it was asked, if it has done nothing since.
    refused: Mutex<Option<Instant>>,
    /// When an answer last cost the connection.
    distrusted: Mutex<Option<Instant>>,
}

impl Node {
    /// Connects for the first time.
    pub(crate) async fn connect(setup: Setup, place: impl Locate) -> Result<Self> {
        let live = keeper::establish(&setup, &place).await;
        let live = live.map_err(|e| unusable(&place, e.is_refused(), e))?;
        let shared = Arc::new(Shared::new(setup, place));
        shared.connected(live);
        Ok(Self::keep(shared, &Handle::current()))
    }

    /// Begins to connect; whoever asks meanwhile waits for the first attempt.
    pub(crate) fn begin(setup: Setup, place: impl Locate, runtime: &Handle) -> Self {
        Self::keep(Arc::new(Shared::new(setup, place)), runtime)
    }

    fn keep(shared: Arc<Shared>, runtime: &Handle) -> Self {
        let keeper = runtime.spawn(keeper::keep_connected(Arc::downgrade(&shared)));
        let keeper = keeper.abort_handle();
        Self { shared, keeper }
    }

    /// Waits for the first attempt to connect.
    pub(crate) async fn ready(&self) -> Result<()> {
        match self.shared.settled().await {
            State::Down(e) => Err(unusable(&*self.shared.place, e.is_refused(), e)),
            State::Up(_) | State::Lost => Ok(()),
        }
    }

    pub(crate) fn health(&self) -> Health {
        let refuses = self
            .shared
            .refused()
            .is_some_and(|at| at.elapsed() < RECENT);
        if self.endpoint().is_some() && !refuses && !self.keeper.is_finished() {
            Health::Up
        } else {
            Health::Down
        }
    }

    /// Which servers it has led to: known before anything is asked of them.
    pub(crate) fn met(&self) -> Met {
        self.shared.met().clone()
    }

    /// Where its connection leads, if it has one.
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        match &*self.shared.state.borrow() {
            State::Up(live) => Some(live.endpoint.clone()),
            State::Lost | State::Down(_) => None,
        }
    }

    /// Asks and judges the answer: the first refusal fails all.
    pub(crate) async fn send(
        &self,
        request: Request<'_>,
        deadline: Deadline,
    ) -> Result<Vec<Reply>> {
        let replies = self.ask(request, false, deadline).await?;
        self.settle(request, replies)
    }

    /// Asks, once, and answers whatever the server said. With `asking` each command is preceded
    /// by `ASKING`.
    ///
    /// Waits for a connection and for the answer, both before the deadline. When the answer
    /// doesn't come the connection is given up: it may be half open, and its server may be stopped.
    pub(crate) async fn ask(
        &self,
        request: Request<'_>,
        asking: bool,
        deadline: Deadline,
    ) -> Result<Vec<Reply>> {
        let mut asked = None;
        let attempt = async {
            if self.keeper.is_finished() {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "the runtime that the store was opened on has ended; open it on the one that serves",
                ));
            }
            let live = self.shared.live().await?;
            let (live, _) = asked.insert((live, tokio::time::Instant::now()));
            live.ask(request, asking).await.map_err(unavailable)
        };
        let result = deadline.bound(attempt).await;
        if let (Err(error), Some((live, since))) = (&result, &asked)
            && (error.source().is_some() || deadline.waited_long(*since))
        {
            live.closed.notify_one();
        }
        result
    }

    /// Judges the replies to a request; the first refusal fails all.
    pub(crate) fn settle(&self, request: Request<'_>, replies: Vec<Reply>) -> Result<Vec<Reply>> {
        let replies = replies.into_iter().map(|reply| self.judge(reply));
        let replies = replies.collect::<Result<_>>()?;
        if request.is_script() && self.shared.refused().take().is_some() {
            tracing::info!(endpoint = %self.shared.place, "store serves again");
        }
        Ok(replies)
    }

    /// A server that refuses may have lost its role: then another connection may lead to the one
    /// that has it now.
    pub(crate) fn judge(&self, reply: Reply) -> Result<Reply> {
        if let Reply::Error(error) = &reply
            && refusal::did_not_run(error)
        {
            if self.shared.refused().replace(Instant::now()).is_none() {
                let why = describe(error);
                tracing::warn!(endpoint = %self.shared.place, why, "store refuses");
            }
            if refusal::lost_its_role(error) {
                self.distrust();
            }
        }
        refusal::answered(reply)
    }

    /// The same; what can't be an answer costs the connection.
    pub(crate) fn judge_or_distrust(&self, reply: Reply) -> Result<Reply> {
        let answer = self.judge(reply);
        if matches!(&answer, Err(e) if e.kind() == ErrorKind::Corrupt) {
            self.distrust();
        }
        answer
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
        self.give_up();
    }

    /// Gives up the current connection, if there is one.
    pub(crate) fn give_up(&self) {
        if let State::Up(live) = &*self.shared.state.borrow() {
            live.closed.notify_one();
        }
    }
}

impl Shared {
    fn new(setup: Setup, place: impl Locate) -> Self {
        Self {
            setup,
            place: Box::new(place),
            state: watch::Sender::new(State::Lost),
            met: Mutex::default(),
            refused: Mutex::default(),
            distrusted: Mutex::default(),
        }
    }

    fn refused(&self) -> MutexGuard<'_, Option<Instant>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn met(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state when no first attempt is under way.
    async fn settled(&self) -> State {
        let mut states = self.state.subscribe();
        let state = states.wait_for(|state| !matches!(state, State::Lost)).await;
        state.map_or(State::Lost, |state| state.clone())
    }

    async fn live(&self) -> Result<Arc<Live>> {
        match self.settled().await {
            State::Up(live) => Ok(live),
            State::Down(why) => Err(Error::new(
                ErrorKind::Unavailable,
                format!("the store can't be reached: {why}"),
            )),
            State::Lost => Err(Error::new(
                ErrorKind::Unavailable,
                "the store's connection was closed",
            )),
        }
    }
}

fn unusable(
    place: &dyn Locate,
    refused: bool,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    let kind = if refused {
        ErrorKind::Config
    } else {
        ErrorKind::Unavailable
    };
    Error::new(kind, format!("can't use the store at {place}")).with_source(cause)
}

fn unavailable(error: DriverError) -> Error {
    Error::new(ErrorKind::Unavailable, "the store's connection failed").with_source(error)
}
