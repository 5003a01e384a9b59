//! Which server serves which bucket: the router that the store asks through.
//!
//! One server, a master that Sentinels know, or the masters of a cluster, above connections that
//! each lead to one server. Every operation touches one bucket, so a table of buckets is all
//! that a cluster needs.

mod beside;
mod cluster;
mod layout;
mod one;
mod place;
mod sentinel;
#[cfg(test)]
mod tests;

use crate::{
    Command, Driver, DriverError, EventSink, Reply,
    codec::corrupt,
    connecting::{connect, too_late},
    node::{Confirmation, Deadline, Node, Request, Run, Setup, Timeouts, is_lost, run_of},
    scripts::Script,
};
use bytes::Bytes;
use cloakroom_core::{Bucket, Buckets, Health, Result};
use cluster::Cluster;
use layout::Board;
use one::One;
use std::sync::Arc;
use tokio::{sync::watch, time::timeout};

pub(crate) use beside::Beside;
pub(crate) use layout::{Layout, Master};
pub(crate) use place::Place;

/// So many scripts go in one round trip, so that a burst delays nobody's command for long.
const AT_ONCE: usize = 128;

/// What the replicas of a bucket's server are asked to confirm.
pub(crate) type Wish<'a> = dyn Fn(Bucket) -> Confirmation + Sync + 'a;

/// The servers of a deployment.
#[derive(Debug)]
pub(crate) struct Servers {
    driver: Arc<dyn Driver>,
    timeouts: Timeouts,
    board: Arc<Board>,
    routes: Routes,
}

/// How a bucket's server is found.
#[derive(Debug)]
enum Routes {
    /// One server serves all.
    One(One),
    /// Each master of a cluster serves some.
    Cluster(Cluster),
}

impl Servers {
    /// Connects to all that serve.
    pub(crate) async fn open(
        driver: Arc<dyn Driver>,
        place: Place,
        timeouts: Timeouts,
        buckets: Buckets,
    ) -> Result<Self> {
        let board = Arc::new(Board::new(matches!(place, Place::Cluster(_))));
        let setup = |observer| Setup {
            driver: Arc::clone(&driver),
            timeouts,
            cluster: matches!(place, Place::Cluster(_)),
            observer,
        };
        let routes = match place.clone() {
            Place::Single(endpoint) => {
                let setup = setup(layout::all_on_one(&board, &buckets));
                Routes::One(One::single(setup, endpoint).await?)
            }
            Place::Sentinel(watched) => {
                let setup = setup(layout::all_on_one(&board, &buckets));
                Routes::One(One::watched(setup, watched).await?)
            }
            Place::Cluster(seeds) => {
                let setup = setup(layout::spread(&board));
                let board = Arc::clone(&board);
                Routes::Cluster(Cluster::connect(setup, board, seeds, &buckets).await?)
            }
        };
        Ok(Self {
            driver,
            timeouts,
            board,
            routes,
        })
    }

    /// Runs one script on the server of a bucket.
    pub(crate) async fn run(
        &self,
        bucket: Bucket,
        script: Script,
        keys: &[Bytes],
        argv: &[Bytes],
    ) -> Result<Reply> {
        let request = Request::Script(script, keys, argv);
        self.run_before(self.deadline(), bucket, request).await
    }

    /// Runs one script on the server of a bucket, and then asks that server's replicas whether they
    /// have what it did: says how many do.
    pub(crate) async fn run_confirmed(
        &self,
        bucket: Bucket,
        script: Script,
        keys: &[Bytes],
        argv: &[Bytes],
        wish: &Confirmation,
    ) -> Result<(Reply, u32)> {
        let script = Request::Script(script, keys, argv);
        let deadline = self.deadline().later(wish.within);
        let request = Request::Confirmed(&script, wish);
        let mut replies = self.send(bucket, request, deadline).await?;
        let confirmed = count(replies.pop().as_ref());
        let reply = replies.pop();
        reply
            .map(|reply| (reply, confirmed))
            .ok_or_else(|| corrupt("a script was answered nothing"))
    }

    async fn run_before(
        &self,
        deadline: Deadline,
        bucket: Bucket,
        request: Request<'_>,
    ) -> Result<Reply> {
        let mut replies = self.send(bucket, request, deadline).await?;
        let reply = replies.pop();
        reply.ok_or_else(|| corrupt("a script was answered nothing"))
    }

    /// Sends commands in one round trip to the server of a bucket; the first refusal fails all.
    ///
    /// Should the bucket move away meanwhile, then all are sent again to where it is now, so that
    /// they run in their order: they must be such that running twice is running once.
    pub(crate) async fn pipeline(
        &self,
        bucket: Bucket,
        commands: Vec<Command>,
    ) -> Result<Vec<Reply>> {
        let request = Request::Commands(&commands);
        self.send(bucket, request, self.deadline()).await
    }

    /// Runs one script many times, in as few round trips as there are servers, or pieces of
    /// [`AT_ONCE`]. Answers the first failure; other servers are asked all the same.
    pub(crate) async fn run_many(&self, script: Script, runs: Vec<Run>) -> Result<()> {
        self.run_many_confirmed(script, runs, None).await.map(drop)
    }

