//! An instance says that it is ready only when it is.

use std::time::Duration;

use cloakroom_testkit::{RedisServer, eventually, free_port};
use reqwest::Method;

use crate::fleet::support::{Browser, LIMIT, NodeSpec, Nodes, fetch, try_fetch};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_answer_of_a_new_node_can_be_relied_on() {
    let fleet = Nodes::start(&["v1"]).await;
    let alice = Browser::new(fleet.url(0));
    alice.log_in("alice").await;
    for version in ["v1", "v2", "v1"] {
        let mut spec = NodeSpec::new(version, &fleet.redis.url());
        spec.port = free_port();
        let _node = spec.launch();
        let alice = alice.at(&format!("http://127.0.0.1:{}", spec.port));
        let ready = || async {
            match try_fetch(alice.request(Method::GET, "/healthz")).await {
                Ok(health) => health.status == 200,
                Err(error) if error.is_connect() => false,
                Err(error) => panic!("neither refused nor answered: {error:?}"),
            }
        };
        assert!(eventually(LIMIT, ready).await, "it does not come up");
        assert_eq!(alice.user().await.as_deref(), Some("alice"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_drains_is_not_ready_and_serves_on() {
    let redis = RedisServer::start().await;
    let mut spec = NodeSpec::new("v1", &redis.url());
    spec.drain_ms = Some(3_000);
    let node = spec.start().await;
    let alice = Browser::new(&node.url);
    alice.log_in("alice").await;
    assert_eq!(alice.get("/healthz").await.is(200).json()["ready"], true);
    let served = async {
        let drains = || async { alice.get("/healthz").await.status == 503 };
        assert!(eventually(LIMIT, drains).await, "it stays ready");
        let answer = alice.get("/healthz").await.is(503);
        assert_eq!(answer.header("connection"), Some("close"));
        let health = answer.json();
        assert_eq!(
            (&health["ready"], &health["store"]),
            (&false.into(), &"up".into())
        );
        assert_eq!(alice.user().await.as_deref(), Some("alice"));
        // A client that comes late, over a connection of its own.
        Browser::new(&node.url).log_in("bob").await;
    };
    let (status, ()) = tokio::join!(node.process.terminate(), served);
    assert!(status.success(), "{}", node.process.output());
    let late = try_fetch(alice.request(Method::GET, "/healthz")).await;
    assert!(late.is_err_and(|error| error.is_connect()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_open_is_finished_before_a_node_ends() {
    let fleet = Nodes::start(&["v2"]).await;
    let mut spec = NodeSpec::new("v1", &fleet.redis.url());
    spec.drain_ms = Some(1_000);
    let node = spec.start().await;
    let alice = Browser::new(&node.url);
    alice.log_in("alice").await;
    // Accepted while the node drains at the latest, and open for longer than that.
    let slow = alice.request(Method::POST, "/slow?ms=2500&key=late&value=written");
    let (slow, status) = tokio::join!(fetch(slow), node.process.terminate());
    slow.is(204);
    assert!(status.success(), "{}", node.process.output());
    let late = alice.at(fleet.url(0)).get("/attr/late").await;
    assert_eq!(late.is(200).text(), "written");
}

/// A store that is down is no reason to turn strangers away: a balancer would take all
/// instances out at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_tells_of_a_lost_store_and_stays_ready() {
    let fleet = Nodes::start(&["v1"]).await;
    let browser = Browser::new(fleet.url(0));
    let says = async |store: &str| {
        let said = || async {
            let health = browser.get("/healthz").await.is(200).json();
            health["ready"] == true && health["store"] == store
        };
        eventually(Duration::from_secs(10), said).await
    };
    assert!(says("up").await);
    fleet.redis.kill();
    assert!(says("down").await, "it does not notice");
    fleet.redis.restart().await;
    assert!(says("up").await, "it does not recover");
}
