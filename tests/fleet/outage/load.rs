//! Requests without pause, and what became of each.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cloakroom_testkit::eventually;
use reqwest::Method;
use tokio::task::JoinSet;

use crate::fleet::support::{Answer, Browser, LIMIT, try_fetch};

/// How many users ask.
const USERS: usize = 4;

/// What a client waits between two requests.
const PAUSE: Duration = Duration::from_millis(5);

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// It has no cookie.
    Stranger,
    /// It has a cookie, and asks a route that touches no session.
    Untouched,
    /// It reads its session.
    Read,
    /// It changes its session.
    Write,
}

impl Kind {
    pub(super) fn needs_store(self) -> bool {
        matches!(self, Self::Read | Self::Write)
    }

    fn request(self, turn: usize) -> (Method, &'static str) {
        match self {
            Self::Stranger => (Method::GET, ["/anon", "/cart", "/"][turn % 3]),
            Self::Untouched => (Method::GET, "/anon"),
            Self::Read => (Method::GET, "/me"),
            Self::Write => (Method::POST, "/counter"),
        }
    }
}

/// One request, and what became of it.
#[derive(Debug)]
pub(super) struct Shot {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) sent: Instant,
    pub(super) took: Duration,
    pub(super) answer: Result<Answer, reqwest::Error>,
}

impl Shot {
    fn has_status(&self, status: u16) -> bool {
        self.kind.needs_store() && self.answer.as_ref().is_ok_and(|a| a.status == status)
    }

    /// It needed its session and got it.
    pub(super) fn is_fine(&self) -> bool {
        self.has_status(200)
    }

    /// It needed its session and was told to come back later.
    pub(super) fn is_refused(&self) -> bool {
        self.has_status(503)
    }
}

/// Clients that ask until they are stopped.
pub(super) struct Load {
    browsers: Vec<Browser>,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    shots: Mutex<Vec<Shot>>,
}

impl Load {
    /// Logs users in, and begins.
    pub(super) async fn start(urls: &[String]) -> Self {
        let (shared, mut tasks) = (Arc::<Shared>::default(), JoinSet::new());
        let mut browsers = Vec::new();
        for user in 0..USERS {
            let browser = Browser::new(&urls[0]);
            browser.log_in(&format!("user-{user}")).await;
            for kind in [Kind::Read, Kind::Write, Kind::Untouched] {
                let (browser, shared) = (browser.clone(), shared.clone());
                tasks.spawn(ask(kind, browser, urls.to_vec(), shared));
            }
            browsers.push(browser);
        }
        let nobody = Browser::without_jar("");
        tasks.spawn(ask(Kind::Stranger, nobody, urls.to_vec(), shared.clone()));
        Self {
            browsers,
            shared,
            tasks,
        }
    }

    /// The users' browsers.
    pub(super) fn browsers(&self) -> Vec<Browser> {
        self.browsers.clone()
    }

    /// Waits until there are so many requests of a kind.
    pub(super) async fn has(&self, count: usize, wanted: impl Fn(&Shot) -> bool) {
        let there = || async {
            let shots = self.shared.shots.lock().unwrap();
            shots.iter().filter(|shot| wanted(shot)).count() >= count
        };
        if !eventually(LIMIT, there).await {
            let shots = self.shared.shots.lock().unwrap();
            panic!("{count} did not come; the last is {:?}", shots.last());
        }
    }

    /// Ends it.
    pub(super) async fn stop(self) -> Vec<Shot> {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.tasks.join_all().await;
        std::mem::take(&mut self.shared.shots.lock().unwrap())
    }
}

/// Asks one node after the other.
async fn ask(kind: Kind, browser: Browser, urls: Vec<String>, shared: Arc<Shared>) {
    let id = browser_id(kind, &browser, &urls[0]);
    for turn in 0.. {
        let (method, path) = kind.request(turn);
        let request = browser.at(&urls[turn % urls.len()]).request(method, path);
        let sent = Instant::now();
        let answer = try_fetch(request).await;
        let shot = Shot {
            kind,
            id: id.clone(),
            sent,
            took: sent.elapsed(),
            answer,
        };
        shared.shots.lock().unwrap().push(shot);
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn browser_id(kind: Kind, browser: &Browser, url: &str) -> String {
    match kind {
        Kind::Stranger => String::new(),
        _ => browser.at(url).id().unwrap(),
    }
}
