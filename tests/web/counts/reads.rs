//! Requests that change nothing.

use http::Method;
use time::Duration;

use super::N;
use super::meter::Meter;
use crate::web::support::{Browser, call};

#[tokio::test]
async fn no_cookie_costs_nothing() {
    let meter = Meter::start().await;
    let cost = meter.cost(async {
        for _ in 0..N {
            Browser::new().get(&meter.app, "/info").await.is(200);
            Browser::new().get(&meter.app, "/attr/k").await.is(404);
            Browser::new().post(&meter.app, "/logout").await.is(204);
            Browser::new().delete(&meter.app, "/attr/k").await.is(200);
        }
    });
    cost.await.is(&[], 0);
}

#[tokio::test]
async fn a_session_that_is_not_touched_costs_nothing() {
    let meter = Meter::start().await;
    let mut browser = Browser::new();
    browser.log_in(&meter.app, "alice").await;
    let cost = meter.cost(async {
        for _ in 0..N {
            browser.get(&meter.app, "/anon").await.is(200);
            browser.get(&meter.app, "/unused").await.is(200);
        }
    });
    cost.await.is(&[], 0);
}

#[tokio::test]
async fn a_read_is_one_load() {
    let meter = Meter::start().await;
    let mut browser = Browser::new();
    browser.log_in(&meter.app, "alice").await;
    let cost = meter.cost(async {
        for _ in 0..N {
            assert_eq!(browser.user(&meter.app).await.as_deref(), Some("alice"));
        }
    });
    cost.await
        .is(&[("hgetall", N), ("pttl", N), ("hdel", N), ("get", N)], N);
    let mut forged = Browser::with_id(&"A".repeat(32));
    let cost = meter.cost(async { assert_eq!(forged.user(&meter.app).await, None) });
    cost.await
        .is(&[("hgetall", 1), ("pttl", 1), ("hdel", 1), ("get", 1)], 1);
}

#[tokio::test]
async fn what_changes_nothing_writes_nothing() {
    let meter = Meter::start().await;
    let mut browser = Browser::new();
    browser.put(&meter.app, "/attr/k", "same").await.is(200);
    let cost = meter.cost(async {
        for _ in 0..N {
            let answer = browser.put(&meter.app, "/attr/k", "same").await.is(200);
            assert_eq!(answer.cookies(), []);
            browser.delete(&meter.app, "/attr/absent").await.is(200);
        }
    });
    cost.await.is(
        &[
            ("hgetall", 2 * N),
            ("pttl", 2 * N),
            ("hdel", 2 * N),
            ("get", 2 * N),
        ],
        2 * N,
    );
}

/// An id that can't have been issued asks nobody.
#[tokio::test]
async fn malformed_ids_cost_nothing() {
    let meter = Meter::start().await;
    let mut browser = Browser::new();
    browser.log_in(&meter.app, "alice").await;
    let id = browser.id().unwrap();
    let wrong = [&id[1..], "", "x", "../../etc/passwd", "%00", "{0}", "*"];
    let cost = meter.cost(async {
        for turn in 0..N {
            let wrong = wrong[turn as usize % wrong.len()];
            for path in ["/info", "/logout", "/attr/k"] {
                let method = if path == "/logout" {
                    Method::POST
                } else {
                    Method::GET
                };
                let request = Browser::with_id(wrong).request(method, path);
                let answer = call(&meter.app, request.body(Default::default()).unwrap()).await;
                assert!(answer.status.as_u16() < 500);
            }
        }
    });
    cost.await.is(&[], 0);
}

#[tokio::test]
async fn a_thousand_reads_are_touched_once() {
    let meter = Meter::start().await;
    let mut browser = Browser::new();
    browser.log_in(&meter.app, "alice").await;
    let cost = meter.cost(async {
        for _ in 0..N {
            browser.get(&meter.app, "/info").await.is(200);
        }
        meter.sessions.write_touches().await.unwrap();
    });
    cost.await
        .is(&[("hgetall", N), ("pttl", N), ("hdel", N), ("get", N)], N);
    meter.advance(Duration::MINUTE);
    let cost = meter.cost(async {
        // The background task may have been faster: one of the two finds nothing to do.
        meter.sessions.write_touches().await.unwrap();
        meter.sessions.shutdown().await.unwrap();
        assert_eq!(meter.sessions.stats().touches, 1);
    });
    let cost = cost.await;
    assert!(
        cost.trips <= 1 && cost.sent.values().sum::<u64>() <= 1,
        "{cost:?}"
    );
}
