//! An application of axum-login 0.18, as its examples are: a login form, pages for those who are
//! logged in and for those who may, a logout. On Cloakroom by one changed line, in two ways.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Form, Query};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum_login::{
    AuthManager, AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend, AuthzBackend,
    login_required, permission_required,
};
use cloakroom::Sessions;
use cloakroom::tower_sessions::{SharedStore, TowerSessions, Users};
use cloakroom_testkit::{RedisServer, eventually};
use http::{Method, StatusCode};
use serde::Deserialize;
use tower::ServiceBuilder;
use tower_sessions_014::SessionManagerLayer;

use super::guest::{configured, instance, records};
use crate::web::support::{Answer, Browser, LIMIT, call};

#[derive(Debug, Clone)]
struct User {
    id: i64,
    name: String,
    password: Vec<u8>,
}

impl AuthUser for User {
    type Id = i64;

    fn id(&self) -> i64 {
        self.id
    }

    fn session_auth_hash(&self) -> &[u8] {
        &self.password
    }
}

/// The table of users.
#[derive(Debug, Clone)]
struct Accounts(Arc<Mutex<HashMap<i64, User>>>);

#[derive(Debug, Clone, Deserialize)]
struct Credentials {
    name: String,
    password: String,
    next: Option<String>,
}

impl Accounts {
    fn new() -> Self {
        let users = [(1, "ferris"), (2, "admin")].map(|(id, name)| {
            let (name, password) = (name.to_owned(), b"hunter42".to_vec());
            (id, User { id, name, password })
        });
        Self(Arc::new(Mutex::new(users.into())))
    }

    fn change_password(&self, id: i64, to: &str) {
        let mut users = self.0.lock().unwrap();
        users.get_mut(&id).unwrap().password = to.as_bytes().to_vec();
    }
}

impl AuthnBackend for Accounts {
    type User = User;
    type Credentials = Credentials;
    type Error = Infallible;

    async fn authenticate(&self, given: Credentials) -> Result<Option<User>, Infallible> {
        let users = self.0.lock().unwrap();
        let fits =
            |user: &&User| user.name == given.name && user.password == given.password.as_bytes();
        Ok(users.values().find(fits).cloned())
    }

    async fn get_user(&self, id: &i64) -> Result<Option<User>, Infallible> {
        Ok(self.0.lock().unwrap().get(id).cloned())
    }
}

impl AuthzBackend for Accounts {
    type Permission = &'static str;

    async fn get_group_permissions(
        &self,
        user: &User,
    ) -> Result<HashSet<&'static str>, Infallible> {
        let admin = user.name == "admin";
        Ok(if admin {
            ["restricted.read"].into()
        } else {
            HashSet::new()
        })
    }
}

type Auth = AuthSession<Accounts>;

#[derive(Debug, Deserialize)]
struct Next {
    next: Option<String>,
}

fn pages() -> Router {
    Router::new()
        .route("/restricted", get(async || "for some"))
        .route_layer(permission_required!(
            Accounts,
            login_url = "/login",
            "restricted.read"
        ))
        .route("/", get(async |auth: Auth| auth.user.unwrap().name))
        .route_layer(login_required!(Accounts, login_url = "/login"))
        .route(
            "/login",
            get(async |Query(Next { next }): Query<Next>| next.unwrap_or_default()).post(log_in),
        )
        .route("/logout", post(log_out))
}

async fn log_in(mut auth: Auth, Form(credentials): Form<Credentials>) -> Response {
    let next = credentials.next.clone();
    let Ok(Some(user)) = auth.authenticate(credentials).await else {
        return Redirect::to("/login").into_response();
    };
    if auth.login(&user).await.is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    Redirect::to(&next.unwrap_or("/".to_owned())).into_response()
}

