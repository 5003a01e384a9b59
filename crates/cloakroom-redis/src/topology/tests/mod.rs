//! The router's rules, with servers that answer what a test wants.

mod fake;

use super::Servers;
use crate::{Command, Reply, node::Run, scripts::Script};
use bytes::Bytes;
use cloakroom_core::{Bucket, Buckets, ErrorKind, Health, Result, key_slot};
use fake::{Fake, all_on, refusal, text};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

/// The bucket that tests ask for, and its slot.
fn bucket() -> (Bucket, u16) {
    let buckets = Buckets::default();
    let bucket = buckets.get(7).unwrap();
    let tag = format!("{{{}}}", buckets.tag(bucket));
    (bucket, key_slot(tag.as_bytes()))
}

async fn get(servers: &Servers) -> Result<Vec<Reply>> {
    let get = Command::new("GET").arg("k");
    servers.pipeline(bucket().0, vec![get]).await
}

fn sent(log: &[(u16, &str)]) -> Vec<(u16, String)> {
    let owned = |(port, command): &(u16, &str)| (*port, (*command).to_owned());
    log.iter().map(owned).collect()
}

#[tokio::test]
async fn moved_is_followed_and_remembered() {
    let slot = bucket().1;
    let fake = Fake::new(move |port, command| match (port, command) {
        (_, "SLOTS") => all_on(1),
        (1, "GET k") => refusal(&format!("MOVED {slot} :2")),
        _ => Some(text("v")),
    });
    let servers = fake.cluster().await.unwrap();
    let (layout, mut generation) = (servers.layout(), servers.generation());
    assert!(layout.borrow().sharded && layout.borrow().masters.len() == 1);
    let before = *generation.borrow_and_update();
    assert_eq!(get(&servers).await.unwrap(), [text("v")]);
    assert_eq!(get(&servers).await.unwrap(), [text("v")]);
    assert_eq!(
        fake.sent(),
        sent(&[(1, "GET k"), (2, "GET k"), (2, "GET k")])
    );
    let layout = Arc::clone(&layout.borrow());
    let new = layout
        .masters
        .iter()
        .find(|m| m.endpoint.port == 2)
        .unwrap();
    assert_eq!(new.buckets, [bucket().0]);
    assert!(*generation.borrow_and_update() > before);
}

#[tokio::test]
async fn ask_is_followed_once() {
    let slot = bucket().1;
    let fake = Fake::new(move |port, command| match (port, command) {
        (_, "SLOTS") => all_on(1),
        (1, "GET k") => refusal(&format!("ASK {slot} h:2")),
        (_, "ASKING") => Some(text("OK")),
        _ => Some(text("v")),
    });
    let servers = fake.cluster().await.unwrap();
    for _ in 0..2 {
        assert_eq!(get(&servers).await.unwrap(), [text("v")]);
        let expected = [(1, "GET k"), (2, "ASKING"), (2, "GET k")];
        assert_eq!(fake.sent(), sent(&expected));
    }
    assert_eq!(servers.layout().borrow().masters.len(), 1);
}

#[tokio::test]
async fn what_was_lost_is_not_sent_again() {
    let fake = Fake::new(|_, command| match command {
        "SLOTS" => all_on(1),
        _ => None,
    });
    let servers = fake.cluster().await.unwrap();
    assert!(get(&servers).await.unwrap_err().is_unavailable());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(fake.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_never_runs_ends_with_the_deadline() {
    let slot = bucket().1;
    let there_and_back = move |port: u16| format!("MOVED {slot} h:{}", 3 - port);
    for said in [
        "TRYAGAIN x",
        "CLUSTERDOWN x",
        "LOADING x",
        "MASTERDOWN x",
        "READONLY x",
        "",
    ] {
        let fake = Fake::new(move |port, command| match (command, said) {
            ("SLOTS", _) => all_on(1),
            (_, "") => refusal(&there_and_back(port)),
            (_, said) => refusal(said),
        });
        let servers = fake.cluster().await.unwrap();
        let began = tokio::time::Instant::now();
        assert!(get(&servers).await.unwrap_err().is_unavailable(), "{said}");
        let (took, tries) = (began.elapsed(), fake.sent().len());
        assert!(took >= Duration::from_millis(900) && took < Duration::from_millis(1_100));
        assert!((10..100).contains(&tries), "{tries} tries of {said}");
    }
}

#[tokio::test]
async fn nonsense_leads_nowhere() {
    for said in ["MOVED", "MOVED 1 h:9", "ASK x h:9", "MOVED 1 u:p@h:9"] {
        let fake = Fake::new(move |_, command| match command {
            "SLOTS" => all_on(1),
            _ => refusal(said),
        });
        let servers = fake.cluster().await.unwrap();
        let error = get(&servers).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{said}");
        assert_eq!(fake.sent().len(), 1);
    }
}

#[tokio::test]
async fn a_doubt_makes_it_look_again() {
    let owner = Arc::new(AtomicU16::new(1));
    let owns = Arc::clone(&owner);
    let fake = Fake::new(move |_, command| match command {
        "SLOTS" => all_on(owns.load(Ordering::SeqCst)),
        _ => Some(text("v")),
    });
    let servers = fake.cluster().await.unwrap();
    let mut layout = servers.layout();
    layout.borrow_and_update();
    owner.store(2, Ordering::SeqCst);
    servers.doubt();
    let changed = tokio::time::timeout(Duration::from_secs(1), layout.changed());
    changed.await.unwrap().unwrap();
    let master = layout.borrow().masters[0].clone();
    assert_eq!((master.endpoint.port, master.buckets.len()), (2, 64));
    servers.connect(&master, Arc::new(|_| ())).await.unwrap();
    get(&servers).await.unwrap();
    assert_eq!(fake.sent(), sent(&[(2, "GET k")]));
    assert_eq!(
        (servers.health(), servers.publish()),
        (Health::Up, "SPUBLISH")
    );
}

/// Of a pipeline of scripts, those that did not run are run where they belong, each once.
#[tokio::test]
async fn of_many_scripts_each_runs_once() {
    let slot = bucket().1;
    let ran = Arc::new(Mutex::new(Vec::new()));
    let runs = Arc::clone(&ran);
    let fake = Fake::new(move |port, command| {
        let key = command.rsplit(' ').next().unwrap_or_default().to_owned();
        match (port, command) {
            (_, "SLOTS") => all_on(1),
            (1, _) if key == "moved" => refusal(&format!("MOVED {slot} h:2")),
            (1, _) if key == "lost" && command.starts_with("EVALSHA") => refusal("NOSCRIPT x"),
            _ => {
                runs.lock().unwrap().push((port, key));
                Some(Reply::Int(1))
            }
        }
    });
    let servers = fake.cluster().await.unwrap();
    let run = |key: &'static str| Run {
        bucket: bucket().0,
        keys: vec![Bytes::from_static(key.as_bytes())],
        argv: vec![],
    };
    let all = ["here", "lost", "moved", "too"].map(run);
    servers.run_many(Script::Touch, all.into()).await.unwrap();
    let mut ran = ran.lock().unwrap().clone();
    ran.sort();
    let mut expected: Vec<(u16, &str)> = vec![(1, "here"), (1, "lost"), (1, "too"), (2, "moved")];
    expected.sort_unstable();
    assert_eq!(ran, sent(&expected));
}
