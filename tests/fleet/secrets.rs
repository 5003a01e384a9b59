//! No id, and no attribute's value, in logs at the level TRACE; no id in what Redis sees.

use std::collections::BTreeSet;

use cloakroom_testkit::{RedisServer, eventually};
use reqwest::Method;

use crate::fleet::support::{Browser, Events, Fleet, LIMIT, Node, NodeSpec, fetch, program};

/// Stands in attributes, and nowhere else.
const VALUE: &str = "planted-value-of-an-attribute";

/// Stands in a cookie that is no id.
const NO_ID: &str = "planted-cookie-that-is-no-id";

/// Every id that was ever issued or sent.
#[derive(Default)]
struct Ids(BTreeSet<String>);

impl Ids {
    fn note(&mut self, browser: &Browser) -> String {
        let id = browser.id().unwrap();
        self.0.insert(id.clone());
        id
    }

    /// How an id may be written.
    fn forms(id: &str) -> Vec<String> {
        let decimals: Vec<_> = id.bytes().map(|byte| byte.to_string()).collect();
        let hex: String = id.bytes().map(|byte| format!("{byte:02x}")).collect();
        // Half of an id is bad enough.
        let (first, last) = id.split_at(id.len() / 2);
        vec![first.into(), last.into(), decimals.join(", "), hex]
    }

    fn are_not_in(&self, what: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        for form in self.0.iter().flat_map(|id| Self::forms(id)) {
            if let Some(line) = text.lines().find(|line| line.contains(&form)) {
                panic!("{what} holds {form}: {line}");
            }
        }
    }
}

/// The life of an account: two devices, all kinds of reads and writes, all ways to end.
async fn live(url: &str, ids: &mut Ids) {
    let (phone, laptop) = (Browser::new(url), Browser::new(url));
    phone.post("/cart", &[("item", VALUE)]).await.is(200);
    ids.note(&phone);
    for browser in [&phone, &laptop] {
        browser.log_in("alice").await;
        ids.note(browser);
    }
    phone.get("/me").await.is(200);
    phone.put("/attr/k", VALUE).await.is(204);
    phone.get("/attr/k").await.is(200);
    phone.post("/counter", &[]).await.is(200);
    let slow = format!("/slow?ms=1&key=k&value={VALUE}");
    fetch(phone.request(Method::POST, &slow)).await.is(204);
    phone.get("/devices").await.is(200);
    let mut events = Events::open(&laptop).await;
    events.next().await;
    phone.post("/logout-others", &[]).await.is(200);
    assert_eq!(events.next().await.unwrap().0, "revoked");
    phone.log_in("bob").await;
    ids.note(&phone);
    phone.post("/logout-everywhere", &[]).await.is(200);
    laptop.log_in("alice").await;
    ids.note(&laptop);
    laptop.post("/logout", &[]).await.is(204);
}

/// Cookies that lead nowhere: ended, forged, malformed, two at once.
async fn knock(url: &str, ids: &mut Ids) {
    let ended = ids.0.first().unwrap().clone();
    let swap = |id: &str| id.chars().rev().collect::<String>();
    let tampered = format!("{}{}", &ended[..ended.len() - 4], "AAAA");
    ids.0.insert(tampered.clone());
    let browser = Browser::without_jar(url);
    for id in [
        ended.as_str(),
        &tampered,
        &swap(&ended),
        NO_ID,
        &format!("{ended}; id={tampered}"),
    ] {
        fetch(browser.with_id(Method::GET, "/me", id)).await.is(401);
        // An id that a newer one replaced ends nothing, and its sender is told; one whose session
        // ended is told that all is done. Which of them comes first here is left to chance.
        let answer = fetch(browser.with_id(Method::POST, "/logout", id)).await;
        let status = answer.status;
        assert!(status == 204 || (status == 409 && id == ended), "{status}");
    }
}

/// A store that goes away and comes back.
async fn lose_the_store(node: &Node, redis: &RedisServer, ids: &mut Ids) {
    let browser = Browser::new(&node.url);
    browser.log_in("carol").await;
    ids.note(&browser);
    redis.kill();
    browser.get("/me").await.is(503);
    browser.post("/cart", &[("item", VALUE)]).await.is(503);
    redis.restart().await;
    let again = || async { browser.get("/me").await.status == 401 };
    assert!(eventually(LIMIT, again).await, "it does not come back");
    // Redis kept nothing; the node needs nothing that it kept.
    browser.log_in("carol").await;
    ids.note(&browser);
    assert_eq!(browser.user().await.as_deref(), Some("carol"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_logs_nor_redis_hold_an_id() {
    let redis = RedisServer::start().await;
    let mut spec = NodeSpec::new("v2", &redis.url());
    spec.log = Some("trace");
    let node = spec.start().await;
    let (monitor, mut ids) = (redis.monitor().await, Ids::default());
    live(&node.url, &mut ids).await;
    knock(&node.url, &mut ids).await;
    let survivor = Browser::new(&node.url);
    survivor.log_in("dave").await;
    ids.note(&survivor);
    let (seen, file) = (monitor.finish().await, redis.dump().await);
    lose_the_store(&node, &redis, &mut ids).await;
    assert!(node.process.terminate().await.success());

    let log = node.process.output();
    ids.are_not_in("what Redis saw", &seen);
    ids.are_not_in("what Redis keeps", &file);
    check_log(&log, &ids);
    // They were there to be searched: values and users stand in clear.
    assert!(holds(&seen, VALUE) && holds(&file, "dave"));
    println!(
        "{} ids in none of {} lines of TRACE, {} bytes of MONITOR, {} bytes of RDB",
        ids.0.len(),
        log.lines().count(),
        seen.len(),
        file.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_the_balancers_logs_nor_its_state_hold_an_id() {
    let fleet = Fleet::start_from(program().env("RUST_LOG", "trace")).await;
    let mut ids = Ids::default();
    live(&fleet.url, &mut ids).await;
    knock(&fleet.url, &mut ids).await;
    let state = Browser::new(&fleet.url).get("/admin/state").await.is(200);
    assert!(fleet.process.terminate().await.success());
    check_log(&fleet.process.output(), &ids);
    ids.are_not_in("the balancer's state", &state.body);
    assert!(!state.text().contains(VALUE), "the state holds a value");
}

fn holds(bytes: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(bytes).contains(text)
}

/// Checks that a log has something to say, and nothing that it must not.
fn check_log(log: &str, ids: &Ids) {
    assert!(log.contains("session created"), "nothing is logged: {log}");
    ids.are_not_in("the log", log.as_bytes());
    for planted in [VALUE, NO_ID] {
        let line = log.lines().find(|line| line.contains(planted));
        assert_eq!(line, None, "the log holds a value");
    }
}
