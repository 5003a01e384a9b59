//! What a person can do to the balancer's instances.

use std::collections::BTreeSet;

use cloakroom_testkit::eventually;
use reqwest::Method;
use serde_json::Value;

use crate::fleet::support::{Browser, Fleet, LIMIT, check_members, fetch};

async fn act(fleet: &Fleet, index: usize, action: &str) -> Value {
    let path = format!("/admin/instances/{index}/{action}");
    let browser = Browser::without_jar(&fleet.url);
    browser.post(&path, &[]).await.is(200).json()
}

async fn instance(fleet: &Fleet, index: usize) -> Value {
    let browser = Browser::without_jar(&fleet.url);
    browser.get("/admin/state").await.is(200).json()["instances"][index].clone()
}

/// Who answers a run of requests, all of them as the same user.
async fn answering(browser: &Browser) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for _ in 0..12 {
        let me = browser.get("/me").await.is(200).json();
        assert_eq!(me["user"], "alice");
        seen.insert(me["instance"].as_str().unwrap().to_owned());
    }
    seen
}

#[tokio::test]
async fn the_state_names_all_that_the_page_shows() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    browser.get("/anon").await.is(200);
    let state = browser.get("/admin/state").await.is(200);
    let state = state.object(&["split", "store", "instances", "recent"]);
    assert_eq!(state["store"]["kind"], "memory");
    let instances = state["instances"].as_array().unwrap();
    assert_eq!(instances.len(), 4);
    for instance in instances {
        let members = [
            "index", "name", "version", "colour", "port", "state", "ready", "requests",
        ];
        check_members(instance, &members);
        assert_eq!(instance["state"], "running");
    }
    let recent = state["recent"].as_array().unwrap();
    assert_eq!(recent.last().unwrap()["path"], "/anon");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_survives_whoever_stops_and_starts() {
    let fleet = Fleet::start().await;
    let alice = Browser::new(&fleet.url);
    alice.log_in("alice").await;
    for index in 0..3 {
        assert_eq!(act(&fleet, index, "stop").await["state"], "stopped");
    }
    assert_eq!(answering(&alice).await, BTreeSet::from(["green-2".into()]));
    assert_eq!(act(&fleet, 0, "start").await["state"], "running");
    act(&fleet, 3, "stop").await;
    assert_eq!(answering(&alice).await, BTreeSet::from(["blue-1".into()]));
    act(&fleet, 0, "stop").await;
    let answer = alice.get("/me").await.is(503);
    answer.complains("no instance");
    for index in 0..4 {
        act(&fleet, index, "start").await;
    }
    assert_eq!(answering(&alice).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_instance_leaves_the_rotation_and_comes_back() {
    let fleet = Fleet::start().await;
    let alice = Browser::new(&fleet.url);
    alice.log_in("alice").await;
    assert_eq!(act(&fleet, 1, "pause").await["state"], "paused");
    let out = || async { instance(&fleet, 1).await["ready"] == false };
    assert!(eventually(LIMIT, out).await, "it still takes part");
    let seen = answering(&alice).await;
    assert!(!seen.contains("blue-2") && seen.len() == 3, "{seen:?}");
    let resumed = act(&fleet, 1, "resume").await;
    assert_eq!(
        (&resumed["state"], &resumed["ready"]),
        (&"running".into(), &true.into())
    );
    assert_eq!(answering(&alice).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_paused_instance_holds_is_answered_when_it_goes_on() {
    let fleet = Fleet::start_with(&["--instances", "1"]).await;
    let alice = Browser::new(&fleet.url);
    alice.log_in("alice").await;
    act(&fleet, 0, "pause").await;
    let held = tokio::spawn({
        let alice = alice.clone();
        async move { alice.user().await }
    });
    // The balancer has given up on the instance, but not on what it had sent there before.
    let out = || async { instance(&fleet, 0).await["ready"] == false };
    assert!(eventually(LIMIT, out).await, "it still takes part");
    act(&fleet, 0, "resume").await;
    assert_eq!(held.await.unwrap().as_deref(), Some("alice"));
}

#[tokio::test]
async fn actions_that_make_no_sense_are_told_so() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    let post = async |path: &str| browser.post(path, &[]).await;
    post("/admin/instances/4/stop")
        .await
        .is(404)
        .complains("0 to 3");
    post("/admin/instances/x/stop").await.is(404);
    post("/admin/instances/0/explode")
        .await
        .is(404)
        .complains("stop, start");
    act(&fleet, 0, "stop").await;
    act(&fleet, 0, "stop").await;
    post("/admin/instances/0/pause")
        .await
        .is(409)
        .complains("start it first");
    post("/admin/nothing").await.is(404);
    browser.get("/admin/split").await.is(405);
    for wrong in [
        "",
        "{}",
        r#"{"green":101}"#,
        r#"{"green":-1}"#,
        r#"{"green":"5"}"#,
    ] {
        let split = browser.request(Method::POST, "/admin/split").body(wrong);
        fetch(split).await.is(400).complains("0 to 100");
    }
}

#[tokio::test]
async fn other_sites_can_not_reach_the_admin_routes() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    let elsewhere = [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("host", "evil.example"),
    ];
    for (name, value) in elsewhere {
        for path in ["/admin/split", "/admin/instances/0/stop"] {
            let request = browser.request(Method::POST, path).header(name, value);
            let answer = fetch(request.body(r#"{"green":100}"#)).await;
            assert_eq!(answer.status, 403, "{name}: {value}");
            answer.complains("admin routes");
        }
    }
    assert_eq!(instance(&fleet, 0).await["state"], "running");
    let own = browser.request(Method::POST, "/admin/split");
    let own = own.header("origin", fleet.url.as_str());
    fetch(own.body(r#"{"green":5}"#)).await.is(200);
}
