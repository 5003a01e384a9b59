//! A client reads what it wrote, wherever it asks, though no message comes through.

use cloakroom_testkit::{Link, RedisServer};
use futures_util::future::join_all;

use super::Near;
use crate::web::support::Browser;

const BROWSERS: usize = 50;
const ROUNDS: usize = 200;

/// Writes on one instance and reads on the other, each time.
async fn write_and_read(mut browser: Browser, one: &Near, other: &Near) -> usize {
    browser.log_in(&one.app, "alice").await;
    // Both have copies from now on.
    assert!(browser.user(&other.app).await.is_some());
    let mut stale = 0;
    for round in 0..ROUNDS {
        let value = round.to_string();
        let (writer, reader) = if round % 2 == 0 {
            (one, other)
        } else {
            (other, one)
        };
        browser.put(&writer.app, "/attr/k", &value).await.is(200);
        let read = browser.attr(&reader.app, "k").await;
        stale += usize::from(read.as_deref() != Some(&value));
    }
    stale
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_writes_are_read_at_once_without_a_message() {
    let server = RedisServer::start().await;
    let links = [Link::to(server.port()), Link::to(server.port())];
    let (one, other) = (
        Near::start(&links[0].url()).await,
        Near::start(&links[1].url()).await,
    );
    for link in &links {
        link.withhold_pushes(true);
    }
    let runs = (0..BROWSERS).map(|_| write_and_read(Browser::new(), &one, &other));
    let stale: usize = join_all(runs).await.into_iter().sum();
    let withheld: usize = links.iter().map(Link::withheld).sum();
    println!(
        "{} reads after writes elsewhere: {stale} stale; {withheld} messages withheld",
        BROWSERS * ROUNDS
    );
    assert!(withheld > 0, "the links are in the way");
    assert_eq!(stale, 0);
}

/// Without what the client has seen, the copy would have been good enough: it is the cookie that
/// makes the difference.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_the_revision_cookie_that_tells() {
    let server = RedisServer::start().await;
    let link = Link::to(server.port());
    let (one, other) = (
        Near::start(&server.url()).await,
        Near::start(&link.url()).await,
    );
    let mut browser = Browser::new();
    browser.log_in(&one.app, "alice").await;
    assert!(browser.user(&other.app).await.is_some());
    let mut forgetful = Browser::with_id(browser.id().unwrap());
    link.withhold_pushes(true);
    browser.put(&one.app, "/attr/k", "v").await.is(200);
    assert_eq!(
        forgetful.attr(&other.app, "k").await,
        None,
        "true a moment ago"
    );
    assert_eq!(browser.attr(&other.app, "k").await.as_deref(), Some("v"));
}
