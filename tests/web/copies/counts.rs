//! What requests cost where copies are kept.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cloakroom_testkit::RedisServer;
use tokio::time::sleep;

use super::Near;
use crate::web::support::Browser;

/// What renewals send, and nothing else does.
const RENEWALS: [&str; 3] = ["get", "persist", "echo"];

/// What was sent since the last look: renewals, and everything else.
async fn sent(server: &RedisServer) -> (u64, BTreeMap<String, u64>) {
    let mut sent = server.command_stats().await;
    let renewals = sent.remove("echo").unwrap_or(0);
    sent.retain(|name, _| !RENEWALS.contains(&&**name));
    server.reset_stats().await;
    (renewals, sent)
}

async fn logged_in(instances: &[Near], count: usize) -> Vec<Browser> {
    let mut browsers = Vec::new();
    for n in 0..count {
        let mut browser = Browser::new();
        browser
            .log_in(&instances[0].app, &format!("user-{n}"))
            .await;
        browsers.push(browser);
    }
    browsers
}

/// Reads each session on each instance.
async fn read_all(instances: &[Near], browsers: &mut [Browser]) {
    for near in instances {
        for browser in &mut *browsers {
            assert!(browser.user(&near.app).await.is_some());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_reads_on_four_instances_cost_nothing() {
    let server = RedisServer::start().await;
    let instances = Near::many(&server.url(), 4).await;
    let mut browsers = logged_in(&instances, 250).await;
    read_all(&instances, &mut browsers).await;
    sent(&server).await;
    read_all(&instances, &mut browsers).await;
    let (renewals, others) = sent(&server).await;
    println!("1,000 reads of 250 sessions on 4 instances: {others:?}, beside {renewals} renewals");
    assert_eq!(others, BTreeMap::new());
    let hits: u64 = instances
        .iter()
        .map(|n| n.sessions.near_stats().unwrap().hits)
        .sum();
    assert!(hits >= 1000, "{hits}");
}

/// The cost of trust, by time and instances alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewals_do_not_depend_on_the_number_of_sessions() {
    let server = RedisServer::start().await;
    let instances = Near::many(&server.url(), 4).await;
    let mut rates = Vec::new();
    for count in [10, 1000] {
        let mut browsers = logged_in(&instances, count).await;
        read_all(&instances, &mut browsers).await;
        sent(&server).await;
        let begun = Instant::now();
        sleep(Duration::from_secs(3)).await;
        let (renewals, others) = sent(&server).await;
        let each = renewals as f64 / begun.elapsed().as_secs_f64() / 4.0;
        println!("{count} sessions: {renewals} renewals, {each:.2} a second and instance");
        assert_eq!(others, BTreeMap::new());
        rates.push(each);
    }
    // One each 300 ms; a busy machine may make fewer, and nothing makes more.
    assert!(
        rates.iter().all(|rate| (0.5..=3.6).contains(rate)),
        "{rates:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_writes_are_a_thousand_scripts() {
    let server = RedisServer::start().await;
    let instances = Near::many(&server.url(), 4).await;
    let mut browsers = logged_in(&instances, 4).await;
    for (near, browser) in instances.iter().zip(&mut browsers) {
        assert!(browser.user(&near.app).await.is_some());
    }
    for path in ["/attr/k", "/lazy/k"] {
        sent(&server).await;
        for n in 0..1000 {
            // Sessions that are read stay on an instance, for what they wrote is in its own copy;
            // writes that read nothing go to any.
            let on = if path == "/attr/k" { n } else { n / 4 };
            let near = &instances[on % 4];
            let answer = browsers[n % 4].put(&near.app, path, &n.to_string()).await;
            answer.is(200);
        }
        let (_, mut others) = sent(&server).await;
        others.retain(|name, _| !IN_SCRIPTS.contains(&&**name));
        println!("1,000 times PUT {path}: {others:?}");
        assert_eq!(others, BTreeMap::from([("evalsha".to_owned(), 1000)]));
    }
}

/// What the commit's script does inside the server.
const IN_SCRIPTS: [&str; 10] = [
    "hmget", "hset", "hstrlen", "hexists", "pexpire", "pttl", "publish", "time", "zadd", "incr",
];
