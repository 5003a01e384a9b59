//! What may happen, and what the rules make of it.

use crate::{
    rules::{Rule, Times},
    state::{Connection, Copy, Load, News, Own, Renewal, State, Version, renewing},
};
use stateright::{Model, Property};

/// The revision that the end of a session is announced with.
const ENDED: u8 = u8::MAX;
/// Where a server's count begins, and where it may begin again.
const FIRST_COUNT: u8 = 10;
const OTHER_COUNTS: [u8; 2] = [5, 20];

pub(crate) struct Protocol {
    pub(crate) without: Option<Rule>,
    pub(crate) may: Times,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// The moment that lies `within` before the read.
    Cut,
    /// Others write the session, end it, end everyone's, or write another one of its bucket.
    Write,
    End,
    EndEveryone,
    WriteAnother,
    /// The server is emptied, of which it tells nobody, and counts from here.
    Empty(u8),
    /// The server is no longer the master, of which it tells nobody. It keeps its subscribers.
    Demote,
    Subscribe,
    Disconnect,
    Deliver,
    /// The next message never comes.
    LoseMessage,
    Renew,
    AnswerRenewal,
    TakeAnswer,
    Prove,
    /// Some reader doesn't find what it needs, or asks for more.
    Load,
    AnswerLoad(usize),
    TakeLoad(usize),
    OwnWrite,
    AnswerOwn,
    TakeOwn,
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let elsewhere = self.holds(Rule::CountBeginsElsewhere);
        let published = if elsewhere { FIRST_COUNT } else { 0 };
        vec![State::new(self.may, published)]
    }

    fn actions(&self, s: &State, actions: &mut Vec<Action>) {
        self.at_the_server(s, actions);
        self.on_the_connection(s, actions);
        self.in_the_process(s, actions);
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut s = before.clone();
        match action {
            Action::Cut => s.due = Some(s.version),
            Action::Write => s.left.writes -= s.write(),
            Action::End => s.left.ends -= s.end(),
            Action::EndEveryone => s.left.epochs -= s.end_everyone(),
            Action::WriteAnother => s.left.others -= s.publish(News::OfAnother),
            Action::Empty(count) => s.left.empties -= s.empty(count),
            Action::Demote => s.left.demotions -= s.demote(),
            Action::Subscribe => s.subscribe(),
            Action::Disconnect => s.left.disconnects -= self.disconnect(&mut s),
            Action::Deliver => self.deliver(&mut s),
            Action::LoseMessage => s.left.losses -= s.lose_message(),
            Action::Renew => s.renew(),
            Action::AnswerRenewal => s.answer_renewal(),
            Action::TakeAnswer => self.take_answer(&mut s),
            Action::Prove => self.prove(&mut s),
            Action::Load => s.load(),
            Action::AnswerLoad(i) => s.loads[i].version = Some(s.version),
            Action::TakeLoad(i) => self.land(&mut s, i),
            Action::OwnWrite => s.left.owns -= s.own_write(),
            Action::AnswerOwn => s.answer_own(),
            Action::TakeOwn => self.made(&mut s),
        }
        s.loads.sort_unstable();
        Some(s)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("fresh", |p, s| p.all_are_shown(s, s.due)),
            Property::always("told", |p, s| p.all_are_shown(s, Some(s.told))),
        ]
    }
}

/// What may happen next.
impl Protocol {
    fn at_the_server(&self, s: &State, actions: &mut Vec<Action>) {
        let left = s.left;
        let mut may = |action, so: bool| actions.extend(so.then_some(action));
        may(Action::Cut, s.due.is_none());
        may(Action::Write, left.writes > 0 && !s.ended);
        may(Action::End, left.ends > 0 && !s.ended);
        may(Action::EndEveryone, left.epochs > 0 && !s.ended);
        may(Action::WriteAnother, left.others > 0);
        let counts = match self.holds(Rule::CountBeginsElsewhere) {
            true => &OTHER_COUNTS[..],
            false => &[0],
        };
        for count in counts {
            may(Action::Empty(*count), left.empties > 0 && !s.ended);
        }
        for (i, load) in s.loads.iter().enumerate() {
            may(Action::AnswerLoad(i), load.version.is_none());
        }
        let own_comes = s.own.is_some_and(|own| own.made.is_none());
        may(Action::AnswerOwn, own_comes);
    }

    fn on_the_connection(&self, s: &State, actions: &mut Vec<Action>) {
        let left = s.left;
        let mut may = |action, so: bool| actions.extend(so.then_some(action));
        let Some(c) = &s.connection else {
            return may(Action::Subscribe, true);
        };
        may(Action::Demote, left.demotions > 0 && c.demoted.is_none());
        may(Action::Disconnect, left.disconnects > 0);
        may(Action::Deliver, !c.coming.is_empty());
        let losable = left.losses > 0 && !c.coming.is_empty();
        may(Action::LoseMessage, losable);
        let Some(r) = c.renewal else {
            return may(Action::Renew, true);
        };
        // After a refusal there is nothing but the end of the connection.
        let refused = c.demoted.is_some() && self.holds(Rule::RenewalWrites);
        may(Action::AnswerRenewal, r.published.is_none() && !refused);
        may(Action::TakeAnswer, r.published.is_some() && !r.answered);
        may(Action::Prove, r.answered && self.has_heard(c, r));
    }

    fn in_the_process(&self, s: &State, actions: &mut Vec<Action>) {
        let mut may = |action, so: bool| actions.extend(so.then_some(action));
        may(Action::Load, s.loads.len() < usize::from(s.left.loads));
        for (i, load) in s.loads.iter().enumerate() {
            may(Action::TakeLoad(i), load.version.is_some());
        }
        may(Action::OwnWrite, s.own.is_none() && s.left.owns > 0);
        let own_has_come = s.own.is_some_and(|own| own.made.is_some());
        may(Action::TakeOwn, own_has_come);
    }
}

