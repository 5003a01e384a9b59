//! A process that stands still while others end its sessions.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use tokio::time::sleep_until;

use crate::fleet::support::{Browser, Nodes, fetch};

/// The demo keeps the default.
const MAX_STALENESS: Duration = Duration::from_secs(1);

/// Requests that wait for the process when it wakes.
const WAITING: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_paused_serves_no_session_that_ended_meanwhile() {
    let fleet = Nodes::start(&["v1", "v2"]).await;
    for _ in 0..3 {
        let alice = Browser::new(fleet.url(0));
        alice.log_in("alice").await;
        let id = alice.id().unwrap();
        // Near copies of it, and requests in a row: nothing is cold when it stops.
        for _ in 0..20 {
            assert_eq!(alice.user().await.as_deref(), Some("alice"));
        }
        fleet.nodes[0].process.pause();
        alice.at(fleet.url(1)).post("/logout", &[]).await.is(204);
        let acknowledged = Instant::now();
        sleep_until((acknowledged + MAX_STALENESS).into()).await;

        let thief = Browser::without_jar(fleet.url(0));
        let ask = |_| tokio::spawn(fetch(thief.with_id(Method::GET, "/me", &id)));
        let waiting: Vec<_> = (0..WAITING).map(ask).collect();
        // Long enough for most of them to be in its sockets; those that come later count as well.
        sleep_until((acknowledged + MAX_STALENESS + Duration::from_millis(100)).into()).await;
        fleet.nodes[0].process.resume();
        for answer in join_all(waiting).await {
            assert_eq!(answer.unwrap().status, 401);
        }
    }
}
