//! A node dies right after its answer: what it answered for is there.

use serde_json::json;

use crate::fleet::support::{Browser, NodeSpec, Nodes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_kill_is_there_on_another_node() {
    let fleet = Nodes::start(&["v2"]).await;
    for round in 0..6 {
        let doomed = NodeSpec::new("v1", &fleet.redis.url()).start().await;
        let alice = Browser::new(&doomed.url);
        alice.log_in(&format!("alice-{round}")).await;
        // Each round dies after another kind of write.
        match round % 3 {
            0 => drop(alice.put("/attr/last", "word").await.is(204)),
            1 => drop(alice.post("/cart", &[("item", "hat")]).await.is(200)),
            _ => drop(alice.post("/counter", &[]).await.is(200)),
        }
        doomed.process.kill();
        let alice = alice.at(fleet.url(0));
        assert_eq!(alice.user().await, Some(format!("alice-{round}")));
        match round % 3 {
            0 => assert_eq!(alice.get("/attr/last").await.is(200).text(), "word"),
            1 => assert_eq!(alice.get("/cart").await.json()["items"], json!(["hat"])),
            _ => assert_eq!(alice.post("/counter", &[]).await.json()["n"], 2),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_and_a_logout_before_a_kill_hold() {
    let fleet = Nodes::start(&["v2"]).await;
    let doomed = NodeSpec::new("v1", &fleet.redis.url()).start().await;
    let (stays, leaves) = (Browser::new(&doomed.url), Browser::new(&doomed.url));
    leaves.log_in("leaves").await;
    let id = leaves.id().unwrap();
    stays.log_in("stays").await;
    leaves.post("/logout", &[]).await.is(204);
    doomed.process.kill();
    fleet.all_say(&stays, "stays").await;
    let thief = Browser::without_jar(fleet.url(0));
    let me = thief.with_id(reqwest::Method::GET, "/me", &id);
    crate::fleet::support::fetch(me).await.is(401);
}
