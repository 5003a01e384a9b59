//! A server that has lost its scripts: each is sent again as text, once.

use cloakroom_core::{Committed, Created, Ended, Retired, Rotated, Touch, Which};
use cloakroom_testkit::RedisServer;
use cloakroom_testkit::conformance::draft::set;
use time::Duration;

use crate::store::support::{anonymous, instance, last_seen, login, tick};

async fn lose_scripts(server: &RedisServer) {
    server.command(&["SCRIPT", "FLUSH", "SYNC"]).await;
}

#[tokio::test]
async fn every_operation_works_without_them() {
    let server = RedisServer::start().await;
    let store = instance(&server, "").await;
    let (new, old) = (login(&store, "alice"), login(&store, "alice"));
    let (to, alice) = (login(&store, "alice").at, store.user("alice"));
    lose_scripts(&server).await;
    let created = store.create(&new).await;
    assert!(matches!(created, Created::Done { .. }));
    store.create(&old).await;
    lose_scripts(&server).await;
    let committed = store.commit(new.at, &set("n", "1")).await;
    assert_eq!(committed, Committed::Done { revision: 2 }, "it ran once");
    lose_scripts(&server).await;
    let rotated = store.rotate(new.at, to.digest).await;
    assert_eq!(rotated, Rotated::Done { revision: 3 });
    lose_scripts(&server).await;
    assert_eq!(store.retire(old.at, 1).await, Retired::Done);
    lose_scripts(&server).await;
    assert_eq!(store.list(&alice).await.len(), 1);
    lose_scripts(&server).await;
    assert_eq!(store.end(to).await, Ended::Done);
    store.create(&login(&store, "alice")).await;
    lose_scripts(&server).await;
    assert_eq!(store.revoke(&alice, Which::All).await, 1);
}

#[tokio::test]
async fn the_text_is_sent_once_and_then_the_hash_serves_again() {
    let server = RedisServer::start().await;
    let store = instance(&server, "").await;
    let new = anonymous(&store);
    store.create(&new).await;
    lose_scripts(&server).await;
    server.reset_stats().await;
    for n in 2..12 {
        let committed = store.commit(new.at, &set("n", n.to_string())).await;
        assert_eq!(committed, Committed::Done { revision: n });
    }
    let stats = server.command_stats().await;
    assert_eq!((stats["eval"], stats["evalsha"]), (1, 10));
}

#[tokio::test]
async fn no_touch_of_many_is_lost() {
    let server = RedisServer::start().await;
    let store = instance(&server, "").await;
    let mut touches = Vec::new();
    for _ in 0..200 {
        let new = anonymous(&store);
        store.create(&new).await;
        touches.push(Touch {
            at: new.at,
            ago: Duration::ZERO,
        });
    }
    let at = touches[199].at;
    let made = last_seen(&store, at).await;
    tick(&store, at).await;
    lose_scripts(&server).await;
    store.touch_all(&touches).await;
    for touch in &touches {
        assert!(last_seen(&store, touch.at).await > made, "it was touched");
    }
}
