//! What became of each acknowledged operation on one session: kept, or lost with a master.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::history::{Event, History, Kept, Saw, Span, Succession, What};

/// Whether what was acknowledged must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Kept,
    /// Acknowledged by a master whose successor does not have it.
    Lost,
    /// Acknowledged when a successor was made: one may have it or not.
    Perhaps,
}

/// A write that was acknowledged, or one that was seen and never was, before a master was replaced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Write {
    pub(super) acknowledged: bool,
    pub(super) revision: u64,
    pub(super) span: Span,
    pub(super) token: Option<u64>,
    pub(super) fate: Fate,
}

/// What was acknowledged of one session.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) number: usize,
    /// By revision.
    pub(super) writes: Vec<Write>,
    /// Those of which nobody was told whether they happened: when they were asked for, by token.
    unknown: HashMap<u64, Instant>,
    pub(super) ended: Option<(Span, Fate)>,
    /// When an end was first asked for, acknowledged or not.
    pub(super) ending: Option<Instant>,
    pub(super) finally: Option<Saw>,
    /// When another server took over, and what it has.
    pub(super) succession: Option<(Succession, Kept)>,
}

/// The sessions of a history.
pub(super) fn sessions(history: &History) -> Vec<Session> {
    let numbers = history.events.iter().map(|event| event.session + 1);
    let count = numbers.max().unwrap_or(0).max(history.finally.len());
    let mut sessions: Vec<_> = (0..count).map(|n| Session::new(n, history)).collect();
    for event in &history.events {
        sessions[event.session].take(event);
    }
    for event in &history.events {
        sessions[event.session].look(event);
    }
    for session in &mut sessions {
        session.writes.sort_by_key(|write| write.revision);
        session.overwritten();
    }
    sessions
}

impl Session {
    fn new(number: usize, history: &History) -> Self {
        let concerns = |s: &Succession| Some((s.clone(), s.kept.get(&number)?.clone()));
        let successions: Vec<_> = history.successions.iter().filter_map(concerns).collect();
        assert!(successions.len() < 2, "one succession is hard enough");
        Self {
            number,
            finally: history.finally.get(number).copied(),
            succession: successions.into_iter().next(),
            ..Self::default()
        }
    }

    fn take(&mut self, event: &Event) {
        let Span { asked, answered } = event.span;
        let span = event.span;
        match event.what {
            What::Wrote { revision, token } => self.writes.push(Write {
                acknowledged: true,
                revision,
                span,
                token,
                fate: self.fate(span, Some(revision)),
            }),
            What::Ended | What::MayHaveEnded => {
                self.ending = Some(self.ending.map_or(asked, |first| first.min(asked)));
                let first = self
                    .ended
                    .is_none_or(|(ended, _)| answered < ended.answered);
                if first && matches!(event.what, What::Ended) {
                    self.ended = Some((span, self.fate(span, None)));
                }
            }
            What::MayHaveWritten { token } => drop(self.unknown.insert(token, asked)),
            What::Read { .. } | What::Failed => {}
        }
    }

    /// A read may show what was never acknowledged. If it was the old master that did it, then the
    /// new one need not have it.
    fn look(&mut self, event: &Event) {
        let What::Read {
            saw:
                Saw::Session {
                    revision,
                    token: Some(token),
                },
            ..
        } = event.what
        else {
            return;
        };
        let Some(asked) = self.unknown.remove(&token) else {
            return;
        };
        // Whenever it was asked for, it may have been done until it was seen.
        let span = Span {
            asked,
            answered: event.span.answered,
        };
        if self.may_be_lost(span, revision) {
            self.writes.push(Write {
                acknowledged: false,
                revision,
                span,
                token: Some(token),
                fate: Fate::Perhaps,
            });
        }
    }

    fn may_be_lost(&self, span: Span, revision: u64) -> bool {
        let Some((succession, kept)) = &self.succession else {
            return false;
        };
        let by_the_old = span.asked < succession.change.asked;
        match kept {
            Kept::Nothing => by_the_old,
            Kept::UpTo(last) => by_the_old && revision > *last,
            Kept::ButPerhaps(times) => times.iter().any(|time| span.meets(*time)),
        }
    }

    /// What became of a write of this revision, or of an end.
    fn fate(&self, span: Span, revision: Option<u64>) -> Fate {
        let Some((succession, kept)) = &self.succession else {
            return Fate::Kept;
        };
        let by_the_old = span.answered < succession.change.asked;
        match kept {
            Kept::Nothing if by_the_old && revision.is_some() => Fate::Lost,
            Kept::UpTo(last) if by_the_old && revision.is_none_or(|r| r > *last) => Fate::Lost,
            Kept::ButPerhaps(times) if times.iter().any(|t| span.meets(*t)) => Fate::Perhaps,
            _ => Fate::Kept,
        }
    }

