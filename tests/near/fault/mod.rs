//! What goes wrong, and for how long.

mod channel;
mod link;
mod server;
mod succession;

use std::fmt;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::deployment::{Needs, Topology};
use super::random::Random;
use super::world::World;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// Nothing: what the workers do to each other.
    Calm,
    /// Everything takes longer, both ways.
    Delay,
    /// Answers take longer than messages: these overtake them.
    SlowAnswers,
    /// Messages and renewals' replies come after the bound.
    LateMessages,
    /// All that the server says comes after the bound.
    LateAnswers,
    /// Resets everything, and lets nothing through for a time.
    Cut,
    /// The same, of subscriptions alone.
    CutMessages,
    /// One direction ends, the other goes on.
    HalfClose,
    /// Commands vanish on healthy connections.
    SwallowCommands,
    /// Answers and messages vanish on healthy connections.
    SwallowAnswers,
    /// Nothing moves for a time, then all of it comes at once.
    Stall,
    /// A few kilobytes a second.
    Throttle,
    /// Messages are lost without a word, on a connection that answers.
    DropMessages,
    /// Messages come after replies that they should come before.
    OvertakenMessages,
    /// `CLIENT KILL TYPE pubsub`, again and again.
    KillSubscribers,
    /// Subscribers that can't keep up are thrown out.
    Overflow,
    /// The server forgets subscriptions without a word.
    Unsubscribe,
    /// What is no message of this version comes over the channel.
    Garbage,
    /// The count of a bucket's messages is deleted, or set to another number.
    Recount,
    /// `SIGSTOP`, `SIGCONT`.
    PauseServer,
    /// `kill -9`, and a restart with everything.
    KillServer,
    /// `kill -9`, and a restart with nothing.
    KillAndLose,
    /// The master is demoted and isolated for a time, its connections stay.
    Demote,
    /// Another master takes over from one that is well, as an operator makes it do.
    FailOver,
    /// Many of these, two at a time.
    Storm,
    /// The master dies with what its replicas have not heard, and one of them takes over.
    LoseLast,
    /// The master is cut off from the other servers and replaced; instances reach it still.
    CutOff,
    /// The master stands still until it has been replaced, and goes on as if nothing had happened.
    StandStill,
    /// Buckets move from master to master.
    Move,
}

impl Fault {
    pub(crate) const ALL: [Self; 29] = [
        Self::Calm,
        Self::Delay,
        Self::SlowAnswers,
        Self::LateMessages,
        Self::LateAnswers,
        Self::Cut,
        Self::CutMessages,
        Self::HalfClose,
        Self::SwallowCommands,
        Self::SwallowAnswers,
        Self::Stall,
        Self::Throttle,
        Self::DropMessages,
        Self::OvertakenMessages,
        Self::KillSubscribers,
        Self::Overflow,
        Self::Unsubscribe,
        Self::Garbage,
        Self::Recount,
        Self::PauseServer,
        Self::KillServer,
        Self::KillAndLose,
        Self::Demote,
        Self::FailOver,
        Self::Storm,
        Self::LoseLast,
        Self::CutOff,
        Self::StandStill,
        Self::Move,
    ];

    /// Those that such servers can have. One server has no replicas that could take over, a node of a
    /// cluster refuses to be made a replica of nobody, and only in a cluster do buckets move.
    pub(crate) fn on(topology: Topology) -> Vec<Self> {
        let can = |fault: &Self| match fault {
            Self::LoseLast | Self::CutOff | Self::StandStill => topology != Topology::Single,
            Self::Demote => topology != Topology::Cluster,
            Self::Move => topology == Topology::Cluster,
            _ => true,
        };
        Self::ALL.into_iter().filter(can).collect()
    }

    /// What it needs of the servers.
    pub(crate) fn needs(self, topology: Topology) -> Needs {
        let sentinel = topology == Topology::Sentinel;
        Needs {
            persistence: self == Self::KillServer,
            standby: self == Self::FailOver,
            automatic: self == Self::StandStill || (self == Self::CutOff && sentinel),
            guarded: matches!(self, Self::StandStill | Self::CutOff)
                || (self == Self::FailOver && sentinel),
        }
    }

    /// Whether it can be part of a storm: it needs nothing of the servers, and they lose nothing.
    fn blows(self, topology: Topology) -> bool {
        let loses = matches!(self, Self::KillAndLose | Self::LoseLast);
        let roles = matches!(self, Self::FailOver | Self::Move);
        self.needs(topology) == Needs::default() && !loses && !roles && self != Self::Storm
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A fault, when it begins, how long it lasts and whom it strikes.
#[derive(Debug, Clone)]
pub(crate) struct Strike {
    pub(crate) fault: Fault,
    pub(crate) after: Duration,
    pub(crate) lasts: Duration,
    /// The instances, where it is about their links.
    pub(crate) targets: Vec<usize>,
    pub(crate) random: Random,
}

impl Strike {
    /// A strike on one or two of the instances.
    pub(crate) fn of(fault: Fault, instances: usize, random: &mut Random) -> Self {
        let first = random.below(instances);
        let second = (first + 1 + random.below(instances - 1)) % instances;
        let targets = [first, second][..=random.below(2)].to_vec();
        Self {
            fault,
            after: random.milliseconds(250, 500),
            lasts: random.milliseconds(550, 1100),
            targets,
            random: random.fork(),
        }
    }

    /// Strikes, and heals; what stays broken, the instances have to find out.
    pub(crate) async fn run(self, world: &World) {
        sleep(self.after).await;
        match self.fault {
            Fault::Calm => sleep(self.lasts).await,
            Fault::Storm => self.storm(world).await,
            Fault::KillSubscribers
            | Fault::Overflow
            | Fault::Unsubscribe
            | Fault::Garbage
            | Fault::Recount => channel::strike(world, self).await,
            Fault::PauseServer
            | Fault::KillServer
            | Fault::KillAndLose
            | Fault::Demote
            | Fault::Move => server::strike(world, self).await,
            Fault::FailOver | Fault::LoseLast | Fault::CutOff | Fault::StandStill => {
                succession::strike(world, self).await;
            }
            _ => link::strike(world, self).await,
        }
        world.scribe.healed(Instant::now());
    }

    /// Two at a time, each followed by others.
    async fn storm(mut self, world: &World) {
        let (one, other) = (self.random.fork(), self.random.fork());
        let gusts = [one, other].map(|random| gusts(world, random, self.lasts / 3));
        futures_util::future::join_all(gusts).await;
    }
}

async fn gusts(world: &World, mut random: Random, each: Duration) {
    let topology = world.topology;
    let fit = Fault::on(topology).into_iter();
    let fit: Vec<_> = fit.filter(|fault| fault.blows(topology)).collect();
    for _ in 0..4 {
        let fault = random.pick(&fit);
        let mut strike = Strike::of(fault, world.instances.len(), &mut random);
        (strike.after, strike.lasts) = (Duration::ZERO, each);
        Box::pin(strike.run(world)).await;
    }
}
