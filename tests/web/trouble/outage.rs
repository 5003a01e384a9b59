//! A real Redis that is killed, stopped or emptied under the layer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use cloakroom::{Health, Sessions};
use cloakroom_testkit::{RedisServer, RedisServerBuilder, eventually};

use crate::web::support::{Answer, Browser, LIMIT, app, at_once};

/// The default deadline of each command, and what a busy machine may add to it.
const IN_TIME: Duration = Duration::from_secs(1 + 3);

/// For cases in which no deadline should pass: a connection that is closed fails at once.
const PATIENCE: time::Duration = time::Duration::seconds(30);

/// A server, and one instance on it.
struct Setup {
    server: RedisServer,
    sessions: Sessions,
    app: Router,
}

impl Setup {
    async fn start(server: RedisServerBuilder, deadline: time::Duration) -> Self {
        let server = server.start().await;
        let store = cloakroom::redis::store(server.url()).command_timeout(deadline);
        let store = store.connect().await.unwrap();
        let sessions = Sessions::builder(store)
            .max_staleness(time::Duration::ZERO)
            .build()
            .await
            .unwrap();
        let app = app::router(&sessions);
        Self {
            server,
            sessions,
            app,
        }
    }

    /// A server that keeps nothing.
    async fn forgetful() -> Self {
        Self::start(RedisServer::builder(), PATIENCE).await
    }

    /// A server that keeps what it has acknowledged.
    async fn persistent() -> Self {
        let server = RedisServer::builder().arg("--appendonly", "yes");
        Self::start(server.arg("--appendfsync", "always"), PATIENCE).await
    }
}

/// Asks, and expects the answer in time.
async fn in_time(app: &Router, browser: &mut Browser, path: &str) -> Answer {
    let begin = Instant::now();
    let answer = browser.get(app, path).await;
    let took = begin.elapsed();
    assert!(took < IN_TIME, "{path} took {took:?}");
    answer
}

impl Setup {
    /// Whoever has an id is told to come back, everybody else is served.
    async fn is_down(&self, alice: &mut Browser) {
        for path in ["/info", "/attr/k"] {
            let answer = in_time(&self.app, alice, path).await.is(503);
            assert!(answer.header("retry-after") == ["1"] && answer.cookies().is_empty());
        }
        in_time(&self.app, &mut Browser::new(), "/info")
            .await
            .is(200);
        in_time(&self.app, alice, "/anon").await.is(200);
    }

    /// It recovers by itself, and knows this user again.
    async fn is_back(&self, browser: &Browser, user: &str) {
        let back = async || {
            let answer = browser.clone().get(&self.app, "/info").await;
            answer.status == 200 && answer.text.contains(user)
        };
        assert!(eventually(LIMIT, back).await);
        assert_eq!(self.sessions.health(), Health::Up);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_started_again() {
    let setup = Setup::persistent().await;
    let mut alice = Browser::new();
    alice.log_in(&setup.app, "alice").await;
    alice.put(&setup.app, "/attr/k", "kept").await.is(200);
    for _ in 0..3 {
        setup.server.kill();
        setup.is_down(&mut alice).await;
        let down = async || setup.sessions.health() == Health::Down;
        assert!(eventually(LIMIT, down).await);
        setup.server.restart().await;
        setup.is_back(&alice, "alice").await;
        assert_eq!(alice.attr(&setup.app, "k").await.as_deref(), Some("kept"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_with_its_connections_open() {
    let setup = Setup::start(RedisServer::builder(), time::Duration::SECOND).await;
    let mut alice = Browser::new();
    alice.log_in(&setup.app, "alice").await;
    for _ in 0..2 {
        setup.server.pause();
        setup.is_down(&mut alice).await;
        setup.server.resume();
        setup.is_back(&alice, "alice").await;
    }
}

/// A server that keeps nothing: nobody is logged in, and nobody sees an error for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn started_again_empty() {
    let setup = Setup::forgetful().await;
    let mut alice = Browser::new();
    alice.log_in(&setup.app, "alice").await;
    let old = alice.clone();
    setup.server.restart().await;
    setup.is_back(&alice, "\"user\":null").await;
    alice
        .put(&setup.app, "/attr/k", "begins anew")
        .await
        .is(200);
    assert_ne!(alice.id(), old.id());
    alice.log_in(&setup.app, "alice").await;
    assert_eq!(alice.user(&setup.app).await.as_deref(), Some("alice"));
}

/// Its scripts are lost: they are sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_scripts() {
    let setup = Setup::forgetful().await;
    let mut alice = Browser::new();
    for path in [
        "/login/alice",
        "/counter",
        "/rotate",
        "/login/alice",
        "/others",
        "/logout",
    ] {
        setup.server.command(&["SCRIPT", "FLUSH"]).await;
        let answer = alice.post(&setup.app, path).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
    }
}

/// What one client of many saw.
#[derive(Debug, Default)]
struct Seen {
    served: u32,
    refused: u32,
    slowest: Duration,
}

async fn load(app: Router, n: usize, done: Arc<AtomicBool>) -> Seen {
    let (mut browser, mut stranger) = (Browser::new(), Browser::new());
    let user = format!("user-{n}");
    browser.log_in(&app, &user).await;
    let mut seen = Seen::default();
    while !done.load(Ordering::SeqCst) {
        let begin = Instant::now();
        let answer = browser.get(&app, "/info").await;
        seen.slowest = seen.slowest.max(begin.elapsed());
        match answer.status.as_u16() {
            200 => {
                assert!(answer.text.contains(&user), "{answer:?}");
                seen.served += 1;
            }
            503 => {
                assert_eq!(answer.header("retry-after"), ["1"]);
                seen.refused += 1;
            }
            _ => panic!("{answer:?}"),
        }
        assert!(answer.cookies().is_empty());
        stranger.get(&app, "/info").await.is(200);
        // Refusals come at once: let the others in.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(browser.user(&app).await, Some(user));
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load() {
    let setup = Setup::persistent().await;
    let done = Arc::new(AtomicBool::new(false));
    let clients = at_once(16, |n| load(setup.app.clone(), n, Arc::clone(&done)));
    let trouble = async {
        let loads = async |more: u64| {
            let goal = setup.sessions.stats().loads_found + more;
            let reached = async || setup.sessions.stats().loads_found >= goal;
            assert!(eventually(LIMIT, reached).await);
        };
        loads(200).await;
        for _ in 0..2 {
            setup.server.kill();
            let refused = setup.sessions.stats().store_errors + 50;
            let reached = async || setup.sessions.stats().store_errors >= refused;
            assert!(eventually(LIMIT, reached).await);
            setup.server.restart().await;
            loads(200).await;
        }
        done.store(true, Ordering::SeqCst);
    };
    let (seen, ()) = tokio::join!(clients, trouble);
    let slowest = seen.iter().map(|seen| seen.slowest).max().unwrap();
    let sum = |of: fn(&Seen) -> u32| seen.iter().map(of).sum::<u32>();
    let (served, refused) = (sum(|seen| seen.served), sum(|seen| seen.refused));
    println!("{served} × 200, {refused} × 503, the slowest after {slowest:?}");
    assert!(slowest < IN_TIME, "{slowest:?}");
    assert!(refused > 0);
}