/// `near.rs`: who may use a copy, and who may join a load.
impl Protocol {
    fn holds(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    /// Whether whoever reads now, from the copy or from a load that it joins, is shown this version
    /// or a later one. What the server has yet to read is late enough.
    fn all_are_shown(&self, s: &State, version: Option<Version>) -> bool {
        let copy = s.copy.filter(|copy| self.is_fresh(s, copy));
        let loads = s.loads.iter().filter(|load| self.is_joinable(s, load));
        let joined = loads.filter_map(|load| load.version);
        let mut shown = joined.chain(copy.map(|copy| copy.version));
        shown.all(|shown| Some(shown) >= version)
    }

    fn is_fresh(&self, s: &State, copy: &Copy) -> bool {
        let of_term = self.holds(Rule::CopyOfTerm);
        let term = if of_term { copy.term } else { s.lease.term };
        let proven = s.lease.proven(term);
        let known = proven.map_or(copy.read, |proven| proven.max(copy.read));
        known || !self.holds(Rule::Trust)
    }

    fn is_joinable(&self, s: &State, load: &Load) -> bool {
        let in_time = load.began || !self.holds(Rule::JoinInTime);
        let in_term = load.term == s.lease.term || !self.holds(Rule::JoinInTerm);
        load.offered && in_time && in_term
    }

    fn land(&self, s: &mut State, i: usize) {
        let load = s.loads.remove(i);
        let from_sending = self.holds(Rule::ReadFromSending);
        let read = if from_sending { load.began } else { s.now() };
        let term = load.term;
        let copy = |version| Copy {
            version,
            term,
            read,
        };
        self.arrive(s, load.version.map(copy));
    }

    fn made(&self, s: &mut State) {
        let Some(Own {
            sent,
            term,
            base,
            made,
        }) = s.own
        else {
            return;
        };
        let made = made.unwrap_or_default();
        let ended = made == 0;
        s.told = s.told.max(if ended { s.version } else { made });
        self.stale(s, if ended { ENDED } else { made });
        s.own = None;
        let follows = base.is_some_and(|base| base + 1 == made);
        let copy = Copy {
            version: made,
            term,
            read: sent,
        };
        self.arrive(s, follows.then_some(copy));
    }
}

/// `shard.rs`: what becomes of copies.
impl Protocol {
    fn stale(&self, s: &mut State, revision: u8) {
        if s.values_coming() > 0 && self.holds(Rule::Fence) {
            s.announced = s.announced.max(revision);
        }
        if self.holds(Rule::JoinUnannounced) {
            let close = |load: &mut Load| load.offered = false;
            s.loads.iter_mut().for_each(close);
        }
        s.copy = s.copy.filter(|copy| s.revision(copy.version) >= revision);
    }

    /// What is on its way no more.
    fn arrive(&self, s: &mut State, copy: Option<Copy>) {
        let announced = s.announced;
        if s.values_coming() == 0 {
            s.announced = 0;
        }
        let Some(new) = copy else { return };
        let revision = s.revision(new.version);
        let newer = |held: &Copy| {
            let later = match revision {
                0 => held.read && !new.read,
                revision => s.revision(held.version) > revision,
            };
            later && held.term == new.term
        };
        let older = s.copy.as_ref().is_some_and(newer) && self.holds(Rule::NewerStays);
        if revision >= announced && !older {
            s.copy = Some(new);
        }
    }
}

/// `channel/`: what is heard, and what that proves.
impl Protocol {
    fn disconnect(&self, s: &mut State) -> u8 {
        s.connection = None;
        if self.holds(Rule::LossEndsTerm) {
            s.lease.end_term();
        }
        1
    }

    fn deliver(&self, s: &mut State) {
        let Some(c) = &mut s.connection else { return };
        let (number, news) = c.coming.remove(0);
        let follows = c.number.is_none_or(|last| number <= last + 1);
        c.number = c.number.max(Some(number));
        let all = matches!(news, News::OfAll(_));
        if all || !follows && self.holds(Rule::GapBeginsTerm) {
            c.listening = s.lease.end_term();
        }
        let (News::Of(version) | News::OfAll(version)) = news else {
            return;
        };
        s.told = s.told.max(version);
        let revision = s.revision(version);
        if !all || self.holds(Rule::AllAreDropped) {
            self.stale(s, if revision == 0 { ENDED } else { revision });
        }
    }

    fn take_answer(&self, s: &mut State) {
        let Some((c, r)) = renewing(&mut s.connection) else {
            return;
        };
        c.renewal = Some(Renewal {
            answered: true,
            before: None,
            ..r
        });
        if r.before > r.published && self.holds(Rule::FewerBeginTerm) {
            c.number = None;
            c.listening = s.lease.end_term();
        }
    }

    fn has_heard(&self, c: &Connection, r: Renewal) -> bool {
        let all = c.number.is_none_or(|heard| Some(heard) >= r.published);
        all || !self.holds(Rule::AllHeard)
    }

    /// The first renewal says where the count begins; each later one proves something.
    fn prove(&self, s: &mut State) {
        let now = s.now();
        let Some((c, r)) = renewing(&mut s.connection) else {
            return;
        };
        c.number = c.number.or(r.published);
        c.renewal = None;
        if std::mem::replace(&mut c.begun, true) {
            let from_sending = self.holds(Rule::ProofFromSending);
            if s.lease.term == r.term || !self.holds(Rule::ProofOfTerm) {
                s.lease.heard = Some(if from_sending { r.sent } else { now });
            }
        } else if self.holds(Rule::SubscriptionBeginsTerm) {
            c.listening = s.lease.end_term();
        }
    }
}
