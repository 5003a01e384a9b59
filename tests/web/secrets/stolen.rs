//! What whoever steals logs, traffic or disks gets.

use std::fs;
use std::sync::Arc;

use cloakroom_testkit::RedisServer;
use cloakroom_testkit::redis::from_redis_value;

use super::VALUE;
use super::ids::Ids;
use super::logs::Logs;
use super::scenario;
use crate::web::support::World;

/// One thread, so that all tasks log to the test.
#[tokio::test]
async fn logs_traffic_and_dumps_hold_no_id() {
    let logs = Logs::begin();
    let server = RedisServer::builder()
        .arg("--appendonly", "yes")
        .arg("--aof-use-rdb-preamble", "no");
    let server = Arc::new(server.start().await);
    let mut ids = Ids::default();
    let monitor = server.monitor().await;
    let world = World::redis_on(Arc::clone(&server), "secrets");
    let instances = scenario::run(&world, &mut ids).await;
    let traffic = monitor.finish().await;
    let (rdb, aof) = (server.dump().await, append_only(&server).await);

    let text = logs.text();
    for (what, bytes) in [
        ("MONITOR", &traffic),
        ("the RDB file", &rdb),
        ("the AOF", &aof),
    ] {
        ids.are_not_in(what, bytes);
        let holds = String::from_utf8_lossy(bytes).contains(VALUE);
        assert!(
            holds,
            "{what} is what it is meant to be: values stand there in clear"
        );
    }
    are_clean(&text, &ids);
    println!(
        "{} ids, none in {} bytes of MONITOR, {} of RDB, {} of AOF, {} of logs",
        ids.len(),
        traffic.len(),
        rdb.len(),
        aof.len(),
        text.len()
    );
    drop(instances);
}

#[tokio::test]
async fn logs_hold_no_id_in_memory_either() {
    let logs = Logs::begin();
    let mut ids = Ids::default();
    let world = World::memory();
    scenario::run(&world, &mut ids).await;
    are_clean(&logs.text(), &ids);
}

/// Logs that say what happened, without ids, values and users.
fn are_clean(logs: &str, ids: &Ids) {
    assert!(ids.len() > 25, "{}", ids.len());
    ids.are_not_in("the log", logs.as_bytes());
    assert!(!logs.contains(VALUE), "a value is logged");
    for user in ["alice", "bob", "carol", "eve"] {
        assert!(!logs.contains(user), "{user} is logged");
    }
    for span in ["load", "commit", "update", "log_in", "log_out", "rotate"] {
        assert!(
            logs.contains(&format!("session.{span}")),
            "no span session.{span}"
        );
    }
    let told = [
        "session created",
        "logged out",
        "sessions revoked",
        "does not decode",
        "ignored",
    ];
    for event in told {
        assert!(logs.contains(event), "nothing is told of {event:?}");
    }
}

async fn append_only(server: &RedisServer) -> Vec<u8> {
    let dir = server.command(&["CONFIG", "GET", "dir"]).await;
    let (_, dir): (String, String) = from_redis_value(dir).unwrap();
    let mut all = Vec::new();
    let mut folders = vec![dir.into()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir::<std::path::PathBuf>(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "aof") {
                all.extend(fs::read(path).unwrap());
            }
        }
    }
    all
}
