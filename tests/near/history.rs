//! What was asked and answered, and when: one process, so one clock.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use cloakroom_core::{Address, Freshness, Loaded};

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
    /// A read or a write that failed: what it would have shown, or whether it happened, nobody
    /// was told.
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
    /// When Redis itself lost all that it held.
    pub(crate) losses: Vec<Span>,
}

/// A history that is being written.
#[derive(Debug, Default)]
pub(crate) struct Scribe(Mutex<Written>);

#[derive(Debug, Default)]
struct Written {
    sessions: Vec<Address>,
    history: History,
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
        self.0.lock().unwrap().history.events.push(Event {
            instance,
            session,
            span,
            what,
        });
    }

    /// Whether so many reads were answered, and so many writes and ends acknowledged.
    pub(crate) fn has(&self, reads: usize, writes: usize) -> bool {
        let events = &self.0.lock().unwrap().history.events;
        let count = |what: fn(&What) -> bool| events.iter().filter(|e| what(&e.what)).count();
        count(|what| matches!(what, What::Read { .. })) >= reads
            && count(|what| matches!(what, What::Wrote { .. } | What::Ended)) >= writes
    }

    /// Notes that Redis lost everything since then.
    pub(crate) fn lost(&self, since: Instant) {
        let losses = &mut self.0.lock().unwrap().history.losses;
        losses.push(Span::since(since));
    }

    /// The history, with what each session was in the end.
    pub(crate) fn close(&self, finally: Vec<Saw>) -> History {
        let history = self.0.lock().unwrap().history.clone();
        History { finally, ..history }
    }
}
