//! What a history proves: how stale the reads were, and whether anything was lost.
//!
//! A pure function. A read that was asked at some moment must reflect every write and every end
//! that was acknowledged before; its *staleness* is how long before it the earliest acknowledgement
//! lies that it does not reflect. (The latest would hide a copy that is stale for good, as long as
//! somebody goes on writing.)

use std::collections::HashMap;
use std::time::{Duration, Instant};

use cloakroom_core::Freshness;

use super::history::{Event, History, Saw, Span, What};
use super::verdict::{Verdict, Violation};

/// What a run is held to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promise {
    /// How stale a read may be that asks for no less.
    pub(crate) bound: Duration,
    /// How long an operation may take.
    pub(crate) limit: Duration,
}

/// Judges a history.
pub(crate) fn check(history: &History, promise: Promise) -> Verdict {
    let sessions = sessions(history);
    let mut verdict = Verdict::default();
    for event in &history.events {
        verdict.count(event, promise);
        if let What::Read { need, saw } = event.what {
            verdict.reads += 1;
            verdict.read(&sessions[event.session], event, need, saw, promise, history);
        }
    }
    for session in &sessions {
        verdict.writes(session);
        verdict.finally(session, &history.losses);
    }
    verdict
}

/// What was acknowledged of one session.
#[derive(Debug, Default)]
struct Session {
    number: usize,
    /// By revision.
    writes: Vec<(u64, Span, Option<u64>)>,
    tokens: HashMap<u64, u64>,
    ended: Option<Span>,
    /// When an end was first asked for, acknowledged or not.
    ending: Option<Instant>,
    finally: Option<Saw>,
}

fn sessions(history: &History) -> Vec<Session> {
    let numbers = history.events.iter().map(|event| event.session + 1);
    let count = numbers.max().unwrap_or(0).max(history.finally.len());
    let mut sessions: Vec<_> = (0..count)
        .map(|number| Session {
            number,
            finally: history.finally.get(number).copied(),
            ..Session::default()
        })
        .collect();
    for event in &history.events {
        sessions[event.session].take(event);
    }
    for session in &mut sessions {
        session.writes.sort_by_key(|(revision, ..)| *revision);
    }
    sessions
}

impl Session {
    fn take(&mut self, event: &Event) {
        let Span { asked, answered } = event.span;
        match event.what {
            What::Wrote { revision, token } => {
                self.writes.push((revision, event.span, token));
                self.tokens.extend(token.map(|token| (revision, token)));
            }
            What::Ended | What::MayHaveEnded => {
                self.ending = Some(self.ending.map_or(asked, |first| first.min(asked)));
                let first = self.ended.is_none_or(|ended| answered < ended.answered);
                if first && matches!(event.what, What::Ended) {
                    self.ended = Some(event.span);
                }
            }
            What::Read { .. } | What::Failed => {}
        }
    }

    /// When what this read does not reflect was first acknowledged.
    fn missed(&self, saw: Saw) -> Option<Instant> {
        let Saw::Session { revision, .. } = saw else {
            return None;
        };
        let newer = self.writes.iter().rev();
        let newer = newer.take_while(|(written, ..)| *written > revision);
        let ended = self.ended.map(|span| span.answered);
        newer.map(|(_, span, _)| span.answered).chain(ended).min()
    }
}

impl Verdict {
    fn count(&mut self, event: &Event, promise: Promise) {
        let took = event.span.took();
        self.slowest = self.slowest.max(took);
        if took > promise.limit {
            self.violations.push(Violation::Hung { took });
        }
        match event.what {
            What::Wrote { .. } | What::Ended => self.writes += 1,
            What::Failed | What::MayHaveEnded => self.failed += 1,
            What::Read { .. } => {}
        }
    }

    fn read(
        &mut self,
        session: &Session,
        event: &Event,
        need: Freshness,
        saw: Saw,
        promise: Promise,
        history: &History,
    ) {
        let Span { asked, answered } = event.span;
        let (instance, number) = (event.instance, session.number);
        let by = session
            .missed(saw)
            .and_then(|at| asked.checked_duration_since(at));
        let within: Duration = need.within.max(need.at_worst).unsigned_abs();
        if let Some(by) = by {
            if within <= promise.bound {
                self.worst = self.worst.max(by);
            }
            if by >= within {
                let session = number;
                self.violations.push(Violation::Stale {
                    instance,
                    session,
                    by,
                });
            }
        }
        match saw {
            Saw::Session { revision, token } => {
                if revision < need.revision {
                    self.violations
                        .push(Violation::Backwards { session: number });
                }
                let written = session.tokens.get(&revision);
                if written.is_some_and(|written| token != Some(*written)) {
                    self.violations
                        .push(Violation::WrongValue { session: number });
                }
            }
            Saw::Nothing => {
                let ended = session.ending.is_some_and(|asked| asked < answered);
                let lost = history.losses.iter().any(|loss| loss.asked < answered);
                if !ended && !lost {
                    self.violations
                        .push(Violation::Vanished { session: number });
                }
            }
        }
    }

    /// Each acknowledged write has a revision of its own, and none comes after the end.
    fn writes(&mut self, session: &Session) {
        let number = session.number;
        for pair in session.writes.windows(2) {
            if pair[0].0 == pair[1].0 {
                self.violations.push(Violation::Twice { session: number });
            }
        }
        for (_, write, _) in &session.writes {
            if session.ended.is_some_and(|end| end.answered < write.asked) {
                self.violations
                    .push(Violation::Resurrected { session: number });
            }
        }
    }

    /// What was acknowledged is in the store in the end.
    fn finally(&mut self, session: &Session, losses: &[Span]) {
        let number = session.number;
        let Some(finally) = session.finally else {
            return;
        };
        let kept = match finally {
            Saw::Session { .. } if session.ended.is_some() => {
                self.violations.push(Violation::LostEnd { session: number });
                return;
            }
            Saw::Nothing => 0,
            Saw::Session { revision, .. } => revision,
        };
        // What was ended need not be there; what had been lost before was lost all the same.
        let gone_at = session.ending.filter(|_| finally == Saw::Nothing);
        let of_it = |loss: &&Span| gone_at.is_none_or(|gone| loss.asked < gone);
        let losses: Vec<_> = losses.iter().filter(of_it).collect();
        for (_, write, _) in session.writes.iter().filter(|(r, ..)| *r > kept) {
            if losses.iter().any(|loss| write.asked < loss.answered) {
                self.excused += 1;
            } else if gone_at.is_none() {
                self.violations
                    .push(Violation::LostWrite { session: number });
            }
        }
    }
}
