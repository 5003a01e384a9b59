//! A load balancer of the simplest kind: round robin over who says that it is ready.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use cloakroom_testkit::eventually;
use reqwest::{Method, RequestBuilder};

use super::{Answer, Browser, LIMIT};

/// How often each instance is asked whether it is ready.
const POLL: Duration = Duration::from_millis(25);

/// How long it may take to say so.
const POLL_LIMIT: Duration = Duration::from_millis(500);

/// The balancer. A request goes to the next instance that is ready, and on to the one after it
/// only if the connection was refused: what was sent is never sent again.
#[derive(Debug)]
pub(crate) struct Rotation {
    members: Vec<Member>,
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Member {
    url: String,
    ready: AtomicBool,
}

impl Rotation {
    /// Begins to ask for the instances' health; ends with the last reference.
    pub(crate) fn over(urls: impl IntoIterator<Item = String>) -> Arc<Self> {
        let members = urls.into_iter().map(|url| Member {
            url,
            ready: AtomicBool::new(false),
        });
        let rotation = Arc::new(Self {
            members: members.collect(),
            turn: AtomicUsize::new(0),
        });
        for index in 0..rotation.members.len() {
            tokio::spawn(watch(Arc::downgrade(&rotation), index));
        }
        rotation
    }

    /// Waits until an instance takes part.
    pub(crate) async fn joined(&self, index: usize) {
        let member = &self.members[index];
        let ready = || async { member.ready.load(Ordering::Relaxed) };
        assert!(eventually(LIMIT, ready).await, "{} stays out", member.url);
    }

    /// Sends a request, made for the instance that takes it.
    ///
    /// # Errors
    ///
    /// In words, if no instance took it or if it was lost.
    pub(crate) async fn send(
        &self,
        request: impl Fn(&str) -> RequestBuilder,
    ) -> Result<Answer, String> {
        for _ in 0..2 * self.members.len() {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let member = &self.members[turn % self.members.len()];
            if !member.ready.load(Ordering::Relaxed) {
                continue;
            }
            match request(&member.url).send().await {
                Ok(response) => return read(response).await,
                Err(error) if error.is_connect() => member.ready.store(false, Ordering::Relaxed),
                Err(error) => return Err(format!("lost: {error:?}")),
            }
        }
        Err("no instance takes requests".to_owned())
    }
}

async fn read(response: reqwest::Response) -> Result<Answer, String> {
    let answer = Answer::read(response).await;
    answer.map_err(|error| format!("broke off: {error:?}"))
}

/// Asks one instance for its health, again and again.
async fn watch(rotation: Weak<Rotation>, index: usize) {
    let browser = Browser::without_jar("");
    while let Some(rotation) = rotation.upgrade() {
        let member = &rotation.members[index];
        let check = browser.at(&member.url).request(Method::GET, "/healthz");
        let answered = check.timeout(POLL_LIMIT).send().await;
        let ready = answered.is_ok_and(|response| response.status() == 200);
        member.ready.store(ready, Ordering::Relaxed);
        drop(rotation);
        tokio::time::sleep(POLL).await;
    }
}
