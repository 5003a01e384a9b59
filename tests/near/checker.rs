//! What a history proves: how stale the reads were, and whether anything was lost.
//!
//! A pure function. A read that was asked at some moment must reflect every write and every end
//! that was acknowledged before; its *staleness* is how long before it the earliest acknowledgement
//! lies that it does not reflect. (The latest would hide a copy that is stale for good, as long as
//! somebody goes on writing.)

//!
//! Where Redis lost what a master had acknowledged, because its successor never heard of it, that is
//! counted, and from the change on nobody is asked to show it: see `fate`. All else is held to what
//! the new master acknowledges, and to what it had.

use std::time::Duration;

use cloakroom_core::Freshness;

use super::fate::{Fate, Session, sessions};
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
            verdict.read(&sessions[event.session], event, need, saw, promise);
        }
    }
    for session in &sessions {
        verdict.writes(session);
        verdict.finally(session);
    }
    verdict.recovery(history);
    verdict
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
            What::Failed | What::MayHaveEnded | What::MayHaveWritten { .. } => self.failed += 1,
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
    ) {
        let Span { asked, answered } = event.span;
        let number = session.number;
        let missed = session.missed(saw, answered);
        let by = missed.and_then(|at| asked.checked_duration_since(at));
        let within: Duration = need.within.max(need.at_worst).unsigned_abs();
        if let Some(by) = by {
            if within <= promise.bound {
                self.worst = self.worst.max(by);
            }
            if by >= within {
                self.violations.push(Violation::Stale {
                    instance: event.instance,
                    session: number,
                    by,
                });
            }
        }
        let what = match saw {
            Saw::Nothing if !session.may_be_gone(answered) => {
                Violation::Vanished { session: number }
            }
            Saw::Nothing => return,
            Saw::Session { revision, token } => {
                if revision < need.revision && !session.may_go_back(need.revision, answered) {
                    Violation::Backwards { session: number }
                } else if !session.may_show(revision, token) {
                    Violation::WrongValue { session: number }
                } else {
                    return;
                }
            }
        };
        self.violations.push(what);
    }

    /// Each acknowledged write has a revision of its own, and none comes after the end.
    fn writes(&mut self, session: &Session) {
        let number = session.number;
        for pair in session.writes.windows(2) {
            let both = pair.iter().all(|write| write.fate == Fate::Kept);
            if pair[0].revision == pair[1].revision && both {
                self.violations.push(Violation::Twice { session: number });
            }
        }
        for _ in session.writes.iter().filter(|w| !session.may_live(w)) {
            self.violations
                .push(Violation::Resurrected { session: number });
        }
    }

    /// What was acknowledged is in the store in the end, and what was ended is not: an end that was
    /// lost has been said again.
    fn finally(&mut self, session: &Session) {
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
        if let Some(after) = session.said_again_after() {
            self.lost_ends += 1;
            self.said_again = self.said_again.max(after);
        }
        // What was ended need not be there; what had been lost before was lost all the same.
        let gone_at = session.ending.filter(|_| finally == Saw::Nothing);
        for write in &session.writes {
            let ended = gone_at.is_some_and(|gone| session.is_before(gone));
            match write.fate {
                _ if !write.acknowledged => {}
                Fate::Lost if !ended => self.lost_writes += 1,
                Fate::Perhaps if !ended && write.revision > kept => self.lost_writes += 1,
                Fate::Kept if gone_at.is_none() && write.revision > kept => self
                    .violations
                    .push(Violation::LostWrite { session: number }),
                _ => {}
            }
        }
    }

    /// How long operations went on to fail when nothing was broken any more.
    fn recovery(&mut self, history: &History) {
        let answered = |event: &&Event| {
            matches!(
                event.what,
                What::Read { .. } | What::Wrote { .. } | What::Ended
            )
        };
        let failed = history.events.iter().filter(|event| !answered(event));
        let last = failed.map(|event| event.span.answered).max();
        if let (Some(last), Some(healed)) = (last, history.healed) {
            self.recovery = last.saturating_duration_since(healed);
        }
    }
}
