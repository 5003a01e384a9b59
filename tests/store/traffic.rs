//! What is sent: exactly what `cloakroom-redis` documents.

use cloakroom_core::{Touch, Which};
use cloakroom_testkit::RedisServer;
use cloakroom_testkit::conformance::draft::{Draft, set};
use time::Duration;

use crate::store::support::{anonymous, connect, instance, login, tick};

/// What clients sent while `act` ran: each command's name, without what scripts did.
async fn sent(server: &RedisServer, act: impl Future<Output = ()>) -> Vec<String> {
    let monitor = server.monitor().await;
    act.await;
    let lines = String::from_utf8_lossy(&monitor.finish().await).into_owned();
    lines.lines().filter_map(name_of_sent).collect()
}

/// `1700000000.123456 [0 127.0.0.1:4000] "HGETALL" "key"` was sent by a client; where the address
/// stands, a script's call has `lua`.
fn name_of_sent(line: &str) -> Option<String> {
    let (_, rest) = line.split_once(" [")?;
    let (origin, command) = rest.split_once("] ")?;
    let name = command.split('"').nth(1)?;
    (!origin.ends_with(" lua")).then(|| name.to_uppercase())
}

#[tokio::test]
async fn a_load_is_four_commands_in_one_round_trip() {
    let server = RedisServer::start().await;
    let store = instance(&server, "").await;
    let new = anonymous(&store);
    store.create(&new).await;
    for at in [new.at, anonymous(&store).at] {
        let act = async { drop(store.load(at).await) };
        assert_eq!(sent(&server, act).await, ["PTTL", "HGETALL", "HDEL", "GET"]);
    }
}

#[tokio::test]
async fn everything_else_is_one_script() {
    let server = RedisServer::start().await;
    let store = instance(&server, "").await;
    let (one, other) = (login(&store, "alice"), login(&store, "alice"));
    let (late, alice) = (login(&store, "alice").at, store.user("alice"));
    let anonymous = anonymous(&store).with("a", "1");
    server.reset_stats().await;
    let all = async {
        store.create(&anonymous).await;
        store.create(&one).await;
        store.create(&other).await;
        store.create(&one).await;
        store.commit(anonymous.at, &set("a", "2")).await;
        store.commit(anonymous.at, &set("a", "3")).await;
        store.commit(late, &set("a", "3")).await;
        store.touch(anonymous.at, Duration::ZERO).await;
        store.rotate(one.at, late.digest).await;
        store.retire(other.at, 7).await;
        store.retire(other.at, 1).await;
        store.list(&alice).await;
        store.end(anonymous.at).await;
        store.end(anonymous.at).await;
        store.revoke(&alice, Which::All).await;
    };
    assert_eq!(sent(&server, all).await, ["EVALSHA"; 15]);
    let stats = server.command_stats().await;
    assert_eq!(stats["evalsha"], 15);
    assert_eq!(stats.get("eval"), None);
    assert_eq!(
        stats["hgetall"], 1,
        "what the retirement shows was written late"
    );
    // A session is announced once for each time that a copy of it became stale: two commits, one
    // rotation, one retirement, one end, one revocation.
    assert_eq!(stats["publish"], 6);
}

#[tokio::test]
async fn a_touch_changes_one_field_and_the_expiry() {
    let server = RedisServer::start().await;
    let store = instance(&server, "").await;
    let mut touches = Vec::new();
    for _ in 0..300 {
        let new = anonymous(&store);
        store.create(&new).await;
        touches.push(Touch {
            at: new.at,
            ago: Duration::ZERO,
        });
    }
    tick(&store, touches[299].at).await;
    server.reset_stats().await;
    let act = async { store.touch_all(&touches).await };
    assert_eq!(sent(&server, act).await, ["EVALSHA"; 300]);
    let stats = server.command_stats().await;
    assert_eq!((stats["hset"], stats["pexpire"]), (300, 300));
    assert!(!stats.contains_key("publish"), "copies stay true");
}

#[tokio::test]
async fn a_connection_begins_with_the_scripts() {
    let server = RedisServer::start().await;
    let first = sent(&server, async { drop(connect(&server, "").await) }).await;
    let handshake = |name: &str| ["HELLO", "CLIENT", "SELECT"].contains(&name);
    let first: Vec<_> = first.iter().filter(|name| !handshake(name)).collect();
    let mut expected = vec!["ROLE", "INFO"];
    // Nine of sessions, eight of cached values, three of tokens.
    expected.extend(["SCRIPT"; 20]);
    expected.extend(["HSETNX", "HSETNX", "HGET", "HGET"]);
    assert_eq!(first, expected);
}