async fn log_out(mut auth: Auth) -> Response {
    match auth.logout().await {
        Ok(_) => Redirect::to("/login").into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The changed line is the first.
fn under_its_own_layer(sessions: &Sessions, accounts: Accounts) -> Router {
    let store = SharedStore::new(sessions).users(Users::axum_login());
    let sessions = SessionManagerLayer::new(store).with_secure(false);
    pages().layer(AuthManagerLayerBuilder::new(accounts, sessions).build())
}

/// The changed line is the last: ours in place of `AuthManagerLayerBuilder`.
fn under_ours(sessions: &Sessions, accounts: Accounts) -> Router {
    let auth = move |inner| AuthManager::new(inner, accounts.clone(), "axum-login.data");
    let bridge = TowerSessions::new().users(Users::axum_login());
    pages().layer(
        ServiceBuilder::new()
            .layer(sessions.layer().bridge(bridge))
            .layer(tower::layer::layer_fn(auth)),
    )
}

async fn form(browser: &mut Browser, app: &Router, path: &str, body: String) -> Answer {
    let request = browser.request(Method::POST, path);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = call(app, request.body(body.into()).unwrap()).await;
    browser.learn(&answer);
    answer
}

async fn enter(browser: &mut Browser, app: &Router, name: &str) -> Answer {
    form(
        browser,
        app,
        "/login",
        format!("name={name}&password=hunter42&next=/"),
    )
    .await
}

fn leads_to(answer: &Answer, path: &str) {
    assert!(answer.status.is_redirection(), "{answer:?}");
    assert_eq!(answer.header("location"), [path]);
}

type Make = fn(&Sessions, Accounts) -> Router;

/// Each flow of its examples.
async fn the_flows_of_its_examples(make: Make) {
    let server = RedisServer::start().await;
    let accounts = Accounts::new();
    let app = make(&instance(&server).await, accounts.clone());
    let mut browser = Browser::new();
    leads_to(&browser.get(&app, "/").await, "/login?next=%2F");
    assert_eq!(browser.get(&app, "/login?next=%2F").await.is(200).text, "/");
    let wrong = form(
        &mut browser,
        &app,
        "/login",
        "name=ferris&password=wrong".to_owned(),
    )
    .await;
    leads_to(&wrong, "/login");
    assert_eq!(records(&server).await, 0);
    leads_to(&enter(&mut browser, &app, "ferris").await, "/");
    assert_eq!(browser.get(&app, "/").await.is(200).text, "ferris");
    // Logged in is not allowed.
    leads_to(
        &browser.get(&app, "/restricted").await,
        "/login?next=%2Frestricted",
    );
    leads_to(&browser.post(&app, "/logout").await, "/login");
    leads_to(&browser.get(&app, "/").await, "/login?next=%2F");
    leads_to(&enter(&mut browser, &app, "admin").await, "/");
    assert_eq!(
        browser.get(&app, "/restricted").await.is(200).text,
        "for some"
    );
    // A new password ends what was logged in with the old one.
    accounts.change_password(2, "hunter43");
    leads_to(&browser.get(&app, "/").await, "/login?next=%2F");
    assert_eq!(records(&server).await, 0);
}

/// Logged out on one, refused on the other.
async fn two_instances(make: Make) {
    let server = RedisServer::start().await;
    let (here, there) = (instance(&server).await, instance(&server).await);
    let accounts = Accounts::new();
    let (one, two) = (make(&here, accounts.clone()), make(&there, accounts));
    let mut longest = std::time::Duration::ZERO;
    for _ in 0..50 {
        let mut browser = Browser::new();
        enter(&mut browser, &one, "ferris").await;
        assert_eq!(browser.get(&two, "/").await.is(200).text, "ferris");
        let old = browser.clone();
        leads_to(&browser.post(&one, "/logout").await, "/login");
        let out = std::time::Instant::now();
        let refused = || async { old.clone().get(&two, "/").await.status.is_redirection() };
        assert!(eventually(LIMIT, refused).await);
        longest = longest.max(out.elapsed());
    }
    println!("50 logouts on one instance, refused on the other after {longest:.1?} at most");
    assert!(longest < std::time::Duration::from_secs(1));
}

/// Its user is Cloakroom's.
async fn users_and_devices(make: Make) {
    let server = RedisServer::start().await;
    let limited = |n| move |builder: cloakroom::SessionsBuilder| builder.max_sessions_per_user(n);
    let here = configured(&server, limited(3)).await;
    let there = configured(&server, limited(3)).await;
    let accounts = Accounts::new();
    let (one, two) = (make(&here, accounts.clone()), make(&there, accounts));
    let mut devices = Vec::new();
    for n in 0..4 {
        let mut browser = Browser::new();
        enter(&mut browser, if n % 2 == 0 { &one } else { &two }, "ferris").await;
        devices.push(browser);
    }
    let mut admin = Browser::new();
    enter(&mut admin, &one, "admin").await;
    let listed = there.list("1").await.unwrap();
    assert_eq!(listed.len(), 3);
    there.revoke("1", &listed[0].handle).await.unwrap();
    assert_eq!(here.revoke_user("1").await.unwrap(), 2);
    for browser in &devices {
        for app in [&one, &two] {
            let refused = || async { browser.clone().get(app, "/").await.status.is_redirection() };
            assert!(eventually(LIMIT, refused).await);
        }
    }
    assert_eq!(admin.get(&two, "/").await.is(200).text, "admin");
}

/// Everything that a page asks for at once while its user logs in, with the old cookie.
async fn late_requests_leave_the_login_alone(make: Make) {
    let server = RedisServer::start().await;
    let app = make(&instance(&server).await, Accounts::new());
    for _ in 0..20 {
        let mut browser = Browser::new();
        enter(&mut browser, &app, "ferris").await;
        browser.post(&app, "/logout").await;
        enter(&mut browser, &app, "ferris").await;
        let mut late = browser.clone();
        form(&mut browser, &app, "/logout", String::new()).await;
        enter(&mut browser, &app, "ferris").await;
        let answer = late.get(&app, "/").await;
        assert!(answer.status.is_redirection());
        browser.learn(&answer);
        assert_eq!(browser.get(&app, "/").await.is(200).text, "ferris");
    }
}

macro_rules! both_ways {
    ($($case:ident),+ $(,)?) => {
        mod under_its_own {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::under_its_own_layer).await;
            })+
        }

        mod under_cloakrooms {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::under_ours).await;
            })+
        }
    };
}

