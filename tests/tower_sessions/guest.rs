//! Where cases happen: instances that share a Redis, each a `Sessions` with near copies.

use std::sync::Arc;

use axum::Router;
use cloakroom::tower_sessions::{SharedStore, Users};
use cloakroom::{Sessions, SessionsBuilder};
use cloakroom_testkit::{RedisServer, eventually};

use crate::web::support::{Answer, Browser, LIMIT};

/// The cookie of tower-sessions.
pub(crate) const ID: &str = "id";

/// One more instance on this server, whose channel stands.
pub(crate) async fn instance(server: &RedisServer) -> Sessions {
    configured(server, |builder| builder).await
}

pub(crate) async fn configured(
    server: &RedisServer,
    with: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
) -> Sessions {
    let store = cloakroom::redis::store(server.url()).command_timeout(time::Duration::seconds(30));
    let store = Arc::new(store.connect().await.unwrap());
    let sessions = with(Sessions::builder(store)).build().await.unwrap();
    let channel = sessions.store().channel().unwrap();
    let bucket = sessions.store().buckets().get(0).unwrap();
    let proven = || async {
        let lease = channel.lease(bucket);
        lease
            .age(
                lease.term,
                cloakroom_core::Clock::moment(&cloakroom::SystemClock),
            )
            .is_some()
    };
    assert!(eventually(LIMIT, proven).await, "the channel stands");
    sessions
}

/// A store for tower-sessions on one more instance, which finds users under `user`.
pub(crate) async fn store(server: &RedisServer) -> SharedStore {
    SharedStore::new(&instance(server).await).users(Users::attribute("user"))
}

/// How many records of sessions there are; marks of ended ids are none.
pub(crate) async fn records(server: &RedisServer) -> usize {
    let script = "local n = 0
        for _, key in ipairs(redis.call('KEYS', '*:s:*')) do
          if redis.call('HEXISTS', key, '~r') == 1 then n = n + 1 end
        end
        return n";
    let reply = server.command(&["EVAL", script, "0"]).await;
    cloakroom_testkit::redis::from_redis_value(reply).unwrap()
}

/// Sets an attribute under tower-sessions' own layer, and expects it to be taken.
pub(crate) async fn put(browser: &mut Browser, app: &Router, key: &str, value: &str) -> Answer {
    browser
        .put(app, &format!("/attr/{key}"), value)
        .await
        .is(200)
}

/// A browser with a session that holds something.
pub(crate) async fn visitor(app: &Router) -> Browser {
    let mut browser = Browser::new();
    put(&mut browser, app, "made", "yes").await;
    assert!(browser.cookie(ID).is_some());
    browser
}
