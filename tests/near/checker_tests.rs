//! The checker is checked by histories that were made by hand.

use std::time::{Duration, Instant};

use cloakroom_core::Freshness;
use time::ext::NumericalDuration;

use super::checker::{Promise, check};
use super::history::{Event, History, Kept, Saw, Span, Succession, What};
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

    /// Another server took over, and was told of all ends so long after it had.
    fn succeeded(mut self, asked: u64, answered: u64, kept: Kept, told: u64) -> Self {
        let change = self.span(asked, answered);
        let said_again = Some(self.at(answered + told));
        self.history.successions = vec![Succession {
            change,
            kept: [(0, kept)].into(),
            said_again,
        }];
        self
    }

    fn violations(&self) -> Vec<Violation> {
        check(&self.history, PROMISE).violations
    }
}

fn revision(revision: u64) -> Saw {
    written(revision, revision * 10)
}

fn written(revision: u64, token: u64) -> Saw {
    let token = Some(token);
    Saw::Session { revision, token }
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

/// Three writes, of which the new master has one, and a change at 100 to 200.
fn lossy() -> Told {
    let told = Told::new().wrote(0, 10, 1).wrote(20, 30, 2);
    let told = told.wrote(40, 50, 3);
    told.succeeded(100, 200, Kept::UpTo(1), 50)
}

#[test]
fn what_a_new_master_never_had_is_counted_and_not_asked_for() {
    let told = lossy().read(250, 1).read(900, 1).finally(revision(1));
    let verdict = check(&told.history, PROMISE);
    assert_eq!((verdict.violations, verdict.lost_writes), (vec![], 2));
    let session = 0;
    let before = lossy().finally(Saw::Nothing);
    let lost = Violation::LostWrite { session };
    assert_eq!(before.violations(), [lost], "it had the first");
    let gone = lossy().saw(300, 0, Saw::Nothing);
    assert_eq!(gone.violations(), [Violation::Vanished { session }]);
    let nothing = Told::new().wrote(0, 10, 1);
    let nothing = nothing.succeeded(100, 200, Kept::Nothing, 0);
    let nothing = nothing.saw(150, 0, Saw::Nothing).finally(Saw::Nothing);
    let verdict = check(&nothing.history, PROMISE);
    assert_eq!((verdict.violations, verdict.lost_writes), (vec![], 1));
    let early = nothing.saw(90, 0, Saw::Nothing);
    assert_eq!(early.violations(), [Violation::Vanished { session }]);
}

#[test]
fn what_was_lost_is_shown_no_longer_than_the_bound() {
    let told = lossy().read(250, 3).read(599, 3);
    assert_eq!(told.violations(), []);
    assert_eq!(told.read(600, 3).violations(), [stale(400)]);
    // Nor does it hide what the new master acknowledges.
    let token = Some(77);
    let again = || lossy().event(210, 220, What::Wrote { revision: 2, token });
    let told = again().read(400, 3).saw(500, 0, written(2, 77));
    assert_eq!(told.violations(), []);
    assert_eq!(again().read(620, 1).violations(), [stale(400)]);
    assert_eq!(again().read(500, 2).violations(), [], "the lost one");
    let wrong = again().saw(500, 0, written(2, 78));
    assert_eq!(wrong.violations(), [Violation::WrongValue { session: 0 }]);
}

#[test]
fn as_long_as_the_old_master_was_asked_all_of_it_counts() {
    let told = Told::new().wrote(0, 10, 1).wrote(20, 30, 2);
    let told = told.succeeded(900, 1000, Kept::UpTo(1), 0);
    let told = told.read(500, 1);
    assert_eq!(told.violations(), [stale(470)]);
}

#[test]
fn who_has_seen_what_was_lost_may_see_less_and_nobody_else() {
    let back = |seen| lossy().saw(300, seen, revision(1)).violations();
    assert_eq!(back(3), []);
    let backwards = Violation::Backwards { session: 0 };
    assert_eq!(back(4), [backwards]);
    let early = lossy().saw(60, 3, revision(1));
    assert_eq!(early.violations(), [backwards]);
}

#[test]
fn what_was_seen_and_never_acknowledged_may_go_with_its_master() {
    let told = |asked| {
        let told = Told::new().wrote(0, 10, 1);
        let told = told.event(asked, asked + 50, What::MayHaveWritten { token: 20 });
        told.succeeded(100, 200, Kept::UpTo(1), 0).read(95, 2)
    };
    assert_eq!(told(30).saw(300, 2, revision(1)).violations(), []);
    let backwards = Violation::Backwards { session: 0 };
    let by_the_new = told(101).saw(300, 2, revision(1));
    assert_eq!(by_the_new.violations(), [backwards]);
}

#[test]
fn an_end_that_was_lost_holds_again_when_it_was_said_again() {
    let ended = |told| {
        let ended = Told::new().wrote(0, 10, 1).event(20, 30, What::Ended);
        ended.succeeded(100, 200, Kept::UpTo(1), told)
    };
    let told = ended(500).read(650, 1).read(1099, 1).finally(Saw::Nothing);
    let verdict = check(&told.history, PROMISE);
    let after = Duration::from_millis(500);
    assert_eq!(
        (verdict.violations, verdict.lost_ends, verdict.said_again),
        (vec![], 1, after)
    );
    assert_eq!(told.read(1100, 1).violations(), [stale(400)]);
    let session = 0;
    let never = ended(500).finally(revision(1));
    assert_eq!(never.violations(), [Violation::LostEnd { session }]);
    assert_eq!(ended(500).wrote(300, 310, 2).violations(), []);
    let late = ended(500).wrote(701, 710, 2).violations();
    assert_eq!(late, [Violation::Resurrected { session }]);
    // One that the new master had heard of holds all the time.
    let heard = Told::new().wrote(0, 10, 1).event(20, 30, What::Ended);
    let heard = heard.succeeded(100, 200, Kept::Nothing, 500);
    assert_eq!(heard.read(430, 1).violations(), [stale(400)]);
}

#[test]
fn only_what_was_acknowledged_in_these_moments_may_be_lost() {
    let told = Told::new().wrote(0, 10, 1).wrote(100, 110, 2);
    let times = vec![told.span(105, 120)];
    let told = told.succeeded(130, 200, Kept::ButPerhaps(times), 0);
    let verdict = check(&told.finally(revision(1)).history, PROMISE);
    assert_eq!((verdict.violations, verdict.lost_writes), (vec![], 1));
    let told = Told::new().wrote(0, 10, 1).wrote(90, 104, 2);
    let times = vec![told.span(105, 120)];
    let told = told.succeeded(130, 200, Kept::ButPerhaps(times), 0);
    let lost = Violation::LostWrite { session: 0 };
    assert_eq!(told.finally(revision(1)).violations(), [lost]);
}