both_ways! {
    the_flows_of_its_examples,
    two_instances,
    users_and_devices,
    late_requests_leave_the_login_alone,
}

/// Somebody logs in while somebody else is logged in: a new id, and nothing of the other's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_logs_in_over_another_gets_a_new_id_under_ours() {
    let server = RedisServer::start().await;
    let sessions = instance(&server).await;
    let app = under_ours(&sessions, Accounts::new());
    let mut browser = Browser::new();
    enter(&mut browser, &app, "ferris").await;
    let old = browser.clone();
    leads_to(&enter(&mut browser, &app, "admin").await, "/");
    assert_ne!(browser.id(), old.id());
    assert_eq!(browser.get(&app, "/").await.is(200).text, "admin");
    assert!(old.clone().get(&app, "/").await.status.is_redirection());
    assert!(sessions.list("1").await.unwrap().is_empty());
    assert_eq!(sessions.list("2").await.unwrap().len(), 1);
}

/// AuthManager answers 500 when the session can't be read; ours says what it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_is_a_503_under_ours() {
    let server = RedisServer::start().await;
    let sessions = configured(&server, |builder| {
        builder.max_staleness(time::Duration::ZERO)
    })
    .await;
    let app = under_ours(&sessions, Accounts::new());
    let mut browser = Browser::new();
    enter(&mut browser, &app, "ferris").await;
    server.kill();
    let answer = browser.get(&app, "/").await.is(503);
    assert_eq!(answer.header("retry-after"), ["1"]);
    assert!(answer.cookies().is_empty());
    leads_to(&Browser::new().get(&app, "/").await, "/login?next=%2F");
}
