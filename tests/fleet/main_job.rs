//! The main job: one command, no server, and a login that every instance knows.

use std::collections::BTreeMap;

use cloakroom_testkit::Process;
use serde_json::Value;

use crate::fleet::support::{Browser, Fleet, LIMIT, PROGRAM};

/// How often each name comes up in one member of the answers.
fn tally(answers: &[Value], member: &str) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for answer in answers {
        let name = answer[member].as_str().unwrap().to_owned();
        *tally.entry(name).or_default() += 1;
    }
    tally
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_login_is_known_to_all_four_instances() {
    let fleet = Fleet::start().await;
    let alice = Browser::new(&fleet.url);
    alice.log_in("alice").await;
    let mut answers = Vec::new();
    for _ in 0..40 {
        answers.push(alice.get("/me").await.is(200).json());
    }
    let (instances, versions) = (tally(&answers, "instance"), tally(&answers, "version"));
    println!(
        "40 × /me: {:?} {instances:?} {versions:?}",
        tally(&answers, "user")
    );
    assert_eq!(
        tally(&answers, "user"),
        BTreeMap::from([("alice".into(), 40)])
    );
    assert_eq!(
        instances.keys().collect::<Vec<_>>(),
        ["blue-1", "blue-2", "green-1", "green-2"]
    );
    assert_eq!(versions.keys().collect::<Vec<_>>(), ["v1", "v2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_cookie_jar_is_someone_else() {
    let fleet = Fleet::start().await;
    let (alice, other) = (Browser::new(&fleet.url), Browser::new(&fleet.url));
    alice.log_in("alice").await;
    assert_eq!(other.user().await, None);
    other.log_in("bob").await;
    for _ in 0..8 {
        assert_eq!(alice.user().await.as_deref(), Some("alice"));
        assert_eq!(other.user().await.as_deref(), Some("bob"));
    }
    assert_ne!(alice.id(), other.id());
}

#[tokio::test]
async fn the_first_line_is_the_pages_address() {
    let script = "exec \"$0\" --port 0 2>/dev/null";
    let fleet = Process::builder("sh")
        .args(["-c", script, PROGRAM])
        .env_remove("REDIS_URL")
        .start();
    let first = fleet.wait_for_line(|_| true, LIMIT).await;
    let (_, url) = first.split_at(first.find("http://").unwrap());
    let page = Browser::new("").get(url).await.is(200);
    assert!(
        page.text().starts_with("<!doctype html>"),
        "{}",
        page.text()
    );
}

#[tokio::test]
async fn there_are_as_many_instances_as_were_asked_for() {
    for (count, blue) in [(1, 1), (3, 2), (8, 4)] {
        let fleet = Fleet::start_with(&["--instances", &count.to_string()]).await;
        let browser = Browser::new(&fleet.url);
        let mut answers = Vec::new();
        for _ in 0..count * 2 {
            answers.push(browser.get("/anon").await.is(200).json());
        }
        let instances = tally(&answers, "instance");
        assert_eq!(instances.len(), count);
        assert!(instances.values().all(|turns| *turns == 2), "{instances:?}");
        assert_eq!(tally(&answers, "version")["v1"], blue * 2);
    }
}
