//! Tasks that read what they know, as long as a test breaks what it breaks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cloakroom_core::{Address, Committed, Freshness, Loaded, SessionStore};
use cloakroom_redis::RedisStore;
use cloakroom_testkit::conformance::draft::{CAP, Draft, anonymous, set};
use cloakroom_testkit::{RedisServer, eventually};
use futures_util::future::join_all;
use tokio::task::JoinHandle;

use crate::store::support::{LIMIT, ask};

/// What one task saw.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) reads: u64,
    pub(crate) errors: u64,
    /// What the errors said.
    pub(crate) said: BTreeSet<String>,
    /// Answers that can't be: another session's value, or that a session is gone.
    pub(crate) wrong: Vec<String>,
    /// The longest time from one answer to the next.
    pub(crate) gap: Duration,
}

/// Tasks that read, each its own sessions.
pub(crate) struct Readers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Seen>>,
}

impl Readers {
    /// Makes two sessions of one bucket for each of so many tasks, spread over all buckets, and
    /// begins to read.
    pub(crate) async fn start(store: &Arc<RedisStore>, tasks: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut running = Vec::new();
        for task in 0..tasks {
            let mut known = Vec::new();
            let bucket = store.buckets().get(task * store.buckets().len() / tasks);
            for n in 0..2u16 {
                let value = format!("\"{task}.{n}\"");
                let new = anonymous(bucket.unwrap()).with("known", value.clone());
                store.create(&new).await.unwrap();
                known.push((new.at, value));
            }
            let reader = read(Arc::clone(store), known, Arc::clone(&stop));
            running.push(tokio::spawn(reader));
        }
        let tasks = running;
        Self { stop, tasks }
    }

    /// Ends all; fails unless every task read to the end and read nothing wrong.
    pub(crate) async fn finish(self, what: &str) -> Vec<Seen> {
        self.stop.store(true, Ordering::SeqCst);
        let limit = Duration::from_secs(30);
        let ended = tokio::time::timeout(limit, join_all(self.tasks)).await;
        let seen: Vec<_> = ended.expect("a task is stuck").into_iter().collect();
        let seen: Vec<Seen> = seen.into_iter().map(Result::unwrap).collect();
        let wrong: Vec<_> = seen.iter().flat_map(|seen| &seen.wrong).collect();
        let (reads, errors): (u64, u64) = seen
            .iter()
            .fold((0, 0), |(r, e), seen| (r + seen.reads, e + seen.errors));
        let gap = seen.iter().map(|seen| seen.gap).max().unwrap();
        let said: BTreeSet<_> = seen.iter().flat_map(|seen| &seen.said).collect();
        println!(
            "{what}: {reads} reads, {errors} errors, {} wrong, longest gap {gap:?}: {said:#?}",
            wrong.len()
        );
        assert!(wrong.is_empty(), "{wrong:?}");
        seen
    }
}

async fn read(
    store: Arc<RedisStore>,
    known: Vec<(Address, String)>,
    stop: Arc<AtomicBool>,
) -> Seen {
    let mut seen = Seen {
        reads: 0,
        errors: 0,
        said: BTreeSet::new(),
        wrong: Vec::new(),
        gap: Duration::ZERO,
    };
    let mut last = Instant::now();
    // To the end, and then once more each: nobody is left behind.
    let mut left = known.len();
    for (at, value) in known.iter().cycle() {
        match store.load(*at, Freshness::NOW).await {
            Ok(loaded) => {
                seen.reads += 1;
                seen.gap = seen.gap.max(last.elapsed());
                last = Instant::now();
                if stop.load(Ordering::SeqCst) {
                    left -= 1;
                }
                seen.wrong.extend(wrong(&loaded, value));
            }
            Err(error) => {
                assert!(error.is_unavailable(), "{error}");
                seen.errors += 1;
                seen.said.insert(error.to_string());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    seen
}

fn wrong(loaded: &Loaded, value: &str) -> Option<String> {
    let held = match loaded {
        Loaded::Found { record, .. } => record.attributes.raw("known"),
        _ => None,
    };
    let right = held.is_some_and(|held| *held == value);
    (!right).then(|| format!("{value}: {loaded:?}"))
}

/// Tasks that count in a session each, one write after the other.
pub(crate) struct Writers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<(u64, u64)>>,
    sessions: Vec<Address>,
}

impl Writers {
    pub(crate) async fn start(store: &Arc<RedisStore>, tasks: u16) -> Self {
        let (stop, mut sessions) = (Arc::new(AtomicBool::new(false)), Vec::new());
        let mut running = Vec::new();
        for task in 0..tasks {
            let bucket = store.buckets().of_hash(u64::from(task) * 7);
            let new = anonymous(bucket);
            store.create(&new).await.unwrap();
            sessions.push(new.at);
            running.push(tokio::spawn(write(
                Arc::clone(store),
                new.at,
                Arc::clone(&stop),
            )));
        }
        Self {
            stop,
            tasks: running,
            sessions,
        }
    }

    /// Ends all; fails if an acknowledged write is lost or any was made twice.
    pub(crate) async fn finish(self, store: &RedisStore, what: &str) {
        self.stop.store(true, Ordering::SeqCst);
        let (mut all, mut unknown) = (0, 0);
        for (task, at) in self.tasks.into_iter().zip(self.sessions) {
            let (done, open) = task.await.unwrap();
            let Loaded::Found { record, .. } = store.load(at, Freshness::NOW).await.unwrap() else {
                panic!("a session is lost");
            };
            let made = record.revision - 1;
            assert!(
                (done..=done + open).contains(&made),
                "{made} of {done} acknowledged and {open} unknown"
            );
            (all, unknown) = (all + done, unknown + open);
        }
        println!("{what}: {all} writes, {unknown} refused or unknown");
    }
}

/// How many writes were acknowledged, and of how many nobody knows.
async fn write(store: Arc<RedisStore>, at: Address, stop: Arc<AtomicBool>) -> (u64, u64) {
    let (mut done, mut unknown) = (0, 0);
    while !stop.load(Ordering::SeqCst) {
        match store.commit(at, &set("n", "1"), CAP).await {
            Ok(Committed::Done { .. }) => done += 1,
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                assert!(error.is_unavailable(), "{error}");
                unknown += 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    (done, unknown)
}

/// Waits until a master's replicas have all that the master has now.
pub(crate) async fn replicated(master: &RedisServer) {
    let info = async || ask::<String>(master, &["INFO", "replication"]).await;
    let now = numbers(&info().await, "master_repl_offset:");
    let in_step = || async {
        let offsets = numbers(&info().await, ",offset=");
        !offsets.is_empty() && offsets.iter().all(|offset| *offset >= now[0])
    };
    assert!(eventually(LIMIT, in_step).await, "{}", master.log());
}

/// The numbers that follow these words.
fn numbers(info: &str, words: &str) -> Vec<u64> {
    let number = |rest: &str| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    };
    info.split(words).skip(1).filter_map(number).collect()
}
