//! Overlapping writes of one session: none is lost.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::Method;

use super::rounds;
use crate::fleet::support::{Browser, Nodes, fetch};

/// A logged-in browser on the first of three nodes.
async fn log_in(fleet: &Nodes, number: usize) -> Browser {
    let browser = Browser::new(fleet.url(0));
    browser.log_in(&format!("user-{number}")).await;
    browser
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_increments_give_sixty_four() {
    let fleet = Nodes::three().await;
    rounds(1, async |number| {
        let browser = log_in(&fleet, number).await;
        let counts = join_all((0..64).map(async |turn| {
            let browser = browser.at(fleet.url(turn));
            browser.post("/counter", &[]).await.is(200).json()["n"]
                .as_u64()
                .unwrap()
        }));
        let counts: BTreeSet<_> = counts.await.into_iter().collect();
        assert_eq!(counts, (1..=64).collect(), "round {number}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_attributes_survive_each_other() {
    let fleet = Nodes::three().await;
    rounds(1, async |number| {
        let browser = log_in(&fleet, number).await;
        join_all((0..50).map(async |turn| {
            let path = format!("/attr/{turn}");
            let put = browser.at(fleet.url(turn)).request(Method::PUT, &path);
            fetch(put.body(turn.to_string())).await.is(204);
        }))
        .await;
        let found = join_all((0..50).map(async |turn| {
            let browser = browser.at(fleet.url(turn + 1));
            let value = browser.get(&format!("/attr/{turn}")).await;
            usize::from(value.status == 200 && value.text() == turn.to_string())
        }));
        assert_eq!(found.await.iter().sum::<usize>(), 50, "round {number}");
    })
    .await;
}
