//! The traffic split: a client stays with its version, and only those move who must.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::fleet::support::{Browser, Fleet, fetch};

/// How many clients there are.
const CLIENTS: usize = 200;

async fn move_to(fleet: &Fleet, green: impl Into<Value>) {
    let green = green.into();
    let request = Browser::without_jar(&fleet.url)
        .request(Method::POST, "/admin/split")
        .json(&json!({ "green": green }));
    let answer = fetch(request).await.is(200);
    assert_eq!(answer.json(), json!({ "green": green }));
}

/// Whether v2 served each client, asked twice in a row.
async fn green(clients: &[Browser]) -> Vec<bool> {
    join_all(clients.iter().map(async |client| {
        let first = client.get("/anon").await.is(200).json();
        let second = client.get("/anon").await.is(200).json();
        assert_eq!(first["version"], second["version"], "a client stays");
        first["version"] == "v2"
    }))
    .await
}

fn count(green: &[bool]) -> usize {
    green.iter().filter(|green| **green).count()
}

/// How many clients went from blue to green, and how many back.
fn moves(before: &[bool], after: &[bool]) -> (usize, usize) {
    let pairs = || before.iter().zip(after);
    (
        pairs().filter(|(b, a)| !**b && **a).count(),
        pairs().filter(|(b, a)| **b && !**a).count(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moving_the_split_moves_only_as_many_as_it_must() {
    let fleet = Fleet::start_with(&["--green", "50"]).await;
    let clients: Vec<_> = (0..CLIENTS).map(|_| Browser::new(&fleet.url)).collect();
    let half = green(&clients).await;
    // Six standard deviations on either side, here and below.
    assert!(
        (58..=142).contains(&count(&half)),
        "{} of 200",
        count(&half)
    );

    move_to(&fleet, 60).await;
    let sixty = green(&clients).await;
    let (over, back) = moves(&half, &sixty);
    println!("50 → 60 %: {over} of {CLIENTS} went over, {back} back");
    assert!(
        back == 0 && (1..=46).contains(&over),
        "{over} over, {back} back"
    );

    move_to(&fleet, 50).await;
    assert_eq!(green(&clients).await, half, "everybody is where they were");
    move_to(&fleet, 0).await;
    assert_eq!(count(&green(&clients).await), 0);
    move_to(&fleet, 100).await;
    assert_eq!(count(&green(&clients).await), CLIENTS);
    move_to(&fleet, 50).await;
    assert_eq!(green(&clients).await, half, "also over 0 and 100");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_survives_the_move_to_the_other_version() {
    let fleet = Fleet::start_with(&["--green", "0"]).await;
    let alice = Browser::new(&fleet.url);
    alice.log_in("alice").await;
    for (share, version) in [(0, "v1"), (100, "v2"), (0, "v1")] {
        move_to(&fleet, share).await;
        let me = alice.get("/me").await.is(200).json();
        assert_eq!(
            (&me["user"], &me["version"]),
            (&"alice".into(), &version.into())
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_requests_go_round_the_instances_of_its_version() {
    let fleet = Fleet::start_with(&["--green", "100"]).await;
    let client = Browser::new(&fleet.url);
    let mut seen = BTreeMap::<String, usize>::new();
    for _ in 0..8 {
        let answer = client.get("/anon").await.is(200).json();
        *seen.entry(answer["instance"].to_string()).or_default() += 1;
    }
    assert_eq!(seen.into_values().collect::<Vec<_>>(), [4, 4]);
    // Without a split they go round all again.
    move_to(&fleet, Value::Null).await;
    let mut seen = BTreeMap::<String, usize>::new();
    for _ in 0..8 {
        let answer = client.get("/anon").await.is(200).json();
        *seen.entry(answer["instance"].to_string()).or_default() += 1;
    }
    assert_eq!(seen.into_values().collect::<Vec<_>>(), [2, 2, 2, 2]);
}
