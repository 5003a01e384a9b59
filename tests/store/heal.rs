//! What a server loses, the index forgets: no ghost is listed, and no session is missing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cloakroom_core::{Address, Listed, Loaded, OnLimit, Rotated, SessionStore, Which};
use cloakroom_testkit::conformance::draft::{Draft, login as login_of, set};
use cloakroom_testkit::{RedisServer, eventually};

use crate::shared;
use crate::store::support::{LIMIT, ask, builder, instance, login, record_key};

#[tokio::test]
async fn a_session_that_the_server_evicted_leaves_no_ghost() {
    let (server, prefix) = (shared::server().await, "heal.evicted:");
    let store = instance(&server, prefix).await;
    let alice = store.user("alice");
    let sessions: Vec<_> = (0..4).map(|_| login(&store, "alice")).collect();
    for new in &sessions {
        store.create(new).await;
    }
    for evicted in &sessions[..2] {
        let key = record_key(&store, prefix, evicted.at);
        server.command(&["DEL", &key]).await;
    }
    let listed = store.list(&alice).await;
    let handles: Vec<_> = listed.iter().map(|session| session.handle).collect();
    assert_eq!(handles, [sessions[2].handle, sessions[3].handle]);
    let entries: Vec<String> = ask(&server, &["KEYS", &format!("{prefix}*:u:*")]).await;
    let entries: usize = ask(&server, &["ZCARD", &entries[0]]).await;
    assert_eq!(entries, 2, "the look has cleared the index");
    let new = login(&store, "alice").limited(3, OnLimit::Refuse);
    store.create(&new).await;
    assert!(
        matches!(store.load(new.at).await, Loaded::Found { .. }),
        "ghosts don't count"
    );
    assert_eq!(store.revoke(&alice, Which::All).await, 3);
}

/// Killed in the middle of writing and started again: every script happened wholly or not at all.
///
/// One kill for each server: after a second one, Redis (7.0 at least) runs a transaction of which
/// the first kill left half in the file. What the scripts' order makes of that is tested below.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_has_done_each_operation_wholly_or_not_at_all() {
    let server = RedisServer::builder()
        .arg("--appendonly", "yes")
        .arg("--appendfsync", "always")
        .start()
        .await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut busy = Vec::new();
    for n in 0..4 {
        let store = Arc::new(builder(&server).connect().await.unwrap());
        busy.push(tokio::spawn(log_in_on(store, n, stop.clone())));
    }
    for kills in 0..2 {
        let before: usize = ask(&server, &["DBSIZE"]).await;
        let grown = || async { ask::<usize>(&server, &["DBSIZE"]).await >= before + 300 };
        assert!(eventually(LIMIT, grown).await, "nobody logs in");
        if kills == 0 {
            server.kill();
            server.restart().await;
        }
    }
    stop.store(true, Ordering::SeqCst);
    let mut told = Vec::new();
    for task in busy {
        told.extend(task.await.unwrap());
    }
    let store = instance(&server, "").await;
    for (user, at) in &told {
        let found = store.load(*at).await;
        assert!(
            matches!(found, Loaded::Found { .. }),
            "{user}'s was acknowledged"
        );
    }
    index_is_true(&server).await;
}

/// Logs in, rotates and logs out until told to stop; answers the sessions that it was told of.
async fn log_in_on(
    store: Arc<impl SessionStore>,
    worker: usize,
    stop: Arc<AtomicBool>,
) -> Vec<(String, Address)> {
    let mut told = Vec::new();
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let user = store.user(&format!("user {worker}.{}", n % 50)).unwrap();
        let (new, moved, ended) = (login_of(&user), login_of(&user).at, login_of(&user));
        // Failures are part of it; only what was acknowledged counts.
        let _ = store.create(&new).await;
        if let Ok(Rotated::Done { .. }) = store.rotate(new.at, moved.digest).await {
            told.push((user.id.to_string(), moved));
        }
        let _ = store.create(&ended).await;
        let _ = store.end(ended.at).await;
    }
    told
}

