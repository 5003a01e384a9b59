//! Finding the master by asking the Sentinels.
//!
//! Every attempt to connect asks them first. While a connection stands a watcher goes on asking,
//! because a master that was replaced behind a partition may live on and take writes that will
//! be lost: when more Sentinels name another one, the connection is given up.

mod answer;
mod witness;

use super::place::Watched;
use crate::{
    Driver, DriverError, Endpoint,
    connecting::nobody_answered,
    node::{Locate, Node},
};
use cloakroom_core::BoxFuture;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};
use witness::{Testimony, Witness};

/// How often the watcher asks.
const EVERY: Duration = Duration::from_secs(1);
/// How long the others are waited for when one has answered: one that stands still must not hide
/// a failover from those that disagree about it for a moment.
const MOMENT: Duration = Duration::from_millis(200);
/// More Sentinels than any deployment has.
const MOST: usize = 32;

/// The Sentinels that know a master.
#[derive(Debug, Clone)]
pub(super) struct Sentinels(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    driver: Arc<dyn Driver>,
    watched: Watched,
    /// How long an answer is waited for.
    limit: Duration,
    known: Mutex<Vec<Arc<Witness>>>,
}

/// What the Sentinels say together.
#[derive(Debug, Default)]
struct Votes {
    /// How many name each address, the most first.
    named: Vec<(Endpoint, usize)>,
    /// Whether some Sentinel answered that there is no such master.
    unknown: bool,
    /// Those that answered, and those that they tell of.
    answered: Vec<Endpoint>,
    others: Vec<answer::Address>,
    failure: Option<DriverError>,
}

impl Sentinels {
    /// Those of a URL; `limit` is that of an attempt to connect, which must leave time to connect.
    pub(super) fn new(driver: Arc<dyn Driver>, watched: Watched, limit: Duration) -> Self {
        let witness = |endpoint: &Endpoint| Arc::new(Witness::new(endpoint.clone()));
        let known = watched.sentinels.iter().map(witness).collect();
        Self(Arc::new(Inner {
            driver,
            watched,
            limit: limit / 2,
            known: Mutex::new(known),
        }))
    }

    /// Gives the node's connection up whenever the Sentinels name another master.
    pub(super) async fn watch(self, node: Arc<Node>) {
        loop {
            sleep(EVERY).await;
            let Some(current) = node.endpoint() else {
                continue;
            };
            let votes = self.poll().await;
            let of = |endpoint: &Endpoint| votes.of(endpoint);
            if let Some((other, most)) = votes.named.first()
                && *most > of(&current)
            {
                tracing::warn!(from = %current, to = %other, "the Sentinels name another master");
                node.give_up();
            }
        }
    }

    /// Asks all at once; waits for those that take their time only until the others agree.
    async fn poll(&self) -> Votes {
        let witnesses = self.known();
        let asked = witnesses.len();
        let mut until = Instant::now() + self.0.limit;
        let mut answers = JoinSet::new();
        for witness in witnesses {
            answers.spawn(self.clone().ask(witness));
        }
        let mut votes = Votes::default();
        while let Ok(Some(answer)) = timeout_at(until, answers.join_next()).await {
            let Ok((witness, answer)) = answer else {
                continue;
            };
            if answer.is_ok() {
                until = until.min(Instant::now() + MOMENT);
            }
            votes.count(witness, answer, &self.0.watched.server);
            if votes
                .named
                .first()
                .is_some_and(|(_, most)| *most > asked / 2)
            {
                break;
            }
        }
        // Who is late keeps its connection.
        answers.detach_all();
        self.learn(&votes);
        votes
    }

    async fn ask(self, witness: Arc<Witness>) -> (Endpoint, Result<Testimony, DriverError>) {
        let limit = self.0.limit;
        let answer = witness.ask(&*self.0.driver, &self.0.watched.name);
        let tls = witness.endpoint.tls;
        let late = |_| Err(nobody_answered("no Sentinel answered", limit, tls));
        let answer = timeout(limit, answer).await.unwrap_or_else(late);
        (witness.endpoint.clone(), answer)
    }

