//! What was asked and answered, and when: one process, so one clock.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use cloakroom_core::{Address, Freshness, Loaded};

use super::loss::Loss;

/// The attribute that every write sets, to a value that no other write has.
pub(crate) const TOKEN: &str = "n";

/// From asking to the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) asked: Instant,
    pub(crate) answered: Instant,
}

impl Span {
    /// From this moment until now.
    pub(crate) fn since(asked: Instant) -> Self {
        let answered = Instant::now();
        Self { asked, answered }
    }

    pub(crate) fn took(self) -> Duration {
        self.answered - self.asked
    }

    /// Whether both lie, in part, in the same time.
    pub(crate) fn meets(self, other: Self) -> bool {
        self.asked < other.answered && self.answered > other.asked
    }
}

/// One operation on one session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) instance: usize,
    pub(crate) session: usize,
    pub(crate) span: Span,
    pub(crate) what: What,
}

/// What an operation did.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    /// A read that was answered.
    Read { need: Freshness, saw: Saw },
    /// An acknowledged write; its token, if it set one.
    Wrote { revision: u64, token: Option<u64> },
    /// An acknowledged end.
    Ended,
    /// An end of which it is not known whether it happened.
    MayHaveEnded,
    /// A write of this token of which it is not known whether it happened.
    MayHaveWritten { token: u64 },
    /// A read that failed, or a login whose id nobody was told.
    Failed,
}

/// What a read saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Saw {
    Session { revision: u64, token: Option<u64> },
    Nothing,
}

impl Saw {
    pub(crate) fn of(loaded: &Loaded) -> Self {
        match loaded {
            Loaded::Found { record, .. } => Self::Session {
                revision: record.revision,
                token: record.attributes.get(TOKEN).expect("a token is a number"),
            },
            Loaded::Superseded | Loaded::Ended | Loaded::Absent => Self::Nothing,
        }
    }
}

/// All that happened in a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) events: Vec<Event>,
    /// What each session was in the end, by its number.
    pub(crate) finally: Vec<Saw>,
    /// When another server took a master's place, or itself without what it had had.
    pub(crate) successions: Vec<Succession>,
    /// Since when nothing was broken any more.
    pub(crate) healed: Option<Instant>,
}

/// A server takes the place of another, and Redis may have lost what that one acknowledged last.
#[derive(Debug, Clone)]
pub(crate) struct Succession {
    /// Before, the old one answered if any; since then the new one does.
    pub(crate) change: Span,
    /// What the new one has of each session that it concerns.
    pub(crate) kept: HashMap<usize, Kept>,
    /// When the new one had been told all that had been ended: this is ours.
    pub(crate) said_again: Option<Instant>,
}

/// What a new master has of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Nothing, or a mark that it ended.
    Nothing,
    /// This revision.
    UpTo(u64),
    /// Everything, but perhaps not what was acknowledged in these times.
    ButPerhaps(Vec<Span>),
}

/// A history that is being written.
#[derive(Debug, Default)]
pub(crate) struct Scribe(Mutex<Written>);

#[derive(Debug, Default)]
struct Written {
    sessions: Vec<Address>,
    events: Vec<Event>,
    losses: Vec<Loss>,
    healed: Option<Instant>,
}

impl Scribe {
    /// Enters a session under a number of its own.
    pub(crate) fn session(&self, at: Address) -> usize {
        let sessions = &mut self.0.lock().unwrap().sessions;
        sessions.push(at);
        sessions.len() - 1
    }

    pub(crate) fn sessions(&self) -> Vec<Address> {
        self.0.lock().unwrap().sessions.clone()
    }

    /// Notes what an operation that was asked then has done by now.
    pub(crate) fn note(&self, instance: usize, session: usize, asked: Instant, what: What) {
        let span = Span::since(asked);
        self.0.lock().unwrap().events.push(Event {
            instance,
            session,
            span,
            what,
        });
    }

    /// Whether so many reads were answered, and so many writes and ends acknowledged.
    pub(crate) fn has(&self, reads: usize, writes: usize) -> bool {
        let events = &self.0.lock().unwrap().events;
        let count = |what: fn(&What) -> bool| events.iter().filter(|e| what(&e.what)).count();
        count(|what| matches!(what, What::Read { .. })) >= reads
            && count(|what| matches!(what, What::Wrote { .. } | What::Ended)) >= writes
    }

    /// The sessions that a new master may have, though an end of theirs was acknowledged before.
    pub(crate) fn ended_in_vain(&self, loss: &Loss) -> Vec<Address> {
        let written = self.0.lock().unwrap();
        let ended = |event: &&Event| {
            matches!(event.what, What::Ended) && event.span.answered < loss.change.answered
        };
        let ended = written.events.iter().filter(ended);
        let ended = ended.map(|event| written.sessions[event.session]);
        ended.filter(|at| loss.may_have(*at)).collect()
    }

    /// Notes what Redis lost.
    pub(crate) fn lost(&self, loss: Loss) {
        self.0.lock().unwrap().losses.push(loss);
    }

    /// Nothing is broken any more since then. The first time counts.
    pub(crate) fn healed(&self, since: Instant) {
        self.0.lock().unwrap().healed.get_or_insert(since);
    }

    /// The history, with what each session was in the end.
    pub(crate) fn close(&self, finally: Vec<Saw>) -> History {
        let written = self.0.lock().unwrap();
        let losses = written.losses.iter();
        History {
            events: written.events.clone(),
            finally,
            successions: losses.map(|loss| loss.tell(&written.sessions)).collect(),
            healed: written.healed,
        }
    }
}
