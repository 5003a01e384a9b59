//! A write that overlaps a logout: the session never comes back.

use std::time::Duration;

use cloakroom_testkit::eventually;
use reqwest::Method;

use super::rounds;
use crate::fleet::support::{Answer, Browser, MAX_STALENESS, Nodes, fetch, samples};

/// How long the write holds what it has read, in milliseconds.
const WAIT: u64 = 30;

/// Whether a node refuses this id as soon as near copies must have gone, and from then on.
async fn is_over(browser: &Browser, id: &str) -> bool {
    let refused = || async {
        let me = browser.with_id(Method::GET, "/me", id);
        fetch(me).await.status == 401
    };
    eventually(MAX_STALENESS, refused).await && refused().await
}

/// A session is ended on one node while another is about to write it. Returns the answer to
/// the write.
async fn round(fleet: &Nodes, browser: &Browser, number: usize) -> Answer {
    let user = format!("user-{number}");
    let login = browser
        .at(fleet.url(number))
        .request(Method::POST, "/login");
    let login = fetch(login.form(&[("user", &user)])).await.is(200);
    let id = login.new_id().unwrap().to_owned();
    let slow = format!("/slow?ms={WAIT}&key=late&value=write");
    let slow = browser
        .at(fleet.url(number + 1))
        .with_id(Method::POST, &slow, &id);
    let logout = async {
        // From before the write has read the session to after it has written.
        tokio::time::sleep(Duration::from_millis(number as u64 % (WAIT + 10))).await;
        let browser = browser.at(fleet.url(number + 2));
        fetch(browser.with_id(Method::POST, "/logout", &id))
            .await
            .is(204)
    };
    let (slow, logout) = tokio::join!(fetch(slow), logout);
    assert!([204, 401].contains(&slow.status), "{slow:?}");
    let told = [slow.new_id(), logout.new_id(), Some(&id)];
    for id in told.into_iter().flatten() {
        for node in &fleet.nodes {
            let browser = browser.at(&node.url);
            assert!(is_over(&browser, id).await, "round {number}: {id} is alive");
        }
    }
    slow
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_overlaps_a_logout_brings_nothing_back() {
    let fleet = Nodes::three().await;
    let browser = Browser::without_jar("");
    let slow = rounds(8, async |number| round(&fleet, &browser, number).await).await;
    let count = |status| slow.iter().filter(|answer| answer.status == status).count();
    let mut gone = 0.0;
    for node in &fleet.nodes {
        let metrics = browser.at(&node.url).get("/metrics").await.is(200);
        gone += samples(metrics.text())["cloakroom_gone_writes_total"];
    }
    println!(
        "{} writes around a logout: {} × 204, {} × 401, {gone} of them came after it; 0 alive",
        slow.len(),
        count(204),
        count(401)
    );
    assert!(gone > 0.0, "no write overlapped its logout");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_that_overlap_a_logout_bring_nothing_back() {
    let fleet = Nodes::three().await;
    let browser = Browser::without_jar("");
    let alive = rounds(8, async |number| {
        let user = format!("user-{number}");
        let login = browser
            .at(fleet.url(number))
            .request(Method::POST, "/login");
        let login = fetch(login.form(&[("user", &user)])).await.is(200);
        let id = login.new_id().unwrap().to_owned();
        let ask = async |turn: usize, method, path| {
            let browser = browser.at(fleet.url(number + turn));
            fetch(browser.with_id(method, path, &id)).await
        };
        let (count, put, logout) = tokio::join!(
            ask(1, Method::POST, "/counter"),
            ask(2, Method::PUT, "/attr/k"),
            ask(0, Method::POST, "/logout"),
        );
        assert_eq!(logout.status, 204);
        for answer in [&count, &put] {
            assert!(answer.status < 500, "{answer:?}");
            // Without a session a counter is counted on a new, anonymous one.
            assert_ne!(answer.new_id(), Some(id.as_str()));
        }
        let mut alive = 0;
        for turn in 0..3 {
            let browser = browser.at(fleet.url(number + turn));
            alive += usize::from(!is_over(&browser, &id).await);
        }
        alive
    });
    assert_eq!(alive.await.iter().sum::<usize>(), 0);
}
