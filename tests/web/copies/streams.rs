//! What is held open closes when its session ends anywhere.

use std::time::{Duration, Instant};

use cloakroom::{Over, Session};
use cloakroom_testkit::{RedisServer, eventually};

use super::Near;
use crate::web::support::{Browser, LIMIT, within};
use axum::{Router, routing::get};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A stream that is open on an instance: tells when and why it closes.
async fn open(near: &Near, browser: &mut Browser) -> UnboundedReceiver<(Over, Instant)> {
    let (closed, closes) = unbounded_channel();
    let stream = async move |session: Session| {
        tokio::spawn(async move {
            let over = session.revoked().await;
            let _ = closed.send((over, Instant::now()));
        });
    };
    let app = Router::new().route("/", get(stream));
    let app = app.layer(near.sessions.layer());
    browser.get(&app, "/").await.is(200);
    closes
}

async fn closings(near: &Near, other: &Near, rounds: usize) -> Vec<Duration> {
    let mut took = Vec::new();
    for round in 0..rounds {
        let mut browser = Browser::new();
        browser.log_in(&other.app, "alice").await;
        let mut closes = open(near, &mut browser).await;
        match round % 3 {
            0 => assert_eq!(other.sessions.revoke_user("alice").await.unwrap(), 1),
            1 => drop(browser.post(&other.app, "/logout").await.is(204)),
            _ => {
                let device = other.sessions.list("alice").await.unwrap();
                assert!(
                    other
                        .sessions
                        .revoke("alice", &device[0].handle)
                        .await
                        .unwrap()
                );
            }
        }
        let revoked = Instant::now();
        let (over, closed) = within(closes.recv()).await.unwrap();
        assert_eq!(over, Over::Ended);
        took.push(closed.saturating_duration_since(revoked));
    }
    took.sort();
    took
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_streams_close_when_another_instance_revokes() {
    let server = RedisServer::start().await;
    let instances = Near::many(&server.url(), 2).await;
    let took = closings(&instances[0], &instances[1], 200).await;
    println!(
        "200 streams closed: median {:?}, worst {:?}",
        took[100], took[199]
    );
    assert!(took[199] < Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_close_though_the_channel_is_cut() {
    let server = RedisServer::start().await;
    let (other, near, link) = Near::linked(&server).await;
    link.withhold_pushes(true);
    let took = closings(&near, &other, 24).await;
    println!(
        "24 streams closed without a message: median {:?}, worst {:?}",
        took[12], took[23]
    );
    assert!(took[23] < Duration::from_secs(1));
    link.withhold_pushes(false);
    assert!(eventually(LIMIT, || async { near.is_trusted() }).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_on_stays_open_and_a_newer_id_closes() {
    let server = RedisServer::start().await;
    let instances = Near::many(&server.url(), 2).await;
    let (near, other) = (&instances[0], &instances[1]);
    let mut browser = Browser::new();
    browser.log_in(&other.app, "alice").await;
    let mut closes = open(near, &mut browser).await;
    for n in 0..20 {
        browser
            .put(&other.app, "/attr/k", &n.to_string())
            .await
            .is(200);
    }
    assert!(
        tokio::time::timeout(Duration::from_millis(1200), closes.recv())
            .await
            .is_err()
    );
    browser.post(&other.app, "/rotate").await.is(200);
    let (over, _) = within(closes.recv()).await.unwrap();
    assert_eq!(over, Over::Superseded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_can_not_be_asked_about_is_unknown() {
    let server = RedisServer::start().await;
    let near = Near::start(&server.url()).await;
    let mut browser = Browser::new();
    browser.log_in(&near.app, "alice").await;
    let mut closes = open(&near, &mut browser).await;
    server.kill();
    let (over, _) = within(closes.recv()).await.unwrap();
    assert_eq!(over, Over::Unknown);
}
