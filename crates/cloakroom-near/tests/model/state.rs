//! What there is: the server, what is on its way, and what the process holds.

use crate::rules::Times;

/// Whether it was after the cut.
pub(crate) type Moment = bool;
pub(crate) type Term = u8;
/// How often the session had been written; its end counts too. The code doesn't know it, and sees a
/// revision: [`State::revision`].
pub(crate) type Version = u8;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) version: Version,
    pub(crate) ended: bool,
    /// The version at the cut, which the read must show. `None` before the cut.
    pub(crate) due: Option<Version>,
    /// How many messages the server has published.
    pub(crate) published: u8,
    pub(crate) connection: Option<Connection>,
    pub(crate) lease: Lease,
    pub(crate) copy: Option<Copy>,
    /// The highest revision announced since the first of the values on their way set out.
    pub(crate) announced: u8,
    pub(crate) loads: Vec<Load>,
    pub(crate) own: Option<Own>,
    /// The last version that this process was told of.
    pub(crate) told: Version,
    /// How often things may happen yet.
    pub(crate) left: Times,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Lease {
    pub(crate) term: Term,
    pub(crate) heard: Option<Moment>,
    pub(crate) past: Option<(Term, Moment)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Connection {
    /// Messages on their way, each with its number.
    pub(crate) coming: Vec<(u8, News)>,
    /// The last number heard.
    pub(crate) number: Option<u8>,
    pub(crate) listening: Term,
    /// The first renewal has said where the count begins.
    pub(crate) begun: bool,
    pub(crate) renewal: Option<Renewal>,
    /// Leads to a server that is the master no more, and had published so many when it was.
    pub(crate) demoted: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum News {
    /// The session has come to this version.
    Of(Version),
    /// So has every session of the bucket, because all have ended.
    OfAll(Version),
    OfAnother,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Renewal {
    pub(crate) sent: Moment,
    pub(crate) term: Term,
    /// What had been heard when it was sent.
    pub(crate) before: Option<u8>,
    /// What the server counted.
    pub(crate) published: Option<u8>,
    /// The answer has come.
    pub(crate) answered: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Copy {
    pub(crate) version: Version,
    pub(crate) term: Term,
    pub(crate) read: Moment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Load {
    pub(crate) began: Moment,
    pub(crate) term: Term,
    /// What the server read.
    pub(crate) version: Option<Version>,
    /// Others may join it.
    pub(crate) offered: bool,
}

/// A write of this process's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Own {
    pub(crate) sent: Moment,
    pub(crate) term: Term,
    pub(crate) base: Option<Version>,
    /// What the server made; zero if the session had ended.
    pub(crate) made: Option<Version>,
}

/// What happens, whatever the rules. What may happen only so often answers one.
impl State {
    pub(crate) fn new(may: Times, published: u8) -> Self {
        Self {
            version: 1,
            ended: false,
            due: None,
            published,
            connection: None,
            lease: Lease::default(),
            copy: None,
            announced: 0,
            loads: Vec::new(),
            own: None,
            told: 0,
            left: may,
        }
    }

    pub(crate) fn now(&self) -> Moment {
        self.due.is_some()
    }

    /// What the code sees of a version: nothing is left of a session that has ended.
    pub(crate) fn revision(&self, version: Version) -> u8 {
        match self.ended && version == self.version {
            true => 0,
            false => version,
        }
    }

    /// How many values are on their way.
    pub(crate) fn values_coming(&self) -> usize {
        self.loads.len() + usize::from(self.own.is_some())
    }

    pub(crate) fn write(&mut self) -> u8 {
        self.version += 1;
        self.publish(News::Of(self.version))
    }

    pub(crate) fn end(&mut self) -> u8 {
        self.ended = true;
        self.write()
    }

    pub(crate) fn end_everyone(&mut self) -> u8 {
        self.ended = true;
        self.version += 1;
        self.publish(News::OfAll(self.version))
    }

    pub(crate) fn publish(&mut self, news: News) -> u8 {
        self.published += 1;
        let connection = self.connection.as_mut();
        if let Some(c) = connection.filter(|c| c.demoted.is_none()) {
            c.coming.push((self.published, news));
        }
        1
    }

    pub(crate) fn empty(&mut self, published: u8) -> u8 {
        self.version += 1;
        (self.ended, self.published) = (true, published);
        1
    }

    pub(crate) fn demote(&mut self) -> u8 {
        let published = self.published;
        let demote = |c: &mut Connection| c.demoted = Some(published);
        self.connection.iter_mut().for_each(demote);
        1
    }

    pub(crate) fn lose_message(&mut self) -> u8 {
        let coming = self.connection.iter_mut().map(|c| &mut c.coming);
        coming.for_each(|coming| drop(coming.drain(..1)));
        1
    }

    pub(crate) fn subscribe(&mut self) {
        self.connection = Some(Connection {
            listening: self.lease.term,
            ..Connection::default()
        });
    }

    pub(crate) fn renew(&mut self) {
        let sent = self.now();
        let renew = |c: &mut Connection| {
            c.renewal = Some(Renewal {
                sent,
                term: c.listening,
                before: c.number,
                published: None,
                answered: false,
            });
        };
        self.connection.iter_mut().for_each(renew);
    }

    pub(crate) fn answer_renewal(&mut self) {
        let published = self.published;
        if let Some((c, r)) = renewing(&mut self.connection) {
            let published = Some(c.demoted.unwrap_or(published));
            c.renewal = Some(Renewal { published, ..r });
        }
    }

    pub(crate) fn load(&mut self) {
        let close = |load: &mut Load| load.offered = false;
        self.loads.iter_mut().for_each(close);
        self.loads.push(Load {
            began: self.now(),
            term: self.lease.term,
            version: None,
            offered: true,
        });
    }

    pub(crate) fn own_write(&mut self) -> u8 {
        let term = self.lease.term;
        let base = self.copy.filter(|copy| copy.term == term);
        self.own = Some(Own {
            sent: self.now(),
            term,
            base: base.map(|copy| copy.version),
            made: None,
        });
        1
    }

    pub(crate) fn answer_own(&mut self) {
        if !self.ended {
            self.write();
        }
        let made = if self.ended { 0 } else { self.version };
        self.own.iter_mut().for_each(|own| own.made = Some(made));
    }
}

impl Lease {
    pub(crate) fn proven(&self, term: Term) -> Option<Moment> {
        let past = self.past.filter(|(past, _)| *past == term);
        let heard = self.heard.filter(|_| term == self.term);
        heard.or(past.map(|(_, moment)| moment))
    }

    pub(crate) fn end_term(&mut self) -> Term {
        if let Some(moment) = self.heard.take() {
            self.past = Some((self.term, moment));
        }
        self.term += 1;
        self.term
    }
}

/// The connection and its renewal, if one is under way.
pub(crate) fn renewing(connection: &mut Option<Connection>) -> Option<(&mut Connection, Renewal)> {
    let c = connection.as_mut()?;
    c.renewal.map(|renewal| (c, renewal))
}