    /// Where the new master has used a revision again, what the old one used it for is lost.
    fn overwritten(&mut self) {
        let again: Vec<u64> = self
            .writes
            .iter()
            .filter(|w| w.is_kept())
            .map(|w| w.revision)
            .collect();
        for write in &mut self.writes {
            if write.fate == Fate::Perhaps && again.contains(&write.revision) {
                write.fate = Fate::Lost;
            }
        }
    }

    /// Whether the old master alone can have been asked what was answered by then.
    pub(super) fn is_before(&self, answered: Instant) -> bool {
        let succession = self.succession.as_ref();
        succession.is_none_or(|(succession, _)| answered < succession.began())
    }

    /// When the new master had been told all ends.
    pub(super) fn said_again(&self) -> Option<Instant> {
        let (succession, _) = self.succession.as_ref()?;
        succession.said_again
    }

    /// The earliest of what a read that was answered then does not show, and must: when it was
    /// acknowledged, or said again, or since when what it shows is no more.
    pub(super) fn missed(&self, saw: Saw, answered: Instant) -> Option<Instant> {
        let Saw::Session { revision, token } = saw else {
            return None;
        };
        let old = self.is_before(answered);
        let lost = |w: &&Write| w.fate == Fate::Lost && w.token == token && token.is_some();
        let ghost = self.writes.iter().find(lost).filter(|_| !old);
        let shown = |write: &Write| match ghost {
            // Of what the new master acknowledged it shows nothing, whatever its number.
            Some(_) => self.is_before(write.span.answered) || !write.is_kept(),
            None => write.revision <= revision,
        };
        let due = |write: &&Write| write.is_kept() || (old && write.fate == Fate::Lost);
        let writes = self.writes.iter().filter(due).filter(|w| !shown(w));
        let writes = writes.map(|write| write.span.answered);
        let ended = self.ended.and_then(|(span, fate)| match fate {
            Fate::Lost if !old => self.said_again(),
            Fate::Perhaps => self.said_again(),
            _ => Some(span.answered),
        });
        let gone = ghost
            .and(self.succession.as_ref())
            .map(|(s, _)| s.change.answered);
        writes.chain(ended).chain(gone).min()
    }

    /// Whether a read that was answered then may have found nothing.
    pub(super) fn may_be_gone(&self, answered: Instant) -> bool {
        let ended = self.ending.is_some_and(|asked| asked < answered);
        let first = self.writes.first();
        let never_was = first.is_some_and(|w| !w.is_kept()) && !self.is_before(answered);
        ended || never_was
    }

    /// Whether a read may show a lower revision than its client had seen: of what was lost.
    pub(super) fn may_go_back(&self, seen: u64, answered: Instant) -> bool {
        let lost = self.writes.iter().filter(|write| !write.is_kept());
        !self.is_before(answered) && lost.map(|write| write.revision).max() >= Some(seen)
    }

    /// Whether a revision may show this token, as far as is known.
    pub(super) fn may_show(&self, revision: u64, token: Option<u64>) -> bool {
        let of_it = self
            .writes
            .iter()
            .filter(|write| write.revision == revision);
        let mut written = of_it.filter_map(|write| write.token).peekable();
        written.peek().is_none() || written.any(|written| Some(written) == token)
    }

    /// Whether a write may have been acknowledged after the end was: the end was lost, and nobody
    /// had said it again.
    pub(super) fn may_live(&self, write: &Write) -> bool {
        let Some((ended, fate)) = self.ended else {
            return true;
        };
        let vain = fate != Fate::Kept && !self.is_before(write.span.answered);
        let early = self.said_again().is_none_or(|said| write.span.asked < said);
        write.span.asked <= ended.answered || (vain && early)
    }

    /// How long after the change an end that was lost was said again.
    pub(super) fn said_again_after(&self) -> Option<Duration> {
        let (succession, _) = self.succession.as_ref()?;
        let (_, fate) = self.ended?;
        let said = succession.said_again.filter(|_| fate == Fate::Lost)?;
        Some(said.saturating_duration_since(succession.change.answered))
    }
}

impl Write {
    pub(super) fn is_kept(&self) -> bool {
        self.fate == Fate::Kept
    }
}

impl Succession {
    /// From when on an answer may be the new master's, or show that it is not there yet.
    fn began(&self) -> Instant {
        let perhaps = self.kept.values().filter_map(|kept| match kept {
            Kept::ButPerhaps(times) => times.iter().map(|time| time.asked).min(),
            _ => None,
        });
        perhaps
            .chain([self.change.asked])
            .min()
            .unwrap_or(self.change.asked)
    }
}
