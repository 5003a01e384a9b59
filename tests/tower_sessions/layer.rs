//! Their `Session` under our layer.

use axum::extract::Path;
use cloakroom::tower_sessions::{SharedStore, TowerSessions, Users};
use cloakroom::{LazySession, OnLimit, Sessions};
use cloakroom_testkit::{RedisServer, eventually};
use http::Method;
use time::Duration;

use super::app::{Meeting, each_version};
use super::guest::{configured, instance, put, records};
use crate::web::support::{Answer, Browser, LIMIT, at_once, call};

/// A browser with a session that holds something.
async fn visitor(app: &axum::Router) -> Browser {
    let mut browser = Browser::new();
    put(&mut browser, app, "made", "yes").await;
    assert!(browser.id().is_some());
    browser
}

macro_rules! cases {
    ($module:ident, $version:ident) => {
        mod $module {
            use super::super::app::$version::{Session, routes};
            use super::*;

            fn app(sessions: &Sessions, meeting: Meeting) -> axum::Router {
                let bridge = TowerSessions::new().users(Users::attribute("user").device("made"));
                let ours = axum::routing::get(async |session: LazySession| {
                    let session = session.load().await.unwrap();
                    format!("{:?}", session.user())
                });
                let router = routes(meeting)
                    .route("/ours", ours)
                    .route("/out-with-flash", axum::routing::post(out_with_flash))
                    .route("/over/{user}", axum::routing::post(log_in_over));
                router.layer(sessions.layer().bridge(bridge))
            }

            /// Theirs has read the session; ours ends it; theirs writes on.
            async fn out_with_flash(ours: LazySession, theirs: Session) {
                let _ = theirs.get_value("user").await.unwrap();
                ours.log_out().await.unwrap();
                theirs.insert("flash", "bye").await.unwrap();
            }

            async fn log_in_over(ours: LazySession, theirs: Session, Path(user): Path<String>) {
                let _ = theirs.get_value("user").await.unwrap();
                ours.load().await.unwrap().log_in(user).await.unwrap();
                theirs.insert("flash", "hello").await.unwrap();
            }

            /// Who was logged out, or logged in by ours, is nobody else because of what theirs knew.
            pub(super) async fn what_theirs_knew_logs_nobody_in() {
                let server = RedisServer::start().await;
                let sessions = instance(&server).await;
                let app = app(&sessions, Meeting::of(1));
                let mut browser = Browser::new();
                browser.post(&app, "/log-in/alice").await.is(200);
                browser.post(&app, "/out-with-flash").await.is(200);
                assert_eq!(browser.get(&app, "/ours").await.text, "None");
                assert_eq!(browser.attr(&app, "flash").await.as_deref(), Some("bye"));
                assert_eq!(browser.attr(&app, "user").await, None);
                assert!(sessions.list("alice").await.unwrap().is_empty());
                browser.post(&app, "/log-in/alice").await.is(200);
                browser.post(&app, "/over/bob").await.is(200);
                assert_eq!(browser.get(&app, "/ours").await.text, r#"Some("bob")"#);
                assert!(sessions.list("alice").await.unwrap().is_empty());
                assert_eq!(sessions.list("bob").await.unwrap().len(), 1);
            }

            pub(super) async fn what_was_revoked_stays_so_whatever_a_late_request_does() {
                let server = RedisServer::start().await;
                let (sessions, there) = (instance(&server).await, instance(&server).await);
                let meeting = Meeting::of(2);
                let app = app(&sessions, meeting.clone());
                for path in ["/meet-and-cycle", "/meet/late"] {
                    let mut browser = Browser::new();
                    browser.post(&app, "/log-in/alice").await.is(200);
                    let revoking = async {
                        meeting.read().await;
                        assert_eq!(there.revoke_user("alice").await.unwrap(), 1);
                        meeting.wait().await;
                    };
                    let (answer, ()) = tokio::join!(browser.post(&app, path), revoking);
                    assert!(
                        answer.status.as_u16() < 500 && answer.new_id().is_none(),
                        "{answer:?}"
                    );
                    assert_eq!(browser.attr(&app, "user").await, None);
                    assert_eq!(records(&server).await, 0);
                }
            }

            pub(super) async fn delete_is_a_logout_though_something_was_written() {
                let server = RedisServer::start().await;
                let [one, _] = two(&server).await;
                let mut browser = Browser::new();
                browser.post(&one, "/log-in/alice").await.is(200);
                let answer = browser.post(&one, "/write-and-delete").await.is(200);
                assert!(answer.id_cookie().unwrap().removes());
                assert_eq!(records(&server).await, 0);
            }

            pub(super) async fn what_is_saved_after_the_response_is_written() {
                let server = RedisServer::start().await;
                let [one, two] = two(&server).await;
                let mut browser = visitor(&one).await;
                browser.post(&one, "/later/late").await.is(200);
                let written = || async { browser.clone().attr(&two, "late").await.is_some() };
                assert!(eventually(LIMIT, written).await);
                assert_eq!(browser.attr(&two, "before").await.as_deref(), Some("1"));
            }

            pub(super) async fn a_client_that_goes_away_is_logged_out_only_if_it_wanted_to_be() {
                let server = RedisServer::start().await;
                let [one, _] = two(&server).await;
                for (path, stays) in [("/cycle-and-hang", true), ("/flush-and-hang", false)] {
                    let browser = visitor(&one).await;
                    let mut leaving = browser.clone();
                    let request = leaving.post(&one, path);
                    let gave_up =
                        tokio::time::timeout(std::time::Duration::from_millis(500), request);
                    assert!(gave_up.await.is_err());
                    let seen =
                        || async { browser.clone().attr(&one, "made").await.is_some() == stays };
                    assert!(eventually(LIMIT, seen).await, "{path}");
                }
            }

            pub(super) async fn an_expiry_set_by_many_at_once_refuses_none() {
                let server = RedisServer::start().await;
                let [one, _] = two(&server).await;
                let mut browser = visitor(&one).await;
                let answers = at_once(8, |_| {
                    let (app, mut browser) = (one.clone(), browser.clone());
                    async move { browser.post(&app, "/live/864000").await.is(200) }
                });
                for answer in answers.await {
                    browser.learn(&answer);
                }
                assert_eq!(browser.attr(&one, "made").await.as_deref(), Some("yes"));
                // Farther than any date can tell.
                browser.post(&one, "/live/99999999999").await.is(200);
                assert_eq!(browser.attr(&one, "made").await.as_deref(), Some("yes"));
            }

            async fn two(server: &RedisServer) -> [axum::Router; 2] {
                let (one, two) = (instance(server).await, instance(server).await);
                [app(&one, Meeting::of(1)), app(&two, Meeting::of(1))]
            }

            pub(super) async fn what_is_set_is_read_on_any_instance_at_once() {
                let server = RedisServer::start().await;
                let [one, two] = two(&server).await;
                let mut browser = visitor(&one).await;
                for n in 0..200 {
                    let (here, there) = if n % 2 == 0 {
                        (&one, &two)
                    } else {
                        (&two, &one)
                    };
                    put(&mut browser, here, "n", &n.to_string()).await;
                    assert_eq!(browser.attr(there, "n").await, Some(n.to_string()));
                }
                browser.delete(&one, "/attr/n").await.is(200);
                assert_eq!(browser.attr(&two, "n").await, None);
                browser.post(&two, "/clear").await.is(200);
                assert_eq!(browser.attr(&one, "made").await, None);
            }

            pub(super) async fn who_uses_no_session_costs_nothing() {
                let server = RedisServer::start().await;
                let [one, _] = two(&server).await;
                let mut browser = visitor(&one).await;
                assert!(
                    Browser::new()
                        .get(&one, "/nothing")
                        .await
                        .is(200)
                        .cookies()
                        .is_empty()
                );
                let answer = browser.get(&one, "/nothing").await.is(200);
                assert!(answer.cookies().is_empty() && answer.header("vary").is_empty());
                assert_eq!(Browser::new().attr(&one, "a").await, None);
                assert_eq!(records(&server).await, 1);
            }

            pub(super) async fn overlapping_writes_are_all_kept() {
                let server = RedisServer::start().await;
                let meeting = Meeting::of(50);
                let apps = [
                    app(&instance(&server).await, meeting.clone()),
                    app(&instance(&server).await, meeting.clone()),
                ];
                let browser = visitor(&apps[0]).await;
                at_once(50, |n| {
                    let (app, mut browser) = (apps[n % 2].clone(), browser.clone());
                    async move { browser.post(&app, &format!("/meet/{n}")).await.is(200) }
                })
                .await;
                for n in 0..50 {
                    let kept = || async {
                        browser
                            .clone()
                            .attr(&apps[n % 2], &n.to_string())
                            .await
                            .is_some()
                    };
                    assert!(eventually(LIMIT, kept).await, "{n}");
                }
            }

            pub(super) async fn cycle_rotates_and_a_failed_request_changes_nothing() {
                let server = RedisServer::start().await;
                let [one, two] = two(&server).await;
                let mut browser = visitor(&one).await;
                let old = browser.clone();
                browser.post(&one, "/cycle-and-fail").await.is(500);
                assert_eq!(browser.id(), old.id());
                assert_eq!(browser.attr(&two, "made").await.as_deref(), Some("yes"));
                let shown = browser.get(&one, "/id").await.text;
                browser.post(&one, "/cycle").await.is(200);
                assert_ne!(browser.id(), old.id());
                assert_ne!(browser.get(&one, "/id").await.text, shown);
                assert_eq!(browser.attr(&two, "made").await.as_deref(), Some("yes"));
                let refused = || async { old.clone().attr(&two, "made").await.is_none() };
                assert!(eventually(LIMIT, refused).await);
                // A late request under the old id neither writes nor takes the new one away.
                let late = old.clone().put(&two, "/attr/late", "1").await.is(409);
                assert!(late.id_cookie().is_none());
                assert_eq!(records(&server).await, 1);
            }

            pub(super) async fn flush_logs_out_whatever_the_response() {
                let server = RedisServer::start().await;
                let [one, two] = two(&server).await;
                for path in ["/flush", "/flush-and-fail"] {
                    let mut browser = visitor(&one).await;
                    let old = browser.clone();
                    let answer = browser.post(&one, path).await;
                    assert!(answer.id_cookie().unwrap().removes());
                    let refused = || async { old.clone().attr(&two, "made").await.is_none() };
                    assert!(eventually(LIMIT, refused).await);
                    assert_eq!(records(&server).await, 0);
                }
            }

            /// The id is public: it is no way into the session.
            pub(super) async fn the_id_that_handlers_see_is_no_id() {
                let server = RedisServer::start().await;
                let [one, _] = two(&server).await;
                let mut browser = visitor(&one).await;
                let shown = browser.get(&one, "/id").await.text;
                assert_eq!(shown.len(), 22);
                let stranger = Browser::with_id(&shown);
                assert_eq!(stranger.clone().attr(&one, "made").await, None);
            }

            pub(super) async fn a_login_is_a_login() {
                let server = RedisServer::start().await;
                let sessions = instance(&server).await;
                let app = app(&sessions, Meeting::of(1));
                for path in ["/log-in/alice", "/user/bob"] {
                    let mut browser = visitor(&app).await;
                    let old = browser.clone();
                    let method = if path == "/user/bob" {
                        Method::PUT
                    } else {
                        Method::POST
                    };
                    let answer = ask(&mut browser, &app, method, path).await.is(200);
                    assert!(answer.new_id().is_some(), "{path}");
                    assert_eq!(old.clone().attr(&app, "made").await, None);
                    assert_eq!(browser.attr(&app, "made").await.as_deref(), Some("yes"));
                }
                assert_eq!(
                    sessions.list("alice").await.unwrap()[0].device.as_deref(),
                    Some("yes")
                );
                assert_eq!(sessions.list("bob").await.unwrap().len(), 1);
                // Another user on the same session gets none of the first one's things.
                let mut browser = Browser::new();
                browser.post(&app, "/log-in/carol").await.is(200);
                put(&mut browser, &app, "secret", "hers").await;
                browser.put(&app, "/user/dave", "").await.is(200);
                assert_eq!(browser.attr(&app, "secret").await, None);
                assert_eq!(browser.get(&app, "/ours").await.text, r#"Some("dave")"#);
                assert!(sessions.list("carol").await.unwrap().is_empty());
            }

            pub(super) async fn an_expiry_of_its_own_is_the_cookies_too() {
                let server = RedisServer::start().await;
                let [one, two] = two(&server).await;
                let mut browser = visitor(&one).await;
                for (path, seconds) in [("/live/864000", 864_000), ("/until/172800", 172_800)] {
                    let answer = browser.post(&one, path).await.is(200);
                    let line = answer.header("set-cookie")[0].to_owned();
                    let age = line
                        .split("Max-Age=")
                        .nth(1)
                        .unwrap()
                        .split(';')
                        .next()
                        .unwrap();
                    let age: i64 = age.parse().unwrap();
                    assert!(age >= seconds - 10, "{line}");
                    assert_eq!(browser.attr(&two, "made").await.as_deref(), Some("yes"));
                    // The same again changes nothing.
                    let id = browser.id().unwrap().to_owned();
                    browser.post(&two, path).await.is(200);
                    assert_eq!(browser.id().unwrap(), id);
                }
                browser.post(&one, "/live/1").await.is(200);
                let gone = || async { browser.clone().attr(&two, "made").await.is_none() };
                let unused =
                    async { tokio::time::sleep(std::time::Duration::from_millis(1_200)).await };
                unused.await;
                assert!(gone().await);
            }

            pub(super) async fn a_store_that_is_away_is_a_503_and_the_cookie_stays() {
                let server = RedisServer::start().await;
                let sessions =
                    configured(&server, |builder| builder.max_staleness(Duration::ZERO)).await;
                let app = app(&sessions, Meeting::of(1));
                let mut browser = visitor(&app).await;
                server.kill();
                let begun = std::time::Instant::now();
                for (method, path) in [(Method::GET, "/attr/made"), (Method::PUT, "/attr/a")] {
                    let answer = ask(&mut browser, &app, method, path).await.is(503);
                    assert_eq!(answer.header("retry-after"), ["1"]);
                    assert!(answer.cookies().is_empty());
                }
                // The command timeout of these tests is long; refusals come at once all the same.
                assert!(begun.elapsed() < std::time::Duration::from_secs(30));
                Browser::new().get(&app, "/nothing").await.is(200);
            }

            pub(super) async fn save_writes_at_once() {
                let server = RedisServer::start().await;
                let [one, two] = two(&server).await;
                let mut browser = Browser::new();
                let id = browser.post(&one, "/save/a").await.is(200).text;
                assert_eq!(id, browser.get(&two, "/id").await.text);
                assert_eq!(browser.attr(&two, "a").await.as_deref(), Some("1"));
                browser.post(&two, "/save/b").await.is(200);
                assert_eq!(browser.attr(&one, "b").await.as_deref(), Some("1"));
                assert_eq!(records(&server).await, 1);
            }
        }
    };
}

async fn ask(browser: &mut Browser, app: &axum::Router, method: Method, path: &str) -> Answer {
    let request = browser.request(method, path).body("".into()).unwrap();
    let answer = call(app, request).await;
    browser.learn(&answer);
    answer
}

cases!(cases_014, v0_14);
cases!(cases_015, v0_15);

each_version! {
    what_is_set_is_read_on_any_instance_at_once,
    who_uses_no_session_costs_nothing,
    overlapping_writes_are_all_kept,
    cycle_rotates_and_a_failed_request_changes_nothing,
    flush_logs_out_whatever_the_response,
    the_id_that_handlers_see_is_no_id,
    a_login_is_a_login,
    an_expiry_of_its_own_is_the_cookies_too,
    what_theirs_knew_logs_nobody_in,
    what_was_revoked_stays_so_whatever_a_late_request_does,
    delete_is_a_logout_though_something_was_written,
    what_is_saved_after_the_response_is_written,
    a_client_that_goes_away_is_logged_out_only_if_it_wanted_to_be,
    an_expiry_set_by_many_at_once_refuses_none,
    a_store_that_is_away_is_a_503_and_the_cookie_stays,
    save_writes_at_once,
}

/// What the store refuses is told by its status, though their `Session` knows nothing of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_says_why() {
    let server = RedisServer::start().await;
    let sessions = configured(&server, |builder| {
        let builder = builder.max_sessions_per_user(1).max_size(1000);
        builder.on_limit(OnLimit::Refuse)
    })
    .await;
    let bridge = TowerSessions::new().users(Users::attribute("user"));
    let app = super::app::v0_15::routes(Meeting::of(1)).layer(sessions.layer().bridge(bridge));
    let mut browser = Browser::new();
    browser.post(&app, "/log-in/alice").await.is(200);
    Browser::new().post(&app, "/log-in/alice").await.is(403);
    browser
        .put(&app, "/attr/a", &"x".repeat(2000))
        .await
        .is(413);
    assert_eq!(browser.attr(&app, "user").await.as_deref(), Some("alice"));
    assert_eq!(sessions.list("alice").await.unwrap().len(), 1);
}

/// From their layer to ours: the client keeps its id until it logs in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_made_under_their_layer_live_on_under_ours() {
    let server = RedisServer::start().await;
    let theirs = instance(&server).await;
    let store = SharedStore::new(&theirs).users(Users::attribute("user"));
    let before = super::app::v0_15::stock(store, Some(Duration::DAY));
    let mut browser = Browser::new();
    browser.post(&before, "/log-in/alice").await.is(200);
    put(&mut browser, &before, "cart", "hat").await;
    let id = browser.cookie("id").unwrap().to_owned();

    let cookie = cloakroom::Cookie::new().name("id");
    let ours = configured(&server, |b| b.short_ids().transport(cookie.clone())).await;
    let bridge = TowerSessions::new().users(Users::attribute("user"));
    let after = super::app::v0_15::routes(Meeting::of(1)).layer(ours.layer().bridge(bridge));
    assert_eq!(browser.attr(&after, "cart").await.as_deref(), Some("hat"));
    put(&mut browser, &after, "cart", "coat").await;
    assert_eq!(browser.cookie("id").unwrap(), id);
    assert_eq!(ours.list("alice").await.unwrap().len(), 1);
    browser.post(&after, "/log-in/alice").await.is(200);
    assert_eq!(browser.cookie("id").unwrap().len(), 32);
    assert_eq!(browser.attr(&after, "cart").await.as_deref(), Some("coat"));
    assert_eq!(ours.list("alice").await.unwrap().len(), 1);
    // Unless it is told to, ours takes no such id for one.
    let strict = configured(&server, |b| b.transport(cookie)).await;
    let strict = super::app::v0_15::routes(Meeting::of(1)).layer(
        strict
            .layer()
            .bridge(TowerSessions::new().users(Users::attribute("user"))),
    );
    let mut old = super::guest::visitor(&before).await;
    assert_eq!(old.attr(&strict, "made").await, None);
}
