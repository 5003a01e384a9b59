//! Requests that change something.

use super::N;
use super::meter::Meter;
use crate::web::support::Browser;

#[tokio::test]
async fn a_write_after_a_read_is_one_script_beside_the_load() {
    let meter = Meter::start().await;
    let mut browser = Browser::new();
    browser.log_in(&meter.app, "alice").await;
    let cost = meter.cost(async {
        for turn in 0..N {
            browser
                .put(&meter.app, "/attr/k", &turn.to_string())
                .await
                .is(200);
        }
    });
    cost.await.is(
        &[
            ("hgetall", N),
            ("pttl", N),
            ("hdel", N),
            ("get", N),
            ("evalsha", N),
        ],
        2 * N,
    );
    let cost = meter.cost(async {
        for turn in 0..N {
            let count = browser.post(&meter.app, "/counter").await.is(200).text;
            assert_eq!(count, (turn + 1).to_string());
        }
    });
    cost.await.is(
        &[
            ("hgetall", N),
            ("pttl", N),
            ("hdel", N),
            ("get", N),
            ("evalsha", N),
        ],
        2 * N,
    );
}

#[tokio::test]
async fn a_write_that_reads_nothing_is_one_script() {
    let meter = Meter::start().await;
    let mut browser = Browser::new();
    browser.log_in(&meter.app, "alice").await;
    let cost = meter.cost(async {
        for turn in 0..N {
            let value = format!("value {turn}");
            browser.put(&meter.app, "/lazy/k", &value).await.is(200);
        }
    });
    cost.await.is(&[("evalsha", N)], N);
}

#[tokio::test]
async fn a_first_write_is_one_script() {
    let meter = Meter::start().await;
    let cost = meter.cost(async {
        for _ in 0..N {
            let mut browser = Browser::new();
            browser.put(&meter.app, "/attr/k", "first").await.is(200);
        }
    });
    cost.await.is(&[("evalsha", N)], N);
}

#[tokio::test]
async fn a_login_is_two_scripts_beside_the_load_and_a_logout_one() {
    let meter = Meter::start().await;
    let mut browsers = vec![Browser::new(); N as usize];
    for browser in &mut browsers {
        browser.put(&meter.app, "/attr/cart", "hat").await.is(200);
    }
    let cost = meter.cost(async {
        for (n, browser) in browsers.iter_mut().enumerate() {
            browser.log_in(&meter.app, &format!("user-{n}")).await;
        }
    });
    cost.await.is(
        &[
            ("hgetall", N),
            ("pttl", N),
            ("hdel", N),
            ("get", N),
            ("evalsha", 2 * N),
        ],
        3 * N,
    );
    let cost = meter.cost(async {
        for browser in &mut browsers {
            browser.post(&meter.app, "/logout").await.is(204);
        }
    });
    cost.await.is(&[("evalsha", N)], N);
}

#[tokio::test]
async fn a_login_without_a_session_is_one_script() {
    let meter = Meter::start().await;
    let cost = meter.cost(async {
        for n in 0..N {
            Browser::new()
                .log_in(&meter.app, &format!("user-{n}"))
                .await;
        }
    });
    cost.await.is(&[("evalsha", N)], N);
}

#[tokio::test]
async fn a_rotation_is_one_script_beside_the_load() {
    let meter = Meter::start().await;
    let mut browser = Browser::new();
    browser.log_in(&meter.app, "alice").await;
    let cost = meter.cost(async {
        for _ in 0..N {
            browser.post(&meter.app, "/rotate").await.is(200);
        }
    });
    cost.await.is(
        &[
            ("hgetall", N),
            ("pttl", N),
            ("hdel", N),
            ("get", N),
            ("evalsha", N),
        ],
        2 * N,
    );
}

#[tokio::test]
async fn listing_and_revoking_are_one_script_each() {
    let meter = Meter::start().await;
    let mut browsers = vec![Browser::new(); 3];
    for browser in &mut browsers {
        browser.log_in(&meter.app, "alice").await;
    }
    let sessions = &meter.sessions;
    let cost = meter.cost(async {
        let handle = sessions.list("alice").await.unwrap()[0].handle;
        assert!(sessions.revoke("alice", &handle).await.unwrap());
        assert_eq!(sessions.revoke_user("alice").await.unwrap(), 2);
    });
    cost.await.is(&[("evalsha", 3)], 3);
}
