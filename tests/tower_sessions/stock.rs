//! Under tower-sessions' own layer: nothing is lost, nothing comes back, and reads cost nothing.

use std::collections::BTreeMap;

use cloakroom::tower_sessions::{SharedStore, Users};
use cloakroom_testkit::{RedisServer, eventually};
use http::Method;
use time::Duration;

use super::app::{Meeting, each_version};
use super::guest::{ID, configured, instance, put, records, store, visitor};
use crate::web::support::{Browser, LIMIT, at_once, call};

const HOUR: Option<Duration> = Some(Duration::HOUR);

/// What was sent, but for what proves that the channel missed nothing.
async fn sent(server: &RedisServer) -> BTreeMap<String, u64> {
    let mut sent = server.command_stats().await;
    sent.retain(|name, _| !["get", "persist", "echo"].contains(&&**name));
    server.reset_stats().await;
    sent
}

macro_rules! cases {
    ($module:ident, $version:ident) => {
        mod $module {
            use super::super::app::$version::{stock, stock_with};
            use super::*;

            pub(super) async fn fifty_overlapping_writes_are_fifty() {
                let server = RedisServer::start().await;
                let (one, two) = (store(&server).await, store(&server).await);
                let meeting = Meeting::of(50);
                let apps = [one, two].map(|store| stock_with(store, HOUR, meeting.clone(), false));
                let browser = visitor(&apps[0]).await;
                let write = |n: usize| {
                    let (app, mut browser) = (apps[n % 2].clone(), browser.clone());
                    async move { browser.post(&app, &format!("/meet/{n}")).await.is(200) }
                };
                at_once(50, write).await;
                let mut kept = 0;
                for n in 0..50 {
                    let shown = || async { browser.clone().attr(&apps[n % 2], &n.to_string()).await.is_some() };
                    kept += usize::from(eventually(LIMIT, shown).await);
                }
                println!("50 overlapping writes on 2 instances: {kept} kept");
                assert_eq!(kept, 50);
            }

            pub(super) async fn a_write_that_overlaps_flush_brings_nothing_back() {
                let server = RedisServer::start().await;
                let (mut after, mut alive) = (0, 0);
                for round in 0..100 {
                    let meeting = Meeting::of(2);
                    let app = stock_with(store_for(&server, round).await, HOUR, meeting.clone(), false);
                    let browser = visitor(&app).await;
                    let (mut writer, mut leaver) = (browser.clone(), browser.clone());
                    // Odd rounds: the logout falls between the read and the write; even: beside both.
                    let writing = async {
                        writer.post(&app, "/meet/late").await.is(200)
                    };
                    let leaving = async {
                        if round % 2 == 1 {
                            leaver.post(&app, "/flush").await.is(200);
                            after += 1;
                            meeting.wait().await;
                        } else {
                            tokio::join!(meeting.wait(), leaver.post(&app, "/flush")).1.is(200);
                        }
                    };
                    tokio::join!(writing, leaving);
                    alive += usize::from(browser.clone().attr(&app, "made").await.is_some());
                    alive += usize::from(browser.clone().attr(&app, "late").await.is_some());
                }
                println!("100 writes around a flush: 100 × 200, {after} of them after it; {alive} alive; {} records", records(&server).await);
                assert_eq!((alive, records(&server).await), (0, 0));
            }

            pub(super) async fn ids_that_were_made_up_fill_nothing_though_always_saved() {
                let server = RedisServer::start().await;
                let app = stock_with(store(&server).await, HOUR, Meeting::of(1), true);
                let mut known = visitor(&app).await;
                let before: u64 = keys(&server).await;
                for n in 0..20u128 {
                    let id = id_of(n);
                    for path in ["/nothing", "/attr/a"] {
                        let request = Browser::new().request(Method::GET, path);
                        let request = request.header("cookie", format!("id={id}"));
                        call(&app, request.body("".into()).unwrap()).await;
                    }
                }
                println!("20 made-up ids with always_save: {before} keys before, {} after", keys(&server).await);
                assert_eq!(keys(&server).await, before);
                assert_eq!(known.attr(&app, "made").await.as_deref(), Some("yes"));
            }

            pub(super) async fn reads_cost_nothing_though_always_saved() {
                let server = RedisServer::start().await;
                let mut apps = Vec::new();
                for _ in 0..4 {
                    apps.push(stock_with(store(&server).await, HOUR, Meeting::of(1), true));
                }
                let mut browsers = Vec::new();
                for _ in 0..25 {
                    browsers.push(visitor(&apps[0]).await);
                }
                for warm in [true, false] {
                    sent(&server).await;
                    for app in &apps {
                        for browser in &mut browsers {
                            for _ in 0..if warm { 1 } else { 10 } {
                                assert!(browser.attr(app, "made").await.is_some());
                            }
                        }
                    }
                }
                let sent = sent(&server).await;
                println!("1,000 reads of 25 sessions on 4 instances, with always_save: {sent:?}");
                assert_eq!(sent, BTreeMap::new());
            }

            pub(super) async fn a_window_that_is_always_saved_slides() {
                let server = RedisServer::start().await;
                // Shorter than the interval of touches: the window decides.
                let sessions = instance(&server).await;
                let app = stock_with(SharedStore::new(&sessions), Some(Duration::seconds(4)), Meeting::of(1), true);
                let mut used = visitor(&app).await;
                let unused = visitor(&app).await;
                let begun = std::time::Instant::now();
                while begun.elapsed() < std::time::Duration::from_secs(9) {
                    assert!(used.attr(&app, "made").await.is_some(), "{:?}", begun.elapsed());
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
                assert_eq!(unused.clone().attr(&app, "made").await, None);
            }

            pub(super) async fn a_cycled_id_is_refused_on_every_instance() {
                let server = RedisServer::start().await;
                let apps = [stock(store(&server).await, HOUR), stock(store(&server).await, HOUR)];
                let mut browser = visitor(&apps[0]).await;
                assert!(browser.attr(&apps[1], "made").await.is_some());
                let old = browser.clone();
                browser.post(&apps[0], "/cycle").await.is(200);
                let refused = || async { old.clone().attr(&apps[1], "made").await.is_none() };
                assert!(eventually(LIMIT, refused).await);
                assert!(browser.attr(&apps[1], "made").await.is_some());
                // What it writes goes nowhere, and there is no second session.
                put(&mut old.clone(), &apps[1], "late", "1").await;
                assert_eq!(browser.attr(&apps[1], "late").await, None);
                assert_eq!(records(&server).await, 1);
            }

            pub(super) async fn what_one_removes_another_does_not_put_back() {
                let server = RedisServer::start().await;
                let meeting = Meeting::of(2);
                let app = stock_with(store(&server).await, HOUR, meeting.clone(), false);
                let mut browser = visitor(&app).await;
                let mut remover = browser.clone();
                let removing = async {
                    // The other has read the session, and has not written yet.
                    meeting.read().await;
                    remover.delete(&app, "/attr/made").await.is(200);
                    meeting.wait().await;
                };
                let mut writer = browser.clone();
                let (written, ()) = tokio::join!(writer.post(&app, "/meet/b"), removing);
                written.is(200);
                assert_eq!(browser.attr(&app, "made").await, None);
                assert_eq!(browser.attr(&app, "b").await.as_deref(), Some("b"));
            }

            pub(super) async fn what_is_cleared_is_the_sessions_own() {
                let server = RedisServer::start().await;
                let app = stock(store(&server).await, HOUR);
                let mut browsers = Vec::new();
                for n in 0..3 {
                    let mut browser = visitor(&app).await;
                    put(&mut browser, &app, "n", &n.to_string()).await;
                    browsers.push(browser);
                }
                for n in 0..3 {
                    browsers[n].post(&app, "/clear").await.is(200);
                    for (m, browser) in browsers.iter().enumerate() {
                        let cleared = browser.clone().attr(&app, "n").await.is_none();
                        assert_eq!(cleared, m <= n);
                    }
                }
            }

            pub(super) async fn what_was_revoked_is_not_cycled_into_life() {
                let server = RedisServer::start().await;
                let (here, there) = (instance(&server).await, instance(&server).await);
                let meeting = Meeting::of(2);
                let users = Users::attribute("user");
                let app = stock_with(SharedStore::new(&here).users(users), HOUR, meeting.clone(), false);
                let mut browser = visitor(&app).await;
                browser.post(&app, "/log-in/alice").await.is(200);
                let mut late = browser.clone();
                let revoking = async {
                    meeting.read().await;
                    assert_eq!(there.revoke_user("alice").await.unwrap(), 1);
                    meeting.wait().await;
                };
                let (answer, ()) = tokio::join!(late.post(&app, "/meet-and-cycle"), revoking);
                answer.is(500);
                assert_eq!(late.attr(&app, "user").await, None);
                assert_eq!((records(&server).await, here.list("alice").await.unwrap().len()), (0, 0));
            }

            pub(super) async fn a_session_that_was_saved_empty_takes_what_follows() {
                let server = RedisServer::start().await;
                let app = stock(store(&server).await, HOUR);
                let mut browser = Browser::new();
                browser.post(&app, "/save-empty/a").await.is(200);
                assert_eq!(browser.attr(&app, "a").await.as_deref(), Some("1"));
                browser.post(&app, "/save-twice").await.is(200);
                assert_eq!(browser.attr(&app, "passing").await, None);
                assert_eq!(records(&server).await, 1);
            }

            pub(super) async fn a_store_that_is_away_answers_in_time_and_keeps_the_cookie() {
                let server = RedisServer::start().await;
                let url = server.url();
                let redis = cloakroom::redis::store(url).connect().await.unwrap();
                let sessions = cloakroom::Sessions::builder(redis).max_staleness(Duration::ZERO);
                let app = stock(SharedStore::new(&sessions.build().await.unwrap()), HOUR);
                let mut browser = visitor(&app).await;
                server.kill();
                let begun = std::time::Instant::now();
                let answer = browser.get(&app, "/attr/made").await.is(500);
                assert!(begun.elapsed() < std::time::Duration::from_secs(3));
                assert!(answer.cookies().is_empty());
                Browser::new().get(&app, "/nothing").await.is(200);
            }
        }
    };
}

async fn store_for(server: &RedisServer, round: usize) -> SharedStore {
    // One instance with copies and one without, so that both are tried.
    let sessions = if round.is_multiple_of(4) {
        instance(server).await
    } else {
        configured(server, |builder| builder.max_staleness(Duration::ZERO)).await
    };
    SharedStore::new(&sessions)
}

async fn keys(server: &RedisServer) -> u64 {
    let keys = server
        .command(&["EVAL", "return #redis.call('KEYS', '*:s:*')", "0"])
        .await;
    cloakroom_testkit::redis::from_redis_value(keys).unwrap()
}

/// A well-formed id that was never given out.
fn id_of(n: u128) -> String {
    let id = cloakroom_core::SessionId::short((n * 0x1234_5678_9abc_def0_1357).to_le_bytes());
    id.expose_secret()
}

cases!(cases_014, v0_14);
cases!(cases_015, v0_15);

each_version! {
    fifty_overlapping_writes_are_fifty,
    a_write_that_overlaps_flush_brings_nothing_back,
    ids_that_were_made_up_fill_nothing_though_always_saved,
    reads_cost_nothing_though_always_saved,
    a_window_that_is_always_saved_slides,
    a_cycled_id_is_refused_on_every_instance,
    what_one_removes_another_does_not_put_back,
    what_is_cleared_is_the_sessions_own,
    what_was_revoked_is_not_cycled_into_life,
    a_session_that_was_saved_empty_takes_what_follows,
    a_store_that_is_away_answers_in_time_and_keeps_the_cookie,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_ids_are_22_characters_and_what_redis_sees_is_none_of_them() {
    let server = RedisServer::start().await;
    let app = super::app::v0_15::stock(store(&server).await, HOUR);
    let monitor = server.monitor().await;
    let browser = visitor(&app).await;
    let id = browser.cookie(ID).unwrap();
    assert_eq!(id.len(), 22);
    let seen = monitor.finish().await;
    assert!(!seen.windows(id.len()).any(|part| part == id.as_bytes()));
}
