//! What one connection has heard of its buckets.

use super::Context;
use crate::Event;
use bytes::Bytes;
use cloakroom_core::{Address, Bucket, Invalidation, Stale, Term};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// Takes a connection's events as they come, and delivers them.
pub(super) struct Heard {
    context: Arc<Context>,
    state: Mutex<State>,
    /// A message was heard, or nothing more will be.
    pub(super) news: Notify,
    /// Nothing more will be heard.
    pub(super) over: Notify,
}

struct State {
    buckets: HashMap<Bytes, Listening>,
    ended: Option<&'static str>,
}

/// One bucket's channel.
struct Listening {
    bucket: Bucket,
    term: Term,
    /// The number of the last message; `None` before anything is known.
    number: Option<u64>,
}

impl Heard {
    pub(super) fn new(
        context: Arc<Context>,
        channels: impl Iterator<Item = (Bytes, Bucket)>,
    ) -> Self {
        let listening = |(name, bucket)| {
            let term = context.channel.lease(bucket).term;
            let number = None;
            (
                name,
                Listening {
                    bucket,
                    term,
                    number,
                },
            )
        };
        let state = Mutex::new(State {
            buckets: channels.map(listening).collect(),
            ended: None,
        });
        Self {
            context,
            state,
            news: Notify::new(),
            over: Notify::new(),
        }
    }

    /// Takes an event. Called from the connection's own task, in the order of their coming.
    pub(super) fn take(&self, event: &Event) {
        if self.ended().is_some() {
            // Its successor knows better.
            return;
        }
        match event {
            Event::Message { channel, payload } => {
                self.message(channel, payload);
                self.news.notify_one();
            }
            Event::Unsubscribed { .. } => self.end("the server ended a subscription"),
            Event::Closed => self.end("the connection was closed"),
            Event::Subscribed { .. } => {}
        }
    }

    /// The subscriptions stand, and where the counts begin is known: begins the terms.
    pub(super) fn begin_terms(&self) {
        let mut state = self.state();
        for listening in state.buckets.values_mut() {
            self.begin_term(listening);
        }
    }

    /// The terms now, by bucket.
    pub(super) fn terms(&self) -> HashMap<Bucket, Term> {
        let state = self.state();
        let all = state.buckets.values();
        all.map(|listening| (listening.bucket, listening.term))
            .collect()
    }

    /// What is known to have been heard of a bucket so far.
    pub(super) fn number(&self, channel: &Bytes) -> Option<u64> {
        self.state().buckets.get(channel)?.number
    }

    /// Whether so many of a bucket's messages have been heard. The first time is where the count
    /// begins.
    pub(super) fn has_heard(&self, channel: &Bytes, published: u64) -> bool {
        let mut state = self.state();
        let listening = state.buckets.get_mut(channel);
        listening.is_some_and(|l| {
            let number = *l.number.get_or_insert(published);
            self.context.channel.counted(l.bucket, l.term, number);
            number >= published
        })
    }

    /// A bucket's count can't be right: what was heard until now proves nothing.
    pub(super) fn doubt(&self, channel: &Bytes, published: u64) {
        if let Some(listening) = self.state().buckets.get_mut(channel) {
            listening.number = Some(published);
            self.begin_term(listening);
        }
    }

    /// Why nothing more will be heard, if so.
    pub(super) fn ended(&self) -> Option<&'static str> {
        self.state().ended
    }

    /// Takes nothing more.
    pub(super) fn end(&self, why: &'static str) {
        self.state().ended.get_or_insert(why);
        self.news.notify_one();
        self.over.notify_one();
    }

    fn message(&self, channel: &Bytes, payload: &Bytes) {
        let mut state = self.state();
        let Some(listening) = state.buckets.get_mut(channel) else {
            return;
        };
        match Invalidation::decode(payload) {
            Some(Invalidation { number, stale }) => {
                if !self.follows(listening, number) {
                    self.begin_term(listening);
                }
                let (channel, bucket) = (&self.context.channel, listening.bucket);
                let heard = listening.number.unwrap_or(number);
                channel.counted(bucket, listening.term, heard);
                match stale {
                    Stale::One {
                        digest,
                        revision,
                        remembered,
                    } => {
                        let at = Address { bucket, digest };
                        if remembered.is_zero() {
                            channel.deliver(at, revision);
                        } else {
                            channel.deliver_revoked(at, remembered);
                        }
                    }
                    Stale::All => channel.deliver_all(bucket),
                }
            }
            // From a later version: it may concern any copy, and be of any number.
            None => {
                self.context.channel.deliver_all(listening.bucket);
                self.begin_term(listening);
            }
        }
    }

    /// Notes a message's number, and says whether none is missing before it.
    fn follows(&self, listening: &mut Listening, number: u64) -> bool {
        let last = listening.number;
        listening.number = Some(last.map_or(number, |last| last.max(number)));
        follows(last, number) || !self.context.rules.numbers
    }

    fn begin_term(&self, listening: &mut Listening) {
        if self.context.rules.terms {
            listening.term = self.context.channel.begin_term(listening.bucket);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether no message is missing between the last one and this. Anybody who may publish may send
/// any number.
fn follows(last: Option<u64>, number: u64) -> bool {
    last.is_none_or(|last| number <= last.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_seen_whatever_the_numbers() {
        assert!(follows(None, 7) && follows(Some(6), 7) && follows(Some(7), 7));
        assert!(!follows(Some(5), 7));
        assert!(follows(Some(u64::MAX), 1) && follows(Some(u64::MAX), u64::MAX));
    }
}
