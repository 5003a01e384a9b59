//! A39: how much a session may hold.

use axum::Router;
use axum::routing::post;
use cloakroom::{ErrorKind, Key, LazySession};
use http::Method;

use crate::web::support::{Browser, World, call, on_both};

on_both!(
    what_is_too_large_is_refused_and_nothing_is_cut,
    the_cap_counts_names_and_values_of_all_attributes,
    a_write_that_reads_nothing_is_capped_too,
    a_login_keeps_what_was_let_in_and_brings_no_more,
    every_byte_below_the_cap_is_kept,
);

/// A text attribute of so many bytes, with its name and its two quotes: 64 in all.
fn text(bytes: usize) -> String {
    "x".repeat(bytes - 3)
}

async fn what_is_too_large_is_refused_and_nothing_is_cut(world: World) {
    let a = world.configured(|b| b.max_size(64)).await;
    let mut browser = Browser::new();
    for known in [false, true] {
        let answer = browser.put(&a.app, "/attr/k", &text(65)).await.is(413);
        assert_eq!(answer.kind(), Some(ErrorKind::TooLarge));
        assert!(answer.cookies().is_empty());
        let held = browser.attr(&a.app, "k").await;
        assert_eq!(held, known.then(|| text(64)), "as it was");
        browser.put(&a.app, "/attr/k", &text(64)).await.is(200);
    }
}

async fn the_cap_counts_names_and_values_of_all_attributes(world: World) {
    let a = world.configured(|b| b.max_size(64)).await;
    let mut browser = Browser::new();
    for key in ["a", "b"] {
        browser
            .put(&a.app, &format!("/attr/{key}"), &text(30))
            .await
            .is(200);
    }
    browser.put(&a.app, "/attr/c", &text(5)).await.is(413);
    browser.put(&a.app, "/attr/c", &text(4)).await.is(200);
    browser.put(&a.app, "/attr/a", &text(31)).await.is(413);
    browser.delete(&a.app, "/attr/c").await.is(200);
    browser.put(&a.app, "/attr/a", &text(34)).await.is(200);
    let long = "n".repeat(60);
    Browser::new()
        .put(&a.app, &format!("/attr/{long}"), "xxx")
        .await
        .is(413);
    Browser::new()
        .put(&a.app, &format!("/attr/{long}"), "xx")
        .await
        .is(200);
}

async fn a_write_that_reads_nothing_is_capped_too(world: World) {
    let a = world.configured(|b| b.max_size(64)).await;
    let mut browser = Browser::new();
    browser.put(&a.app, "/attr/a", &text(40)).await.is(200);
    let answer = browser.put(&a.app, "/lazy/b", &text(25)).await.is(413);
    assert_eq!(answer.kind(), Some(ErrorKind::TooLarge));
    assert!(answer.cookies().is_empty());
    assert_eq!(answer.header("vary"), ["cookie"]);
    browser.put(&a.app, "/lazy/b", &text(24)).await.is(200);
    browser.put(&a.app, "/lazy/a", &text(41)).await.is(413);
    assert_eq!(browser.attr(&a.app, "a").await, Some(text(40)));
    let update = browser.post(&a.app, "/counter").await.is(413);
    assert_eq!(update.kind(), Some(ErrorKind::TooLarge));
}

/// Instances may be configured differently in a deploy.
/// Of two versions side by side, one has a lower cap.
async fn a_login_keeps_what_was_let_in_and_brings_no_more(world: World) {
    let a = world.configured(|b| b.max_size(1024)).await;
    let b = world.configured(|b| b.max_size(64)).await;
    let more = async |session: LazySession| {
        session.insert(Key::<String>::new("b"), &text(5))?;
        session.load().await?.log_in("alice").await
    };
    let more = Router::new().route("/", post(more));
    let more = more.layer(b.sessions.layer());
    let mut browser = Browser::new();
    browser.put(&a.app, "/attr/a", &text(65)).await.is(200);
    let answer = browser.post(&more, "/").await.is(413);
    assert!(answer.cookies().is_empty());
    assert_eq!(browser.attr(&b.app, "a").await, Some(text(65)), "as it was");
    assert_eq!(b.sessions.list("alice").await.unwrap(), []);
    for _ in 0..2 {
        browser.log_in(&b.app, "alice").await;
        assert_eq!(browser.attr(&b.app, "a").await, Some(text(65)));
    }
    browser.put(&b.app, "/attr/c", &text(5)).await.is(413);
    browser.put(&b.app, "/attr/a", &text(64)).await.is(200);
}

async fn every_byte_below_the_cap_is_kept(world: World) {
    let a = world.instance().await;
    let mut browser = Browser::new();
    let full = "\u{1f9e5}".repeat(64 * 1024 / 4 - 1);
    let request = browser
        .request(Method::PUT, "/attr/k")
        .body(full.clone().into());
    let answer = call(&a.app, request.unwrap()).await.is(200);
    browser.learn(&answer);
    assert_eq!(browser.attr(&a.app, "k").await, Some(full));
}