/// Whether each user's index holds exactly that user's records.
async fn index_is_true(server: &RedisServer) {
    let mut records = BTreeSet::new();
    for key in ask::<Vec<String>>(server, &["KEYS", "*:s:*"]).await {
        let owner: Option<String> = ask(server, &["HGET", &key, "~k"]).await;
        let digest = key.rsplit(':').next().unwrap().to_owned();
        records.extend(owner.map(|owner| (owner, digest)));
    }
    let mut entries = BTreeSet::new();
    for key in ask::<Vec<String>>(server, &["KEYS", "*:u:*"]).await {
        let owner = key.rsplit(':').next().unwrap();
        let digests: Vec<String> = ask(server, &["ZRANGE", &key, "0", "-1"]).await;
        entries.extend(digests.into_iter().map(|digest| (owner.to_owned(), digest)));
    }
    let differ: Vec<_> = entries.symmetric_difference(&records).collect();
    assert!(
        differ.is_empty(),
        "in the index or a record, not in both: {differ:?}"
    );
}

/// Half of a script may leave a ghost in the index, but no session outside it: that one would
/// escape every revocation.
#[tokio::test]
async fn an_entry_comes_before_its_record_and_leaves_after_it() {
    let server = RedisServer::start().await;
    let store = instance(&server, "").await;
    let limited = || login(&store, "alice").limited(1, OnLimit::EvictOldest);
    let [evicted, rotated, retired, ended] = [(); 4].map(|()| limited());
    let (to, alice) = (limited().at, store.user("alice"));
    let monitor = server.monitor().await;
    store.create(&evicted).await;
    store.create(&rotated).await;
    store.rotate(rotated.at, to.digest).await;
    store.create(&retired).await;
    store.retire(retired.at, 1).await;
    store.create(&ended).await;
    store.end(ended.at).await;
    store.create(&limited()).await;
    store.revoke(&alice, Which::All).await;
    let said = String::from_utf8(monitor.finish().await).unwrap();
    let mut listed = BTreeSet::new();
    for line in said.lines().filter(|line| line.contains(" lua] ")) {
        let words: Vec<_> = line.split('"').skip(1).step_by(2).collect();
        let digest = |key: &str| key.rsplit(':').next().unwrap().to_owned();
        match words[..] {
            ["ZADD", _, "NX", _, digest] => assert!(listed.insert(digest.to_owned())),
            ["ZREM", _, digest] => assert!(listed.remove(digest)),
            ["HSET" | "DEL", key, ..] => assert!(listed.contains(&digest(key)), "{line}"),
            ["COPY", _, key] => assert!(listed.contains(&digest(key)), "{line}"),
            _ => {}
        }
    }
    assert_eq!(said.matches("\"ZADD\"").count(), 6);
    assert_eq!(listed, BTreeSet::new());
}

/// An index is nothing that can't be told from the records; the next write of each session
/// enters it again.
#[tokio::test]
async fn an_index_that_was_lost_is_found_again() {
    let server = RedisServer::start().await;
    let store = instance(&server, "").await;
    let alice = store.user("alice");
    let sessions = [(); 3].map(|()| login(&store, "alice"));
    for new in &sessions {
        store.create(new).await;
    }
    let before = store.list(&alice).await;
    let index: Vec<String> = ask(&server, &["KEYS", "*:u:*"]).await;
    server.command(&["DEL", &index[0]]).await;
    assert_eq!(store.list(&alice).await, []);
    for new in sessions.iter().rev() {
        store.commit(new.at, &set("a", "1")).await;
    }
    let handles = |listed: &[Listed]| listed.iter().map(|l| l.handle).collect::<BTreeSet<_>>();
    assert_eq!(handles(&store.list(&alice).await), handles(&before));
    index_is_true(&server).await;
    let left: i64 = ask(&server, &["PTTL", &index[0]]).await;
    assert!(left > 11 * 60 * 60 * 1000, "it outlives them: {left} ms");
    assert_eq!(store.revoke(&alice, Which::All).await, 3);
}
