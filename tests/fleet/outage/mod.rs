//! Redis goes away under load and comes back; the nodes stay.
//!
//! | request | while Redis is away |
//! |---|---|
//! | without a cookie, or a route that touches no session | 200, always |
//! | with a cookie | 503 with `Retry-After`, within the command timeout; the cookie is left alone |

mod balancer;
mod load;

use std::time::{Duration, Instant};

use cloakroom_testkit::{RedisServer, eventually};

use crate::fleet::support::{Browser, LIMIT, Node, NodeSpec};
use load::{Kind, Load, Shot};

/// How long any answer may take: the command timeout of one second, twice for a request that
/// reads and writes, and what a busy machine adds.
const ANSWER_LIMIT: Duration = Duration::from_secs(4);

/// How Redis goes away.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outage {
    /// Its process dies.
    Killed,
    /// Its process stands still, with all connections open.
    Hanging,
}

/// When what happened.
struct Times {
    broken: Instant,
    mending: Instant,
    mended: Instant,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_killed_under_load() {
    goes_through(Outage::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_hangs_under_load() {
    goes_through(Outage::Hanging).await;
}

async fn goes_through(outage: Outage) {
    let redis = durable().await;
    let mut nodes = Vec::new();
    for version in ["v1", "v2"] {
        nodes.push(NodeSpec::new(version, &redis.url()).start().await);
    }
    let urls: Vec<_> = nodes.iter().map(|node| node.url.clone()).collect();
    let load = Load::start(&urls).await;
    let times = break_and_mend(outage, &redis, &load, &urls).await;
    let browsers = load.browsers();
    let shots = load.stop().await;
    check(outage, &shots, &times);
    for browser in &browsers {
        check_counter(browser, &shots).await;
    }
    nodes.iter().for_each(check_log);
}

/// A Redis that has written down what it acknowledges.
async fn durable() -> RedisServer {
    RedisServer::builder()
        .arg("--appendonly", "yes")
        .arg("--appendfsync", "always")
        .start()
        .await
}

async fn break_and_mend(
    outage: Outage,
    redis: &RedisServer,
    load: &Load,
    urls: &[String],
) -> Times {
    load.has(100, Shot::is_fine).await;
    match outage {
        Outage::Killed => redis.kill(),
        Outage::Hanging => redis.pause(),
    }
    let broken = Instant::now();
    load.has(600, Shot::is_refused).await;
    let mending = Instant::now();
    match outage {
        Outage::Killed => redis.restart().await,
        Outage::Hanging => redis.resume(),
    }
    for browser in load.browsers() {
        for url in urls {
            let browser = browser.at(url);
            let serves = || async { browser.get("/me").await.status == 200 };
            assert!(eventually(LIMIT, serves).await, "{url} does not come back");
        }
    }
    let mended = Instant::now();
    load.has(100, |shot| shot.is_fine() && shot.sent >= mended)
        .await;
    Times {
        broken,
        mending,
        mended,
    }
}

fn check(outage: Outage, shots: &[Shot], times: &Times) {
    for shot in shots {
        assert!(shot.took < ANSWER_LIMIT, "{shot:?}");
        let answer = shot.answer.as_ref().unwrap_or_else(|_| panic!("{shot:?}"));
        match (shot.kind, answer.status) {
            (Kind::Stranger | Kind::Untouched, 200) | (Kind::Read | Kind::Write, 200) => {}
            (Kind::Read | Kind::Write, 503) => {
                let after = answer
                    .header("retry-after")
                    .and_then(|text| text.parse().ok());
                assert!(after.is_some_and(|seconds: u64| seconds >= 1), "{shot:?}");
                assert_eq!(answer.header("set-cookie"), None, "{shot:?}");
            }
            _ => panic!("{shot:?}"),
        }
        // A near copy may serve for as long as it is known to be true.
        let copies = Duration::from_secs(u64::from(shot.kind == Kind::Read));
        let from = times.broken + copies;
        let within = shot.sent >= from && shot.sent + shot.took <= times.mending;
        assert!(
            !within || !shot.kind.needs_store() || shot.is_refused(),
            "{shot:?}"
        );
        assert!(shot.sent < times.mended || !shot.is_refused(), "{shot:?}");
    }
    summarize(outage, shots, times);
}

fn summarize(outage: Outage, shots: &[Shot], times: &Times) {
    let during = |shot: &&Shot| shot.sent >= times.broken && shot.sent < times.mending;
    let count = |wanted: fn(&Shot) -> bool| shots.iter().filter(|shot| wanted(shot)).count();
    let slowest = |wanted: fn(&Shot) -> bool| {
        let all = shots.iter().filter(during).filter(|shot| wanted(shot));
        all.map(|shot| shot.took).max().unwrap_or_default()
    };
    println!(
        "Redis {outage:?} for {:?}: {} answers; with a cookie {} served, {} × 503, slowest {:?}; \
         without {} × 200, slowest {:?}; served again {:?} after Redis",
        times.mending - times.broken,
        shots.len(),
        count(Shot::is_fine),
        count(Shot::is_refused),
        slowest(Shot::is_refused),
        count(|shot| !shot.kind.needs_store()),
        slowest(|shot| !shot.kind.needs_store()),
        times.mended - times.mending,
    );
}

/// No acknowledged increment is lost; one whose answer was 503 may have happened or not.
async fn check_counter(browser: &Browser, shots: &[Shot]) {
    let id = browser.id().unwrap();
    let mine = || {
        shots
            .iter()
            .filter(|shot| shot.kind == Kind::Write && shot.id == id)
    };
    let acknowledged = mine().filter(|shot| shot.is_fine()).count();
    let unknown = mine().filter(|shot| shot.is_refused()).count();
    let n = browser.post("/counter", &[]).await.is(200).json()["n"]
        .as_u64()
        .unwrap();
    let before = usize::try_from(n).unwrap() - 1;
    assert!(
        (acknowledged..=acknowledged + unknown).contains(&before),
        "{before} of {acknowledged} to {unknown} more"
    );
}

/// One line when the store went, one when it came back, however many requests there were.
fn check_log(node: &Node) {
    let log = node.process.output();
    let lines = |part: &str| log.lines().filter(|line| line.contains(part)).count();
    assert_eq!(lines("store is unreachable"), 1, "{log}");
    assert_eq!(lines("store is reachable again"), 1, "{log}");
    assert!(log.lines().count() <= 8, "{log}");
    println!("{log}");
}
