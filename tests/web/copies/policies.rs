//! Strict routes, and what is shown while the store is away.

use axum::Router;
use axum::routing::get;
use cloakroom::{ErrorKind, OnUnavailable, Sessions, Strict};
use cloakroom_testkit::{RedisServer, eventually};
use time::Duration;

use super::Near;
use crate::web::support::{Browser, LIMIT};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strict_route_sees_a_logout_though_no_message_comes() {
    let server = RedisServer::start().await;
    let (one, other, link) = Near::linked(&server).await;
    let user = async |Strict(session): Strict| session.user().unwrap_or_default().to_string();
    let strict = Router::new()
        .route("/", get(user))
        .layer(other.sessions.layer());
    let layer = other.sessions.layer().max_staleness(Duration::ZERO);
    let layered = crate::web::support::app::routes().layer(layer);
    for _ in 0..50 {
        let mut browser = Browser::new();
        browser.log_in(&one.app, "alice").await;
        assert!(browser.user(&other.app).await.is_some());
        let mut thief = browser.clone();
        link.withhold_pushes(true);
        browser.post(&one.app, "/logout").await.is(204);
        assert_eq!(thief.get(&strict, "/").await.is(200).text, "");
        assert_eq!(thief.user(&layered).await, None);
        link.withhold_pushes(false);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_messages_a_logout_is_seen_within_the_bound() {
    let server = RedisServer::start().await;
    let (one, other, link) = Near::linked(&server).await;
    let mut worst = std::time::Duration::ZERO;
    for _ in 0..10 {
        let mut browser = Browser::new();
        browser.log_in(&one.app, "alice").await;
        assert!(browser.user(&other.app).await.is_some());
        let mut thief = browser.clone();
        link.withhold_pushes(true);
        browser.post(&one.app, "/logout").await.is(204);
        let ended = std::time::Instant::now();
        let mut accepted = ended;
        loop {
            let asked = std::time::Instant::now();
            if thief.user(&other.app).await.is_none() {
                break;
            }
            accepted = asked;
        }
        worst = worst.max(accepted - ended);
        link.drop_withheld();
        link.withhold_pushes(false);
        assert!(eventually(LIMIT, || async { other.is_trusted() }).await);
    }
    println!(
        "the last request that was let in, with all messages lost, came {worst:?} after the logout"
    );
    assert!(worst < std::time::Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_serves_through_an_outage_if_so_wished_and_for_so_long() {
    let server = RedisServer::start().await;
    let policy = OnUnavailable::NearCopy(Duration::seconds(4));
    let near = Near::with(&server.url(), |s| s.on_unavailable(policy)).await;
    let refusing = Near::start(&server.url()).await;
    let mut browser = Browser::new();
    browser.log_in(&near.app, "alice").await;
    for instance in [&near, &refusing] {
        assert!(browser.user(&instance.app).await.is_some());
    }
    server.kill();
    let mut waiting = browser.clone();
    let refused = async || waiting.get(&refusing.app, "/info").await.status == 503;
    let mut refused = refused;
    let begun = std::time::Instant::now();
    while !refused().await {
        assert!(begun.elapsed() < std::time::Duration::from_secs(2));
    }
    assert_eq!(browser.user(&near.app).await.as_deref(), Some("alice"));
    // A client that was never here has no copy to be served from.
    let stranger = Browser::with_id(browser.id().unwrap());
    let mut other = stranger;
    assert_eq!(
        other.user(&near.app).await.as_deref(),
        Some("alice"),
        "the same session"
    );
    while browser.get(&near.app, "/info").await.status == 200 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(6));
    }
    let answer = browser.get(&near.app, "/info").await.is(503);
    assert_eq!(answer.kind(), Some(ErrorKind::Unavailable));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_staleness_that_can_not_be_kept_is_refused() {
    let server = RedisServer::start().await;
    let store = cloakroom::redis::store(server.url()).renewal_interval(Duration::SECOND);
    let store = std::sync::Arc::new(store.connect().await.unwrap());
    let short = Sessions::builder(store.clone()).max_staleness(Duration::SECOND);
    let error = short.build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("renewal_interval"), "{error}");
    let long = Sessions::builder(store).max_staleness(Duration::seconds(2));
    long.build().await.unwrap();
}
