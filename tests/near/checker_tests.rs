//! The checker is checked by histories that were made by hand.

use std::time::{Duration, Instant};

use cloakroom_core::Freshness;
use time::ext::NumericalDuration;

use super::checker::{Promise, check};
use super::history::{Event, History, Saw, Span, What};
use super::verdict::Violation;

const PROMISE: Promise = Promise {
    bound: Duration::from_millis(400),
    limit: Duration::from_secs(3),
};

/// A history of one session on one instance; times in milliseconds.
struct Told {
    origin: Instant,
    history: History,
}

impl Told {
    fn new() -> Self {
        Self {
            origin: Instant::now(),
            history: History::default(),
        }
    }

    fn at(&self, milliseconds: u64) -> Instant {
        self.origin + Duration::from_millis(milliseconds)
    }

    fn span(&self, asked: u64, answered: u64) -> Span {
        Span {
            asked: self.at(asked),
            answered: self.at(answered),
        }
    }

    fn event(mut self, asked: u64, answered: u64, what: What) -> Self {
        let span = self.span(asked, answered);
        self.history.events.push(Event {
            instance: 0,
            session: 0,
            span,
            what,
        });
        self
    }

    fn wrote(self, asked: u64, answered: u64, revision: u64) -> Self {
        let token = Some(revision * 10);
        self.event(asked, answered, What::Wrote { revision, token })
    }

    fn read(self, asked: u64, revision: u64) -> Self {
        let token = Some(revision * 10);
        self.saw(asked, 0, Saw::Session { revision, token })
    }

    fn saw(self, asked: u64, revision: u64, saw: Saw) -> Self {
        let need = Freshness {
            within: 400.milliseconds(),
            revision,
            ..Freshness::NOW
        };
        self.event(asked, asked + 1, What::Read { need, saw })
    }

    fn finally(mut self, saw: Saw) -> Self {
        self.history.finally = vec![saw];
        self
    }

    fn violations(&self) -> Vec<Violation> {
        check(&self.history, PROMISE).violations
    }
}

fn stale(by: u64) -> Violation {
    Violation::Stale {
        instance: 0,
        session: 0,
        by: Duration::from_millis(by),
    }
}

#[test]
fn a_read_may_miss_what_was_acknowledged_less_than_the_bound_ago() {
    let told = Told::new().wrote(0, 10, 1).wrote(20, 30, 2);
    let told = told.read(35, 1).read(429, 1).read(430, 2);
    assert_eq!(told.violations(), []);
    let worst = check(&told.history, PROMISE).worst;
    assert_eq!(worst, Duration::from_millis(399));
    assert_eq!(told.read(430, 1).violations(), [stale(400)]);
}

#[test]
fn staleness_counts_from_the_first_thing_missed() {
    let told = Told::new().wrote(0, 10, 1).wrote(20, 30, 2);
    let told = told.wrote(500, 510, 3).read(530, 1);
    assert_eq!(told.violations(), [stale(500)]);
}

#[test]
fn an_ended_session_must_not_be_accepted_beyond_the_bound() {
    let told = Told::new().wrote(0, 10, 1).event(20, 30, What::Ended);
    let told = told.read(100, 1).saw(400, 0, Saw::Nothing);
    assert_eq!(told.violations(), []);
    assert_eq!(told.read(1030, 1).violations(), [stale(1000)]);
}

#[test]
fn what_was_not_acknowledged_before_the_read_was_asked_is_not_missed() {
    let told = Told::new().wrote(0, 10, 1).wrote(20, 900, 2);
    let told = told.read(899, 1).event(20, 1000, What::Failed);
    assert_eq!(told.violations(), []);
}

#[test]
fn reads_follow_what_their_client_has_seen_and_what_was_written() {
    let told = Told::new().wrote(0, 10, 1).wrote(20, 30, 2);
    let saw = |revision, token| Saw::Session {
        revision,
        token: Some(token),
    };
    let backwards = told.saw(40, 2, saw(1, 10));
    let session = 0;
    assert_eq!(backwards.violations(), [Violation::Backwards { session }]);
    let wrong = Told::new().wrote(0, 10, 1).saw(20, 0, saw(1, 11));
    assert_eq!(wrong.violations(), [Violation::WrongValue { session }]);
    let vanished = Told::new().wrote(0, 10, 1).saw(20, 0, Saw::Nothing);
    assert_eq!(vanished.violations(), [Violation::Vanished { session }]);
}

#[test]
fn what_was_acknowledged_is_there_in_the_end() {
    let told = || Told::new().wrote(0, 10, 1).wrote(20, 30, 2);
    let saw = |revision| Saw::Session {
        revision,
        token: Some(revision * 10),
    };
    let session = 0;
    let lost = Violation::LostWrite { session };
    assert_eq!(told().finally(saw(2)).violations(), []);
    assert_eq!(told().finally(saw(1)).violations(), [lost]);
    assert_eq!(told().finally(Saw::Nothing).violations(), [lost, lost]);
    let ended = told().event(40, 50, What::Ended);
    let back = Violation::LostEnd { session };
    assert_eq!(ended.finally(saw(2)).violations(), [back]);
    let mut declared = told().finally(Saw::Nothing);
    declared.history.losses = vec![declared.span(15, 16)];
    let verdict = check(&declared.history, PROMISE);
    assert_eq!((verdict.excused, verdict.violations), (1, vec![lost]));
    declared = declared.event(40, 50, What::Ended);
    let verdict = check(&declared.history, PROMISE);
    assert_eq!((verdict.excused, verdict.violations), (1, vec![]));
}

#[test]
fn nothing_comes_back_nothing_is_written_twice_and_nothing_hangs() {
    let session = 0;
    let told = Told::new().wrote(0, 10, 1).event(20, 30, What::Ended);
    let again = Violation::Resurrected { session };
    assert_eq!(told.wrote(31, 40, 2).violations(), [again]);
    let told = Told::new().wrote(0, 10, 1).wrote(5, 15, 1);
    assert_eq!(told.violations(), [Violation::Twice { session }]);
    let took = Duration::from_millis(3001);
    let told = Told::new().event(0, 3001, What::Failed);
    assert_eq!(told.violations(), [Violation::Hung { took }]);
}
