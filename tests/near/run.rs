//! One run: a seed chooses the fault, its time and its targets, and what the workers do.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::checker::{Promise, check};
use super::deployment::Topology;
use super::fault::{Fault, Strike};
use super::random::Random;
use super::verdict::Verdict;
use super::work::{self, Served};
use super::world::{BOUND, COMMAND, Crate, Obeyed, World};

/// After the fault, instances have so long to show that they have learned of it.
const TAIL: Duration = Duration::from_millis(700);
/// What a busy machine may add to a deadline.
const SLACK: Duration = Duration::from_secs(2);
/// After this, what has no answer never gets one.
const HOPELESS: Duration = Duration::from_secs(60);

/// What a variable of the environment says, if it is there.
pub(crate) fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a number"))
}

/// What a seed says.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) topology: Topology,
    pub(crate) through: Crate,
    pub(crate) strike: Strike,
    random: Random,
}

impl Plan {
    /// The plan of a seed: seeds in a row go through all faults that there are on such servers, and
    /// through both drivers.
    pub(crate) fn of(topology: Topology, seed: u64) -> Self {
        let faults = Fault::on(topology);
        let count = faults.len() as u64;
        Self::with(
            topology,
            seed,
            faults[(seed % count) as usize],
            seed / count,
        )
    }

    /// The same with a fault of one's own choice.
    pub(crate) fn with(topology: Topology, seed: u64, fault: Fault, turn: u64) -> Self {
        let mut random = Random::new(seed);
        let through = [Crate::Redis, Crate::Fred][(turn % 2) as usize];
        Self {
            seed,
            topology,
            through,
            strike: Strike::of(fault, 3, &mut random),
            random,
        }
    }

    /// Runs it, and judges its history.
    pub(crate) async fn run(mut self, rules: Obeyed) -> Verdict {
        let (topology, fault) = (self.topology, self.strike.fault);
        let deployment = topology.open(fault.needs(topology)).await;
        let world = World::open(topology, deployment, self.through, rules, &mut self.random);
        let world = Arc::new(world.await);
        let workers = work(&world, &mut self.random);
        let strike = async {
            self.strike.clone().run(&world).await;
            assert!(world.recovers().await, "an instance is not trusted: {self}");
            sleep(TAIL).await;
            world.end().await;
        };
        let done = async { tokio::join!(strike, workers.join_all()) };
        let done = timeout(HOPELESS, done).await;
        assert!(done.is_ok(), "something hangs: {self}");
        assert!(world.recovers().await, "an instance is not trusted: {self}");
        let history = world.scribe.close(world.finally().await);
        check(&history, PROMISE)
    }
}

/// What every run is held to. A read that joins another's load, and then needs one of its own,
/// waits for both.
const PROMISE: Promise = Promise {
    bound: Duration::from_millis(BOUND.whole_milliseconds() as u64),
    limit: Duration::from_millis(2 * COMMAND.whole_milliseconds() as u64).saturating_add(SLACK),
};

fn work(world: &Arc<World>, random: &mut Random) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    for instance in 0..world.instances.len() {
        let served = Served::ByOne(instance);
        workers.spawn(work::read(Arc::clone(world), served, random.fork()));
    }
    workers.spawn(work::read(Arc::clone(world), Served::ByAny, random.fork()));
    workers.spawn(work::write(Arc::clone(world), random.fork()));
    let (some, others) = (0..world.seats.len()).partition(|seat| seat / 2 % 2 == 0);
    for seats in [some, others] {
        workers.spawn(work::come_and_go(Arc::clone(world), seats, random.fork()));
    }
    workers
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, through, .. } = self;
        let (topology, fault) = (self.topology, self.strike.fault);
        write!(
            f,
            "seed {seed}: {fault:?} on {topology} through {through:?}"
        )
    }
}
