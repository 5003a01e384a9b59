//! What Redis answers is believed only as far as Cloakroom can have written it.

use cloakroom_core::{Committed, ErrorKind, Freshness, Loaded, Rotated};
use cloakroom_testkit::RedisServer;
use cloakroom_testkit::conformance::Instance;
use cloakroom_testkit::conformance::draft::{Draft, set};
use cloakroom_testkit::eventually;

use crate::shared;
use crate::store::support::{LIMIT, anonymous, ask, connections, instance, login, record_key};

#[tokio::test]
async fn another_sessions_record_is_an_error_and_shows_nothing() {
    let (server, prefix) = (shared::server().await, "bound.swapped:");
    let store = instance(&server, prefix).await;
    let mine = login(&store, "alice").with("card", "\"mine\"");
    let theirs = login(&store, "mallory").with("card", "\"4111-theirs\"");
    store.create(&mine).await;
    store.create(&theirs).await;
    let (to, from) = (
        record_key(&store, prefix, mine.at),
        record_key(&store, prefix, theirs.at),
    );
    server.command(&["COPY", &from, &to, "REPLACE"]).await;
    let store = store.store();
    let errors = [
        store.load(mine.at, Freshness::NOW).await.unwrap_err(),
        store.retire(mine.at, 7).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("4111") && !shown.contains("mallory"),
            "{shown}"
        );
    }
    assert!(matches!(
        store.load(theirs.at, Freshness::NOW).await,
        Ok(Loaded::Found { .. })
    ));
}

#[tokio::test]
async fn a_connection_that_mixes_things_up_is_given_up() {
    let server = RedisServer::start().await;
    let store = instance(&server, "").await;
    let (mine, theirs) = (anonymous(&store), anonymous(&store));
    store.create(&mine).await;
    store.create(&theirs).await;
    let (to, from) = (
        record_key(&store, "", mine.at),
        record_key(&store, "", theirs.at),
    );
    server.command(&["COPY", &from, &to, "REPLACE"]).await;
    let suspect = connections(&server).await;
    assert!(store.store().load(mine.at, Freshness::NOW).await.is_err());
    // Another one serves what comes next, with nothing to wait for but the reconnection.
    let replaced = || async { connections(&server).await.is_disjoint(&suspect) };
    assert!(eventually(LIMIT, replaced).await, "{suspect:?}");
    store.load(theirs.at).await;
}

#[tokio::test]
async fn what_can_not_be_a_record_is_an_error() {
    let (server, prefix) = (shared::server().await, "bound.corrupt:");
    let store = instance(&server, prefix).await;
    let spoilt: [(&str, &[&[u8]]); 9] = [
        ("HSET", &[b"~r", b"many"]),
        ("HSET", &[b"~c", b"99999999999999999999"]),
        ("HSET", &[b"~x", b"9999999999999999"]),
        ("HSET", &[b"~h", b"no handle"]),
        ("HSET", &[b"~d", b"zz"]),
        ("HSET", &[b"~u", b"\xff\xfe"]),
        ("HDEL", &[b"~x"]),
        ("HDEL", &[b"~d", b"~r"]),
        ("SET", &[b"no hash", b"KEEPTTL"]),
    ];
    for (command, arguments) in spoilt {
        let new = login(&store, "alice");
        store.create(&new).await;
        let key = record_key(&store, prefix, new.at);
        let command = [command.as_bytes(), key.as_bytes()];
        server.command(&[&command, arguments].concat()).await;
        let error = store
            .store()
            .load(new.at, Freshness::NOW)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{arguments:?}: {error}");
    }
}

#[tokio::test]
async fn what_a_later_version_adds_is_left_alone() {
    let (server, prefix) = (shared::server().await, "bound.later:");
    let store = instance(&server, prefix).await;
    let new = login(&store, "alice").with("a", "1");
    store.create(&new).await;
    let key = record_key(&store, prefix, new.at);
    server
        .command(&["HSET", &key, "~q", "later", "~", "?"])
        .await;
    let committed = store.commit(new.at, &set("a", "2")).await;
    assert_eq!(committed, Committed::Done { revision: 2 });
    let to = moved(&store, prefix, &new.at).await;
    let held: Vec<String> = ask(&server, &["HMGET", &to, "~q", "~"]).await;
    assert_eq!(held, ["later", "?"]);
}

async fn moved(store: &Instance, prefix: &str, at: &cloakroom_core::Address) -> String {
    let to = login(store, "alice").at;
    let rotated = store.rotate(*at, to.digest).await;
    assert_eq!(rotated, Rotated::Done { revision: 3 });
    let Loaded::Found { record, .. } = store.load(to).await else {
        panic!("it has moved");
    };
    assert_eq!(
        record.attributes.iter().count(),
        1,
        "no header field is shown"
    );
    record_key(store, prefix, to)
}