    /// The same; then asks the replicas of each server, if that is wished, and says how many have
    /// it of the server of which the fewest do.
    pub(crate) async fn run_many_confirmed(
        &self,
        script: Script,
        runs: Vec<Run>,
        wish: Option<&Wish<'_>>,
    ) -> Result<u32> {
        let mut groups: Vec<(Arc<Node>, Vec<Run>)> = Vec::new();
        let mut outcome = Ok(u32::MAX);
        for run in runs {
            match self.node(run.bucket) {
                Err(error) => outcome = outcome.and(Err(error)),
                Ok(node) => match groups.iter_mut().find(|(n, _)| Arc::ptr_eq(n, &node)) {
                    Some((_, group)) => group.push(run),
                    None => groups.push((node, vec![run])),
                },
            }
        }
        for (node, runs) in groups {
            let fewest = self.run_on(&node, script, &runs, wish).await;
            outcome = outcome.and_then(|before| fewest.map(|fewest| fewest.min(before)));
        }
        outcome
    }

    async fn run_on(
        &self,
        node: &Node,
        script: Script,
        runs: &[Run],
        wish: Option<&Wish<'_>>,
    ) -> Result<u32> {
        let mut fewest = u32::MAX;
        for some in runs.chunks(AT_ONCE) {
            let scripts = Request::Scripts(script, some);
            let wish = wish.map(|wish| wish(some[0].bucket));
            let (request, deadline) = match &wish {
                Some(wish) => {
                    let deadline = self.deadline().later(wish.within);
                    (Request::Confirmed(&scripts, wish), deadline)
                }
                None => (scripts, self.deadline()),
            };
            let mut replies = node.ask(request, false, deadline).await?;
            if wish.is_some() {
                fewest = fewest.min(count(replies.pop().as_ref()));
            }
            for (run, reply) in some.iter().zip(replies) {
                if is_lost(&reply) || self.sends_elsewhere(&reply) {
                    let request = Request::Script(script, &run.keys, &run.argv);
                    self.run_before(deadline, run.bucket, request).await?;
                    // On another server than was asked, or later than its replicas were.
                    fewest = 0;
                } else {
                    node.judge_or_distrust(reply)?;
                }
            }
        }
        Ok(fewest)
    }

    fn deadline(&self) -> Deadline {
        Deadline::within(self.timeouts.command)
    }

    async fn send(
        &self,
        bucket: Bucket,
        request: Request<'_>,
        deadline: Deadline,
    ) -> Result<Vec<Reply>> {
        match &self.routes {
            Routes::One(one) => one.node().send(request, deadline).await,
            Routes::Cluster(cluster) => cluster.send(bucket, request, deadline).await,
        }
    }

    fn node(&self, bucket: Bucket) -> Result<Arc<Node>> {
        match &self.routes {
            Routes::One(one) => Ok(Arc::clone(one.node())),
            Routes::Cluster(cluster) => cluster.node(bucket),
        }
    }

    /// Whether a server says that it did not run what it was asked, and another one may.
    fn sends_elsewhere(&self, reply: &Reply) -> bool {
        match &self.routes {
            Routes::One(_) => false,
            Routes::Cluster(_) => cluster::sends_elsewhere(reply),
        }
    }

    /// Whether all servers can be reached, as far as is known without asking them.
    pub(crate) fn health(&self) -> Health {
        match &self.routes {
            Routes::One(one) => one.node().health(),
            Routes::Cluster(cluster) => cluster.health(),
        }
    }

    /// The server of a bucket answered something that it must not: its connection is given up.
    pub(crate) fn distrust(&self, bucket: Bucket) {
        if let Ok(node) = self.node(bucket) {
            node.distrust();
        }
    }

    /// Whether keys of one bucket may lie on two servers, while they move.
    pub(crate) fn are_a_cluster(&self) -> bool {
        matches!(self.routes, Routes::Cluster(_))
    }

    /// The command by which scripts publish.
    pub(crate) fn publish(&self) -> &'static str {
        if self.are_a_cluster() {
            "SPUBLISH"
        } else {
            "PUBLISH"
        }
    }

    /// The layout now and every later one.
    pub(crate) fn layout(&self) -> watch::Receiver<Arc<Layout>> {
        self.board.layout()
    }

    /// Counts up whenever another server than before serves some bucket: after a failover, and
    /// when a server was started again, what was acknowledged last may be lost. It also counts
    /// when a bucket was moved whole.
    pub(crate) fn generation(&self) -> watch::Receiver<u64> {
        self.board.generation()
    }

    /// Somebody doubts the layout: look again soon.
    pub(crate) fn doubt(&self) {
        self.board.doubt();
    }

    /// Opens a further connection to a master of the layout, for subscriptions.
    pub(crate) async fn connect(
        &self,
        master: &Master,
        events: EventSink,
    ) -> Result<Beside, DriverError> {
        let limit = self.timeouts.connect;
        let attempt = async {
            let commands = match &self.routes {
                Routes::One(one) => Arc::clone(one.node()),
                Routes::Cluster(cluster) => cluster.node_at(&master.endpoint),
            };
            commands.ready().await.map_err(DriverError::lost)?;
            let met = commands.met();
            let connection = connect(&*self.driver, &master.endpoint, events).await?;
            let run = run_of(&*connection).await?;
            Ok(Beside::new(connection, run, commands, met))
        };
        timeout(limit, attempt)
            .await
            .unwrap_or_else(|_| Err(too_late(limit, master.endpoint.tls)))
    }
}

/// How many replicas have confirmed.
fn count(confirmed: Option<&Reply>) -> u32 {
    match confirmed {
        Some(Reply::Int(replicas)) => u32::try_from(*replicas).unwrap_or_default(),
        _ => 0,
    }
}