    fn known(&self) -> Vec<Arc<Witness>> {
        let known = self.0.known.lock();
        known.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers Sentinels that others told of, for the day when those of the URL are gone; and
    /// forgets those of which nobody tells any longer.
    fn learn(&self, votes: &Votes) {
        let seeds = &self.0.watched.sentinels;
        let told = votes.others.iter();
        let told = told.map(|(host, port)| seeds[0].at(host, *port));
        let present: Vec<_> = told.chain(votes.answered.iter().cloned()).collect();
        if votes.answered.is_empty() {
            return;
        }
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|w| seeds.contains(&w.endpoint) || present.contains(&w.endpoint));
        for endpoint in present {
            if known.len() < MOST && known.iter().all(|witness| witness.endpoint != endpoint) {
                known.push(Arc::new(Witness::new(endpoint)));
            }
        }
    }
}

impl Votes {
    fn count(
        &mut self,
        witness: Endpoint,
        answer: Result<Testimony, DriverError>,
        server: &Endpoint,
    ) {
        let testimony = match answer {
            Ok(testimony) => testimony,
            Err(error) => {
                self.failure.get_or_insert(error);
                return;
            }
        };
        self.answered.push(witness);
        self.others.extend(testimony.others);
        match testimony.master {
            None => self.unknown = true,
            Some((host, port)) => self.name(server.at(host, port)),
        }
    }

    fn name(&mut self, endpoint: Endpoint) {
        match self.named.iter_mut().find(|(named, _)| *named == endpoint) {
            Some((_, count)) => *count += 1,
            None => self.named.push((endpoint, 1)),
        }
        self.named
            .sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    }

    fn of(&self, endpoint: &Endpoint) -> usize {
        let named = self.named.iter().find(|(named, _)| named == endpoint);
        named.map_or(0, |(_, count)| *count)
    }
}

impl Locate for Sentinels {
    fn locate(&self) -> BoxFuture<'_, Result<Vec<Endpoint>, DriverError>> {
        Box::pin(async {
            let votes = self.poll().await;
            if !votes.named.is_empty() {
                return Ok(votes.named.into_iter().map(|(named, _)| named).collect());
            }
            let name = &self.0.watched.name;
            Err(match votes.failure {
                _ if votes.unknown => {
                    DriverError::refused(format!("no Sentinel knows a master named {name}"))
                }
                Some(failure) => failure,
                None => {
                    let tls = self.0.watched.server.tls;
                    nobody_answered("no Sentinel answered", self.0.limit, tls)
                }
            })
        })
    }
}

impl fmt::Display for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Watched {
            sentinels,
            name,
            server,
        } = &self.0.watched;
        let scheme = if server.tls { "rediss" } else { "redis" };
        let hosts = sentinels.iter().map(|s| format!("{}:{}", s.host, s.port));
        let (hosts, database) = (hosts.collect::<Vec<_>>().join(","), server.database);
        write!(f, "{scheme}-sentinel://{hosts}/{database}?master={name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_named_comes_first() {
        let server = Endpoint::parse("redis://x").unwrap();
        let mut votes = Votes::default();
        for port in [1, 2, 2] {
            let master = Some(("h".to_owned(), port));
            let others = vec![("s".to_owned(), port)];
            votes.count(server.clone(), Ok(Testimony { master, others }), &server);
        }
        votes.count(server.clone(), Err(DriverError::lost("gone")), &server);
        assert_eq!((votes.answered.len(), votes.others.len()), (3, 3));
        let counts: Vec<_> = votes.named.iter().map(|(e, n)| (e.port, *n)).collect();
        assert_eq!(counts, [(2, 2), (1, 1)]);
        assert_eq!(votes.of(&server), 0);
    }
}
