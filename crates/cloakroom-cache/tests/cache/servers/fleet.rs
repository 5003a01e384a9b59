//! Instances that are processes: this very program, which runs one test as a worker.

use super::instance::{By, LIMIT, connected, settings, store};
use cloakroom_testkit::Process;
use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What makes the worker's test work: what to do, where, and when to begin, a line each.
const JOB: &str = "CLOAKROOM_CACHE_JOB";

/// What a worker does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Job {
    /// So many tasks read one key at once.
    Stampede { tasks: usize },
    /// Holds a load lease of so long for so long.
    Hold { lease: Duration, takes: Duration },
}

/// Starts worker processes, which wait for each other.
pub(crate) struct Fleet {
    url: String,
    folder: TempDir,
}

impl Fleet {
    pub(crate) fn new(url: String) -> Self {
        let folder = TempDir::new().unwrap();
        Self { url, folder }
    }

    fn start_sign(&self) -> PathBuf {
        self.folder.path().join("go")
    }

    /// A worker that has connected.
    pub(crate) async fn worker(&self, job: Job) -> Process {
        let job = match job {
            Job::Stampede { tasks } => format!("stampede {tasks} 0"),
            Job::Hold { lease, takes } => {
                format!("hold {} {}", lease.as_millis(), takes.as_millis())
            }
        };
        let sign = self.start_sign();
        let worker = Process::builder(std::env::current_exe().unwrap())
            .args(["--exact", "servers::fleet::a_worker", "--nocapture"])
            .env(JOB, format!("{job}\n{}\n{}", self.url, sign.display()))
            .start();
        worker.wait_for_line(|line| line == "ready", LIMIT).await;
        worker
    }

    /// Lets all begin.
    pub(crate) fn go(&self) {
        std::fs::write(self.start_sign(), "").unwrap();
    }
}

/// Does nothing, unless another test started it as a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker() {
    let Ok(job) = std::env::var(JOB) else {
        return;
    };
    let mut lines = job.lines();
    let (job, url, sign) = (lines.next(), lines.next().unwrap(), lines.next().unwrap());
    let words: Vec<_> = job.unwrap().split(' ').collect();
    let number = |place: usize| words[place].parse::<u64>().unwrap();
    match words[0] {
        "stampede" => stampede(url, Path::new(sign), number(1)).await,
        _ => {
            let (lease, takes) = (number(1), number(2));
            hold(url, Path::new(sign), lease, Duration::from_millis(takes)).await;
        }
    }
}

/// Says that it is ready, and waits for the sign.
async fn ready(sign: &Path) {
    println!("\nready");
    let seen = cloakroom_testkit::eventually(LIMIT, || std::future::ready(sign.exists()));
    assert!(seen.await);
}

async fn load(value: &'static str, takes: Duration) -> Result<String, Infallible> {
    println!("loading");
    tokio::time::sleep(takes).await;
    Ok(value.to_owned())
}

async fn stampede(url: &str, sign: &Path, tasks: u64) {
    let store = connected(store(By::Redis, url)).await;
    let cache = settings(&store).build().unwrap();
    ready(sign).await;
    let one = || {
        let cache = cache.clone();
        tokio::spawn(async move {
            let began = Instant::now();
            let load = || load("hot", Duration::from_millis(100));
            let value = cache.get_or_load("k", load).await.unwrap();
            assert_eq!(*value, "hot");
            began.elapsed().as_micros().to_string()
        })
    };
    let all: Vec<_> = (0..tasks).map(|_| one()).collect();
    let mut waits = Vec::new();
    for task in all {
        waits.push(task.await.unwrap());
    }
    println!("waits {}", waits.join(" "));
}

async fn hold(url: &str, sign: &Path, lease: u64, takes: Duration) {
    let store = connected(store(By::Redis, url)).await;
    let lease = time::Duration::milliseconds(i64::try_from(lease).unwrap());
    let cache = settings(&store).lease(lease).build().unwrap();
    ready(sign).await;
    let value = cache.get_or_load("k", move || load("holder", takes)).await;
    let near = cache.near_stats().copies;
    let refused = cache.stats().refused;
    println!("loaded {} refused {refused} near {near}", value.unwrap());
}
