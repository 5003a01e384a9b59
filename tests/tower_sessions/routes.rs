//! What tower-sessions' own tests ask of a store, and the tests of its stores: said again in our
//! words, over its own layer, on memory and on Redis.

use cloakroom::tower_sessions::SharedStore;
use cloakroom::{MemoryStore, Sessions};
use cloakroom_testkit::{RedisServer, eventually};
use time::Duration;

use super::app::each_version;
use super::guest::{ID, put, store, visitor};
use crate::web::support::{Browser, LIMIT};

async fn memory() -> SharedStore {
    let sessions = Sessions::builder(MemoryStore::new()).build().await.unwrap();
    SharedStore::new(&sessions)
}

macro_rules! cases {
    ($module:ident, $version:ident) => {
        mod $module {
            use super::super::app::$version::stock;
            use super::*;

            /// Does the same on memory and on Redis.
            macro_rules! on_each {
                ($app:ident, $expiry:expr, $case:block) => {
                    for server in [None, Some(RedisServer::start().await)] {
                        let store = match &server {
                            None => memory().await,
                            Some(server) => store(server).await,
                        };
                        let $app = stock(store, $expiry);
                        $case
                    }
                };
            }

            const HOUR: Option<Duration> = Some(Duration::HOUR);

            pub(super) async fn who_sets_nothing_gets_no_cookie() {
                on_each!(app, HOUR, {
                    let mut browser = Browser::new();
                    let answer = browser.get(&app, "/nothing").await.is(200);
                    assert!(answer.cookies().is_empty());
                });
            }

            pub(super) async fn an_id_that_was_made_up_is_not_adopted() {
                on_each!(app, HOUR, {
                    let made_up = "AAAAAAAAAAAAAAAAAAAAAA";
                    let mut browser = Browser::default();
                    let request = browser.request(http::Method::PUT, "/attr/a");
                    let request = request.header("cookie", format!("id={made_up}"));
                    let answer = crate::web::support::call(&app, request.body("1".into()).unwrap())
                        .await
                        .is(200);
                    browser.learn(&answer);
                    assert_ne!(browser.cookie(ID).unwrap(), made_up);
                });
            }

            pub(super) async fn an_id_that_is_none_is_forgotten() {
                on_each!(app, HOUR, {
                    let request = Browser::new().request(http::Method::GET, "/nothing");
                    let request = request.header("cookie", "id=malformed");
                    let answer = crate::web::support::call(&app, request.body("".into()).unwrap())
                        .await
                        .is(200);
                    assert!(answer.cookies()[0].removes());
                });
            }

            pub(super) async fn the_cookie_is_the_layers() {
                for (expiry, max_age) in [(HOUR, Some(3600)), (None, None)] {
                    on_each!(app, expiry, {
                        let answer = put(&mut Browser::new(), &app, "a", "1").await;
                        let line = answer.header("set-cookie")[0].to_owned();
                        for part in ["id=", "HttpOnly", "SameSite=Strict", "Secure", "Path=/"] {
                            assert!(line.contains(part), "{line}");
                        }
                        let age = line.split("Max-Age=").nth(1);
                        let age =
                            age.map(|age| age.split(';').next().unwrap().parse::<i64>().unwrap());
                        assert_eq!(age, max_age, "{line}");
                    });
                }
            }

            pub(super) async fn what_is_set_is_read() {
                on_each!(app, HOUR, {
                    let mut browser = visitor(&app).await;
                    assert_eq!(browser.attr(&app, "made").await.as_deref(), Some("yes"));
                    assert_eq!(browser.attr(&app, "other").await, None);
                    assert_eq!(Browser::new().attr(&app, "made").await, None);
                });
            }

            pub(super) async fn the_last_value_can_be_removed() {
                on_each!(app, HOUR, {
                    let mut browser = visitor(&app).await;
                    browser.delete(&app, "/attr/made").await.is(200);
                    assert_eq!(browser.attr(&app, "made").await, None);
                });
            }

            pub(super) async fn a_cycled_id_has_everything() {
                on_each!(app, HOUR, {
                    let mut browser = visitor(&app).await;
                    let mut old = browser.clone();
                    browser.post(&app, "/cycle").await.is(200);
                    assert_ne!(browser.cookie(ID), old.cookie(ID));
                    assert_eq!(browser.attr(&app, "made").await.as_deref(), Some("yes"));
                    // It has ended, but its client must not be made to forget the new one.
                    let answer = old.get(&app, "/attr/made").await.is(404);
                    assert!(answer.cookies().is_empty());
                });
            }

            pub(super) async fn flush_ends_the_session_and_removes_the_cookie() {
                on_each!(app, HOUR, {
                    let mut browser = visitor(&app).await;
                    let mut old = browser.clone();
                    let answer = browser.post(&app, "/flush").await.is(200);
                    assert!(answer.cookies()[0].removes());
                    let line = answer.header("set-cookie")[0];
                    assert!(
                        line.contains("Max-Age=0") && line.contains("Path=/"),
                        "{line}"
                    );
                    assert_eq!(old.attr(&app, "made").await, None);
                });
            }

            pub(super) async fn the_expiry_can_be_set_and_is_kept() {
                on_each!(app, HOUR, {
                    let mut browser = visitor(&app).await;
                    let answer = browser.post(&app, "/until/86400").await.is(200);
                    let line = answer.header("set-cookie")[0];
                    let age = line
                        .split("Max-Age=")
                        .nth(1)
                        .unwrap()
                        .split(';')
                        .next()
                        .unwrap();
                    assert!(
                        (86_390..=86_400).contains(&age.parse::<i64>().unwrap()),
                        "{line}"
                    );
                    browser.post(&app, "/live/1").await.is(200);
                    let gone = || async { browser.clone().attr(&app, "made").await.is_none() };
                    assert!(eventually(LIMIT, gone).await);
                });
            }

            pub(super) async fn an_expired_session_is_absent() {
                on_each!(app, Some(Duration::SECOND), {
                    let browser = visitor(&app).await;
                    let gone = || async { browser.clone().attr(&app, "made").await.is_none() };
                    assert!(!gone().await);
                    assert!(eventually(LIMIT, gone).await);
                });
            }

            pub(super) async fn clear_removes_all_and_keeps_the_session() {
                on_each!(app, HOUR, {
                    let mut browser = visitor(&app).await;
                    put(&mut browser, &app, "b", "2").await;
                    browser.post(&app, "/clear").await.is(200);
                    assert_eq!(browser.attr(&app, "made").await, None);
                    assert_eq!(browser.attr(&app, "b").await, None);
                });
            }

            pub(super) async fn any_json_comes_back() {
                on_each!(app, HOUR, {
                    let mut browser = visitor(&app).await;
                    let json =
                        r#"{"a":[1,-9223372036854775808,18446744073709551615,0.1,1e300],"é":null}"#;
                    let request = browser.request(http::Method::PUT, "/json/j");
                    let request = request.header("content-type", "application/json");
                    crate::web::support::call(&app, request.body(json.into()).unwrap())
                        .await
                        .is(200);
                    let read: serde_json::Value =
                        serde_json::from_str(&browser.attr(&app, "j").await.unwrap()).unwrap();
                    assert_eq!(
                        read,
                        serde_json::from_str::<serde_json::Value>(json).unwrap()
                    );
                });
            }

            pub(super) async fn save_makes_the_session_at_once() {
                on_each!(app, HOUR, {
                    let mut browser = Browser::new();
                    let id = browser.post(&app, "/save/a").await.is(200).text;
                    assert_eq!(browser.cookie(ID), Some(&*id));
                    assert_eq!(browser.attr(&app, "a").await.as_deref(), Some("1"));
                });
            }
        }
    };
}

cases!(cases_014, v0_14);
cases!(cases_015, v0_15);

each_version! {
    who_sets_nothing_gets_no_cookie,
    an_id_that_was_made_up_is_not_adopted,
    an_id_that_is_none_is_forgotten,
    the_cookie_is_the_layers,
    what_is_set_is_read,
    the_last_value_can_be_removed,
    a_cycled_id_has_everything,
    flush_ends_the_session_and_removes_the_cookie,
    the_expiry_can_be_set_and_is_kept,
    an_expired_session_is_absent,
    clear_removes_all_and_keeps_the_session,
    any_json_comes_back,
    save_makes_the_session_at_once,
}
