//! The invalidation channel: subscribed on every master, and proven to be whole.
//!
//! One connection to each master carries subscriptions and nothing else but *renewals*. A renewal
//! is one pipeline: write a short-lived key, read how many messages each bucket has published, echo
//! a nonce. When its reply has come and as many messages have been heard, then all that was
//! published before the renewal was *sent* has been heard too. Nothing less will do:
//!
//! | what happens to a healthy connection | what finds it |
//! |---|---|
//! | the master was demoted, or lost its replicas | the write is refused |
//! | its address leads to another server by now, and commands go on to the old one, or the other way round | the runs of the two servers differ |
//! | a bucket moved to another master | its count is refused; the server may also say so itself |
//! | a message, or a subscription, was lost without a word | the count is ahead of what was heard |
//! | the server was emptied, or is not the one it was | the count is behind |
//! | replies were mixed up with what the server said by itself | the nonce is another |
//! | the connection is half open, the server or this process stood still | no reply in time: the moment of sending grows old |

mod heard;
mod subscriber;

use crate::{
    Command,
    keys::Keys,
    topology::{Master, Servers},
};
use cloakroom_core::{Bucket, Channel, Clock, Entropy, Result, SystemClock};
use std::{sync::Arc, time::Duration};
use tokio::{runtime::Handle, task::AbortHandle};

/// Which rules of the channel hold: all, outside tests of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each rule holds or not, by itself"
)]
pub struct ChannelRules {
    /// What a renewal proves, it proves of the moment it was sent.
    pub from_sending: bool,
    /// A lost connection ends the term, and so does a new subscription.
    pub terms: bool,
    /// As many messages must have been heard as were published.
    pub numbers: bool,
    /// A renewal writes.
    pub write: bool,
    /// Messages come from the server that commands go to.
    pub one_server: bool,
}

impl ChannelRules {
    /// As they should be.
    pub const ALL: Self = Self {
        from_sending: true,
        terms: true,
        numbers: true,
        write: true,
        one_server: true,
    };
}

/// How long things take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// Between renewals.
    pub(crate) interval: Duration,
    /// For an attempt to connect.
    pub(crate) connect: Duration,
    /// For a renewal.
    pub(crate) answer: Duration,
}

/// What all subscribers share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) servers: Arc<Servers>,
    pub(crate) keys: Keys,
    pub(crate) channel: Arc<Channel>,
    pub(crate) timing: Timing,
    pub(crate) rules: ChannelRules,
    /// Tells this process's nonces from others'.
    instance: u64,
}

impl Context {
    pub(crate) fn new(
        servers: Arc<Servers>,
        keys: Keys,
        timing: Timing,
        rules: ChannelRules,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let mut instance = [0; 8];
        entropy.fill(&mut instance)?;
        let interval = timing.interval.try_into().unwrap_or(time::Duration::MAX);
        Ok(Self {
            channel: Arc::new(Channel::new(keys.buckets(), interval)),
            servers,
            keys,
            timing,
            rules,
            instance: u64::from_be_bytes(instance),
        })
    }

    /// A write that changes nothing. It is refused by a server that is no master, or that can't reach
    /// its replicas, and not by one that is full.
    pub(crate) fn proof(&self, bucket: Bucket) -> Command {
        Command::new("PERSIST").arg(self.keys.number(bucket))
    }

    /// The clock that leases are measured by.
    fn moment(&self) -> cloakroom_core::Moment {
        SystemClock.moment()
    }

    /// Ends the terms of these buckets.
    fn doubt(&self, buckets: &[Bucket]) {
        for bucket in buckets {
            self.channel.begin_term(*bucket);
        }
    }
}

/// The subscriptions of a store. They end with it.
#[derive(Debug)]
pub(crate) struct Subscriptions(AbortHandle);

impl Subscriptions {
    /// Subscribes, and stays subscribed, wherever the buckets go.
    pub(crate) fn start(context: Arc<Context>, runtime: &Handle) -> Self {
        Self(runtime.spawn(supervise(context)).abort_handle())
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A subscriber's task, and the master that it listens to.
struct Subscribed {
    master: Master,
    sharded: bool,
    task: AbortHandle,
    context: Arc<Context>,
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        self.task.abort();
        self.context.doubt(&self.master.buckets);
    }
}

/// Keeps one subscriber for each master of the layout.
async fn supervise(context: Arc<Context>) {
    let mut layouts = context.servers.layout();
    let mut subscribed: Vec<Subscribed> = Vec::new();
    loop {
        let layout = Arc::clone(&layouts.borrow_and_update());
        subscribed.retain(|s| s.sharded == layout.sharded && layout.masters.contains(&s.master));
        for master in &layout.masters {
            if !subscribed.iter().any(|s| s.master == *master) {
                let sharded = layout.sharded;
                let keep = subscriber::keep(Arc::clone(&context), master.clone(), sharded);
                subscribed.push(Subscribed {
                    master: master.clone(),
                    sharded,
                    task: tokio::spawn(keep).abort_handle(),
                    context: Arc::clone(&context),
                });
            }
        }
        if layouts.changed().await.is_err() {
            return;
        }
    }
}
