//! A cluster: each bucket's commands go to the master that its row names.
//!
//! A node that is not responsible says so before it does anything, so what it was asked is sent
//! again to the one that it names. What a lost connection swallowed is not: whether it ran is
//! unknown.

mod nodes;
mod survey;
mod surveyor;
mod table;
mod verdict;

use super::layout::Board;
use crate::{
    Endpoint, Reply,
    codec::corrupt,
    node::{Deadline, Node, Request, Setup},
};
use cloakroom_core::{Bucket, Buckets, Error, ErrorKind, Health, Result};
use nodes::Nodes;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use survey::Survey;
use table::Table;
use tokio::{runtime::Handle, task::AbortHandle};
use verdict::{Verdict, code, verdict};

pub(super) use verdict::is_one as sends_elsewhere;

/// The pause before a node is asked again that said "not now".
const PAUSE: Duration = Duration::from_millis(20);
/// So many redirections are followed without a pause. More are a cluster that has not made up its
/// mind.
const MOST_AT_ONCE: usize = 4;

/// A cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    shared: Arc<Shared>,
    surveyor: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    setup: Setup,
    board: Arc<Board>,
    seeds: Vec<Endpoint>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    table: Table,
    nodes: Nodes,
    /// All nodes that the last survey named.
    members: Vec<Endpoint>,
    /// Who is asked first at the next survey.
    turn: usize,
}

/// Where a request is sent.
#[derive(Debug)]
struct Route {
    node: Arc<Node>,
    endpoint: Endpoint,
    slot: u16,
    asking: bool,
}

impl Cluster {
    /// Connects to the masters that the first of the seeds to answer names. One of them may be
    /// away; none may refuse.
    pub(super) async fn connect(
        setup: Setup,
        board: Arc<Board>,
        seeds: Vec<Endpoint>,
        buckets: &Buckets,
    ) -> Result<Self> {
        let state = State {
            table: Table::new(buckets),
            nodes: Nodes::new(setup.clone(), Handle::current()),
            members: Vec::new(),
            turn: 0,
        };
        let shared = Arc::new(Shared {
            setup,
            board,
            seeds,
            state: Mutex::new(state),
        });
        let look = shared.look(shared.setup.timeouts.connect).await;
        look.map_err(|error| shared.unusable(error))?;
        shared.ready().await?;
        let surveyor = tokio::spawn(surveyor::keep_surveying(Arc::clone(&shared)));
        let surveyor = surveyor.abort_handle();
        Ok(Self { shared, surveyor })
    }

    /// Asks the server of a bucket, wherever it is by now; judges the answer as a node does.
    pub(super) async fn send(
        &self,
        bucket: Bucket,
        request: Request<'_>,
        deadline: Deadline,
    ) -> Result<Vec<Reply>> {
        let mut route = self.route(bucket)?;
        let mut refusal = None;
        for attempt in 1.. {
            let replies = route.node.ask(request, route.asking, deadline).await;
            // Another node may serve the bucket by now.
            let replies = replies.inspect_err(|_| self.shared.board.doubt());
            let replies = replies.map_err(|error| after(refusal.as_deref(), error))?;
            let Some(verdict) = verdict(&replies, route.slot, &route.endpoint) else {
                return route.node.settle(request, replies);
            };
            refusal = code(&replies);
            let wait = verdict == Verdict::Later || attempt > MOST_AT_ONCE;
            if wait && !deadline.pause(PAUSE).await {
                return route.node.settle(request, replies);
            }
            route = self.reroute(bucket, &route, verdict)?;
        }
        Err(corrupt("a cluster redirects for ever"))
    }

    /// Where to go after a node did not do what it was asked.
    fn reroute(&self, bucket: Bucket, from: &Route, verdict: Verdict) -> Result<Route> {
        match verdict {
            Verdict::Ask(endpoint) => Ok(Route {
                node: self.shared.state().nodes.at(&endpoint),
                endpoint,
                slot: from.slot,
                asking: true,
            }),
            Verdict::Moved(to) => {
                self.shared.moved(bucket, &to);
                self.route(bucket)
            }
            Verdict::Later => {
                self.shared.board.doubt();
                self.route(bucket)
            }
            Verdict::Nonsense => {
                from.node.distrust();
                Err(corrupt("a node of the cluster redirects to nowhere"))
            }
        }
    }

    fn route(&self, bucket: Bucket) -> Result<Route> {
        let mut state = self.shared.state();
        let (slot, master) = match state.table.look_up(bucket) {
            Some((slot, Some(master))) => (slot, master.clone()),
            _ => {
                self.shared.board.doubt();
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "no master of the cluster serves this session",
                ));
            }
        };
        Ok(Route {
            node: state.nodes.at(&master),
            endpoint: master,
            slot,
            asking: false,
        })
    }

    /// The node that a bucket's row names.
    pub(super) fn node(&self, bucket: Bucket) -> Result<Arc<Node>> {
        self.route(bucket).map(|route| route.node)
    }

    /// The node at this endpoint.
    pub(super) fn node_at(&self, endpoint: &Endpoint) -> Arc<Node> {
        self.shared.state().nodes.at(endpoint)
    }

    pub(super) fn health(&self) -> Health {
        self.shared.health()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.surveyor.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Up if every bucket is served.
    fn health(&self) -> Health {
        let mut state = self.state();
        let all_up = state.masters().iter().all(|n| n.health() == Health::Up);
        if all_up && state.table.is_whole() {
            Health::Up
        } else {
            Health::Down
        }
    }

    /// Waits for the first connection to each master.
    async fn ready(&self) -> Result<()> {
        let nodes = self.state().masters();
        for node in nodes {
            match node.ready().await {
                Err(error) if error.kind() == ErrorKind::Config => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// A node named another one for a bucket; one look tells of the others that moved with it.
    fn moved(&self, bucket: Bucket, to: &Endpoint) {
        let mut state = self.state();
        let news = state.table.moved(bucket, to, Instant::now());
        if news {
            self.board.post(state.table.masters());
            self.board.another_server();
            self.board.doubt();
        }
    }

    fn adopt(&self, survey: &Survey, asked: Instant) {
        let mut state = self.state();
        let another = state.table.survey(survey, asked);
        state.members.clone_from(&survey.members);
        state.masters();
        state.nodes.forget_idle();
        self.board.post(state.table.masters());
        if another {
            self.board.another_server();
        }
    }

    fn unusable(&self, cause: crate::DriverError) -> Error {
        let kind = match cause.is_refused() {
            true => ErrorKind::Config,
            false => ErrorKind::Unavailable,
        };
        let scheme = match self.seeds.iter().any(|seed| seed.tls) {
            true => "rediss",
            false => "redis",
        };
        let hosts = self.seeds.iter().map(|s| format!("{}:{}", s.host, s.port));
        let hosts = hosts.collect::<Vec<_>>().join(",");
        let place = format!("can't use the store at {scheme}-cluster://{hosts}");
        Error::new(kind, place).with_source(cause)
    }
}

impl State {
    /// The nodes of all masters; they count as named.
    fn masters(&mut self) -> Vec<Arc<Node>> {
        let masters = self.table.masters();
        let nodes = masters.iter().map(|m| self.nodes.at(&m.endpoint));
        nodes.collect()
    }
}

/// An error that ends what was refused before: why time ran out is in the refusal.
fn after(refusal: Option<&str>, error: Error) -> Error {
    match refusal {
        None => error,
        Some(code) => {
            let message = format!("the cluster refused ({code}) until there was no time left");
            Error::new(error.kind(), message).with_source(error)
        }
    }
}
