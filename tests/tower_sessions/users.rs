//! Users and their devices under tower-sessions' own layer.

use cloakroom::tower_sessions::{SharedStore, Users};
use cloakroom_testkit::{RedisServer, eventually};
use time::Duration;

use super::app::each_version;
use super::guest::{ID, configured, instance, put, visitor};
use crate::web::support::{Browser, LIMIT, at_once};

macro_rules! cases {
    ($module:ident, $version:ident) => {
        mod $module {
            use super::super::app::$version::{SessionManagerLayer, others, stock};
            use super::*;

            pub(super) async fn users_are_listed_and_revoked() {
                let server = RedisServer::start().await;
                let (here, there) = (instance(&server).await, instance(&server).await);
                let app = |sessions| {
                    stock(
                        SharedStore::new(sessions).users(Users::attribute("user").device("made")),
                        None,
                    )
                };
                let (one, two) = (app(&here), app(&there));
                let mut devices = Vec::new();
                for _ in 0..3 {
                    let mut browser = visitor(&one).await;
                    let anonymous = browser.clone();
                    browser.post(&one, "/log-in/alice").await.is(200);
                    assert_ne!(browser.cookie(ID), anonymous.cookie(ID));
                    assert_eq!(browser.attr(&two, "made").await.as_deref(), Some("yes"));
                    devices.push(browser);
                }
                let mut bob = visitor(&one).await;
                bob.post(&one, "/log-in/bob").await.is(200);
                let listed = there.list("alice").await.unwrap();
                assert_eq!(listed.len(), 3);
                assert_eq!(listed[0].device.as_deref(), Some("yes"));
                assert!(there.revoke("alice", &listed[1].handle).await.unwrap());
                for (n, browser) in devices.iter().enumerate() {
                    let seen =
                        || async { browser.clone().attr(&one, "user").await.is_some() == (n != 1) };
                    assert!(eventually(LIMIT, seen).await);
                }
                assert_eq!(there.revoke_user("alice").await.unwrap(), 2);
                for browser in &devices {
                    for app in [&one, &two] {
                        let refused =
                            || async { browser.clone().attr(app, "user").await.is_none() };
                        assert!(eventually(LIMIT, refused).await);
                    }
                }
                assert_eq!(bob.attr(&two, "user").await.as_deref(), Some("bob"));
            }

            pub(super) async fn all_others_can_be_logged_out() {
                let server = RedisServer::start().await;
                let store = |sessions| SharedStore::new(sessions).users(Users::attribute("user"));
                let (here, there) = (instance(&server).await, instance(&server).await);
                let (one, two) = (store(&here), store(&there));
                let layer = SessionManagerLayer::new(two.clone());
                let others = others(two.clone()).layer(layer);
                let app = stock(one, None);
                let mut devices = Vec::new();
                for user in ["alice", "alice", "bob", "alice"] {
                    let mut browser = Browser::new();
                    browser.post(&app, &format!("/log-in/{user}")).await.is(200);
                    devices.push(browser);
                }
                assert_eq!(
                    devices[0].post(&others, "/others").await.is(200).text,
                    "true 2"
                );
                for (browser, stays) in devices.iter().zip([true, false, true, false]) {
                    let seen =
                        || async { browser.clone().attr(&app, "user").await.is_some() == stays };
                    assert!(eventually(LIMIT, seen).await);
                }
            }

            pub(super) async fn a_limit_holds_however_many_log_in() {
                let server = RedisServer::start().await;
                let sessions =
                    configured(&server, |builder| builder.max_sessions_per_user(5)).await;
                let app = stock(
                    SharedStore::new(&sessions).users(Users::attribute("user")),
                    None,
                );
                at_once(40, |_| {
                    let app = app.clone();
                    async move { Browser::new().post(&app, "/log-in/alice").await.is(200) }
                })
                .await;
                assert_eq!(sessions.list("alice").await.unwrap().len(), 5);
            }

            pub(super) async fn a_user_needs_a_new_id() {
                let server = RedisServer::start().await;
                let sessions = instance(&server).await;
                let app = stock(
                    SharedStore::new(&sessions).users(Users::attribute("user")),
                    None,
                );
                let mut browser = visitor(&app).await;
                browser.put(&app, "/user/alice", "").await.is(500);
                assert_eq!(browser.attr(&app, "user").await, None);
                assert_eq!(browser.attr(&app, "made").await.as_deref(), Some("yes"));
                browser.post(&app, "/log-in/alice").await.is(200);
                browser.put(&app, "/user/alice", "").await.is(200);
                // Another user under the same id: refused, and the id is of no use any more.
                let before = browser.clone();
                browser.put(&app, "/user/mallory", "").await.is(500);
                assert_eq!(before.clone().attr(&app, "user").await, None);
                assert!(sessions.list("alice").await.unwrap().is_empty());
                assert!(sessions.list("mallory").await.unwrap().is_empty());
                browser.post(&app, "/log-in/mallory").await.is(200);
                assert_eq!(sessions.list("mallory").await.unwrap().len(), 1);
                put(&mut browser, &app, "a", "1").await;
            }

            pub(super) async fn an_expiry_of_its_own_is_the_indexs_too() {
                let server = RedisServer::start().await;
                let sessions = instance(&server).await;
                let app = stock(
                    SharedStore::new(&sessions).users(Users::attribute("user")),
                    Some(Duration::HOUR),
                );
                let mut browser = Browser::new();
                browser.post(&app, "/log-in/alice").await.is(200);
                browser.post(&app, "/live/864000").await.is(200);
                let pttl = "return redis.call('PTTL', redis.call('KEYS', ARGV[1])[1])";
                for pattern in ["*:s:*", "*:u:*"] {
                    let left = server.command(&["EVAL", pttl, "0", pattern]).await;
                    let left: i64 = cloakroom_testkit::redis::from_redis_value(left).unwrap();
                    assert!(left > 863_000_000, "{pattern}: {left}");
                }
            }
        }
    };
}

cases!(cases_014, v0_14);
cases!(cases_015, v0_15);

each_version! {
    users_are_listed_and_revoked,
    all_others_can_be_logged_out,
    a_limit_holds_however_many_log_in,
    a_user_needs_a_new_id,
    an_expiry_of_its_own_is_the_indexs_too,
}
