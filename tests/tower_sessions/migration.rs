//! From tower-sessions-redis-store to Cloakroom while the application is used: nobody is logged out.

use std::sync::Arc;

use axum::Router;
use cloakroom::tower_sessions::{Migration, SharedStore, Users};
use cloakroom_testkit::RedisServer;
use http::Method;
use time::Duration;
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike as _, Config, Pool};

use super::app::v0_14::stock;
use super::guest::{ID, configured, put, visitor};
use crate::web::support::{Browser, at_once, call};

const DAY: Option<Duration> = Some(Duration::DAY);

/// A fleet of two, whose instances are replaced one after the other.
struct Fleet {
    server: Arc<RedisServer>,
    pool: Pool,
}

/// What an instance runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// tower-sessions-redis-store alone.
    Before,
    With(Migration),
    /// Cloakroom alone.
    After,
}

impl Fleet {
    async fn new() -> Self {
        let server = Arc::new(RedisServer::start().await);
        let config = Config::from_url(&server.url()).unwrap();
        let pool = Pool::new(config, None, None, None, 2).unwrap();
        drop(pool.connect());
        pool.wait_for_connect().await.unwrap();
        Self { server, pool }
    }

    async fn start(&self, version: Version) -> Router {
        let old = RedisStore::new(self.pool.clone());
        let how = match version {
            Version::Before => return stock(old, DAY),
            Version::With(how) => Some(how),
            Version::After => None,
        };
        // Where sessions move from one store to the other, each read asks.
        let sessions = configured(&self.server, |b| b.max_staleness(Duration::ZERO)).await;
        let store = SharedStore::new(&sessions).users(Users::attribute("user"));
        match how {
            Some(how) => stock(store.migrating_from_0_14(old, how), DAY),
            None => stock(store, DAY),
        }
    }
}

/// A client who notices whether it is logged out, and whether what it wrote is kept.
#[derive(Debug, Clone)]
struct Client {
    browser: Browser,
    user: String,
    written: u32,
}

impl Client {
    async fn arrive(n: usize, app: &Router) -> Self {
        let (mut browser, user) = (visitor(app).await, format!("user-{}", n % 300));
        browser.post(app, &format!("/log-in/{user}")).await.is(200);
        Self {
            browser,
            user,
            written: 0,
        }
    }

    /// Reads and writes; says whether it is still logged in, with what it wrote last.
    async fn visit(&mut self, app: &Router) -> bool {
        let known = self.browser.attr(app, "user").await.as_deref() == Some(&*self.user);
        let written = self.browser.attr(app, "n").await;
        let kept = self.written == 0 || written == Some(self.written.to_string());
        if known && kept {
            self.written += 1;
            put(&mut self.browser, app, "n", &self.written.to_string()).await;
        }
        known && kept
    }
}

/// All visit, each another instance than last time.
async fn all_visit(clients: Vec<Client>, apps: &[Router], turn: usize) -> (Vec<Client>, usize) {
    let visits = at_once(clients.len(), |n| {
        let (mut client, app) = (clients[n].clone(), apps[(n + turn) % apps.len()].clone());
        async move {
            let fine = client.visit(&app).await;
            (client, fine)
        }
    });
    let (clients, fine): (Vec<_>, Vec<_>) = visits.await.into_iter().unzip();
    (clients, fine.iter().filter(|fine| !**fine).count())
}

/// How many sessions there are in the end: what the environment says, or fewer.
fn sessions() -> usize {
    let wanted = std::env::var("CLOAKROOM_MIGRATION_SESSIONS").ok();
    let wanted = wanted.map_or(200, |n| n.parse().expect("a number"));
    wanted / 8 * 8
}

/// Deploys these one after the other, an instance at a time, and back; counts who lost what.
async fn roll(steps: &[Version]) -> usize {
    let fleet = Fleet::new().await;
    let first = steps[0];
    let mut apps = vec![fleet.start(first).await, fleet.start(first).await];
    let mut clients = Vec::new();
    for n in 0..sessions() / 2 {
        clients.push(Client::arrive(n, &apps[n % 2]).await);
    }
    let (mut lost, mut turn) = (0, 0);
    for step in &steps[1..] {
        for place in 0..apps.len() {
            apps[place] = fleet.start(*step).await;
            // Some come new while both versions serve.
            let arriving = clients.len();
            if arriving < sessions() {
                for n in arriving..arriving + sessions() / 8 {
                    clients.push(Client::arrive(n, &apps[n % 2]).await);
                }
            }
            for _ in 0..2 {
                let gone;
                (clients, gone) = all_visit(clients, &apps, turn).await;
                (lost, turn) = (lost + gone, turn + 1);
            }
        }
    }
    println!(
        "{steps:?}: {} sessions, {} visits, {lost} lost",
        clients.len(),
        turn * clients.len()
    );
    assert_eq!(clients.len(), sessions());
    lost
}

