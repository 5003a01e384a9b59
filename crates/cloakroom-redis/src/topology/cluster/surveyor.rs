//! Keeping the table true: asking the cluster's nodes who serves what.

use super::{Shared, survey::Survey};
use crate::{
    DriverError, Endpoint,
    connecting::{connect, too_late},
    node::{Deadline, Node, Request},
};
use cloakroom_core::Health;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

/// How often a look is taken without a reason.
const EVERY: Duration = Duration::from_secs(3);
/// How often while some master is not connected: it may be about to be replaced.
const EVERY_IN_TROUBLE: Duration = Duration::from_millis(250);
/// The shortest time from one look to the next, however many doubt.
const BETWEEN: Duration = Duration::from_millis(50);
/// How long a look may take after the first one, when all have been asked: then some will say by
/// now what they did not know before.
const LONGEST: Duration = Duration::from_secs(1);
/// How long a node is waited for before another one is asked as well.
const HEAD_START: Duration = Duration::from_millis(100);

/// A node to ask: over the connection that there is, or over one of its own.
#[derive(Debug, Clone)]
struct Informant {
    endpoint: Endpoint,
    node: Option<Arc<Node>>,
}

/// Looks again and again, sooner when somebody doubts.
pub(super) async fn keep_surveying(shared: Arc<Shared>) {
    loop {
        let every = match shared.health() {
            Health::Up => EVERY,
            Health::Down => EVERY_IN_TROUBLE,
        };
        let _ = timeout(every, shared.board.doubted()).await;
        let limit = shared.setup.timeouts.connect.min(LONGEST);
        if let Err(error) = shared.look(limit).await {
            tracing::debug!(%error, "no node of the cluster tells its layout");
        }
        sleep(BETWEEN).await;
    }
}

impl Shared {
    /// Takes one look and makes it the table. When all have been asked, `limit` is how long they
    /// are waited for.
    pub(super) async fn look(self: &Arc<Self>, limit: Duration) -> Result<(), DriverError> {
        let asked = Instant::now();
        let survey = self.ask_around(limit).await?;
        self.adopt(&survey, asked);
        Ok(())
    }

    /// The first survey that somebody gives. Nobody is waited for longer than a moment before the
    /// next one is asked too: one that stands still must not hide a failover.
    async fn ask_around(self: &Arc<Self>, limit: Duration) -> Result<Survey, DriverError> {
        let mut informants = self.informants().into_iter();
        let mut answers = JoinSet::new();
        let mut failure = DriverError::lost("no node answered");
        loop {
            let next = informants.next();
            let patience = if next.is_some() { HEAD_START } else { limit };
            let last = next.is_none();
            if let Some(informant) = next {
                answers.spawn(Arc::clone(self).ask(informant));
            }
            match timeout(patience, answers.join_next()).await {
                Ok(Some(Ok(Ok(survey)))) => return Ok(survey),
                // What someone must change says more than who is away.
                Ok(Some(Ok(Err(error)))) if !failure.is_refused() => failure = error,
                Ok(Some(_)) => {}
                Ok(None) | Err(_) if last => return Err(failure),
                Ok(None) | Err(_) => {}
            }
        }
    }

    /// Whom to ask: masters that are connected, each time beginning with another one, then
    /// whoever else was ever known.
    fn informants(&self) -> Vec<Informant> {
        let mut state = self.state();
        let mut connected = state.nodes.connected();
        if !connected.is_empty() {
            state.turn = (state.turn + 1) % connected.len();
            connected.rotate_left(state.turn);
        }
        let with_node = |(endpoint, node)| Informant {
            endpoint,
            node: Some(node),
        };
        let mut informants: Vec<_> = connected.into_iter().map(with_node).collect();
        for endpoint in state.members.iter().chain(&self.seeds) {
            if informants.iter().all(|known| known.endpoint != *endpoint) {
                informants.push(Informant {
                    endpoint: endpoint.clone(),
                    node: None,
                });
            }
        }
        informants
    }

    async fn ask(self: Arc<Self>, informant: Informant) -> Result<Survey, DriverError> {
        let questions = Survey::questions();
        let replies = match informant.node {
            Some(node) => {
                let deadline = Deadline::within(self.setup.timeouts.command);
                let replies = node.ask(Request::Commands(&questions), false, deadline);
                replies.await.map_err(DriverError::lost)?
            }
            None => {
                let limit = self.setup.timeouts.connect;
                let answer = async {
                    let driver = &*self.setup.driver;
                    let connection = connect(driver, &informant.endpoint, Arc::new(|_| ()));
                    connection.await?.pipeline(questions).await
                };
                let late = |_| Err(too_late(limit, informant.endpoint.tls));
                timeout(limit, answer).await.unwrap_or_else(late)?
            }
        };
        Survey::read(replies, &informant.endpoint)
    }
}