const ALONGSIDE: Version = Version::With(Migration::Alongside);
const TAKE_OVER: Version = Version::With(Migration::TakeOver);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_deploy_logs_nobody_out() {
    let all = [Version::Before, ALONGSIDE, TAKE_OVER, Version::After];
    assert_eq!(roll(&[all[0], all[1], all[2], all[2], all[3]]).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_one_that_is_taken_back() {
    let back = [
        Version::Before,
        ALONGSIDE,
        Version::Before,
        ALONGSIDE,
        TAKE_OVER,
    ];
    assert_eq!(roll(&back).await, 0);
    assert_eq!(
        roll(&[ALONGSIDE, TAKE_OVER, ALONGSIDE, TAKE_OVER, Version::After]).await,
        0
    );
}

/// What was taken over is the user's, and can be ended as such.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_were_taken_over_are_listed_and_revoked() {
    let fleet = Fleet::new().await;
    let old = fleet.start(Version::Before).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(Client::arrive(7, &old).await);
    }
    let sessions = configured(&fleet.server, |b| b).await;
    let store = SharedStore::new(&sessions).users(Users::attribute("user"));
    let old = RedisStore::new(fleet.pool.clone());
    let app = stock(store.migrating_from_0_14(old, Migration::TakeOver), DAY);
    for client in &mut clients {
        assert!(client.visit(&app).await);
        assert!(client.visit(&app).await);
    }
    assert_eq!(sessions.list("user-7").await.unwrap().len(), 8);
    // Logged out by the application, it leaves the list.
    clients[0].browser.post(&app, "/flush").await.is(200);
    assert_eq!(sessions.list("user-7").await.unwrap().len(), 7);
    // An id of its own after the next login.
    let before = clients[1].browser.cookie(ID).unwrap().to_owned();
    clients[1]
        .browser
        .post(&app, "/log-in/user-7")
        .await
        .is(200);
    assert_ne!(clients[1].browser.cookie(ID).unwrap(), before);
    assert_eq!(sessions.list("user-7").await.unwrap().len(), 7);
    assert_eq!(sessions.revoke_user("user-7").await.unwrap(), 7);
    for client in &clients {
        let refused = || async { client.browser.clone().attr(&app, "user").await.is_none() };
        assert!(cloakroom_testkit::eventually(crate::web::support::LIMIT, refused).await);
    }
}

/// Many requests at once use a session that nobody took over yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taken_over_by_many_at_once_it_is_one() {
    let fleet = Fleet::new().await;
    let old = fleet.start(Version::Before).await;
    let apps = [fleet.start(TAKE_OVER).await, fleet.start(TAKE_OVER).await];
    for round in 0..20 {
        let client = Client::arrive(round, &old).await;
        let reads = at_once(16, |n| {
            let (app, mut browser) = (apps[n % 2].clone(), client.browser.clone());
            async move { browser.attr(&app, "user").await }
        });
        assert!(
            reads
                .await
                .iter()
                .all(|user| user.as_ref() == Some(&client.user))
        );
    }
    let users = super::guest::instance(&fleet.server).await;
    for round in 0..20 {
        assert_eq!(users.list(&format!("user-{round}")).await.unwrap().len(), 1);
    }
}

/// Logged out on an instance that has not read the session, while another takes it over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_logs_out_beside_a_take_over_stays_so() {
    let fleet = Fleet::new().await;
    let old = fleet.start(Version::Before).await;
    let apps = [fleet.start(TAKE_OVER).await, fleet.start(ALONGSIDE).await];
    for round in 0..40 {
        let client = Client::arrive(round, &old).await;
        let (mut reader, mut leaver) = (client.browser.clone(), client.browser.clone());
        let reading = reader.get(&apps[0], "/attr/user");
        let leaving = async {
            if round % 4 == 0 {
                tokio::task::yield_now().await;
            }
            leaver.post(&apps[1 - round % 2], "/flush").await.is(200)
        };
        tokio::join!(reading, leaving);
        for app in &apps {
            assert_eq!(client.browser.clone().attr(app, "user").await, None);
        }
    }
}

/// A made-up id is nobody's, in either store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn made_up_ids_are_taken_over_from_nowhere() {
    let fleet = Fleet::new().await;
    for version in [ALONGSIDE, TAKE_OVER] {
        let app = fleet.start(version).await;
        let request = Browser::new().request(Method::GET, "/attr/a");
        let request = request.header("cookie", "id=AAAAAAAAAAAAAAAAAAAAAA");
        call(&app, request.body("".into()).unwrap()).await.is(404);
        assert_eq!(super::guest::records(&fleet.server).await, 0);
    }
}
