//! Cart, counter, attributes, and the slow write.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::fleet::support::{Browser, Fleet, fetch};

#[tokio::test]
async fn a_cart_needs_no_login() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    let members = ["items", "instance", "version"];
    let empty = browser.get("/cart").await.is(200);
    assert_eq!(empty.object(&members)["items"], json!([]));
    assert_eq!(empty.header("set-cookie"), None, "looking makes no session");
    let one = browser.post("/cart", &[("item", "hat")]).await.is(200);
    assert_eq!(one.object(&members)["items"], json!(["hat"]));
    let two = browser.post("/cart", &[("item", "scarf")]).await.is(200);
    assert_eq!(two.object(&members)["items"], json!(["hat", "scarf"]));
    let cart = browser.get("/cart").await.is(200);
    assert_eq!(cart.object(&members)["items"], json!(["hat", "scarf"]));
}

#[tokio::test]
async fn the_counter_counts() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    for n in 1..=9 {
        let answer = browser.post("/counter", &[]).await.is(200);
        assert_eq!(answer.object(&["n"])["n"], n);
    }
}

#[tokio::test]
async fn an_attribute_is_put_read_and_deleted() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    browser.get("/attr/colour").await.is(404);
    browser.put("/attr/colour", "petrol ✓").await.is(204);
    assert_eq!(browser.get("/attr/colour").await.is(200).text(), "petrol ✓");
    browser.put("/attr/empty", "").await.is(204);
    assert_eq!(browser.get("/attr/empty").await.is(200).text(), "");
    browser.delete("/attr/colour").await.is(204);
    browser.get("/attr/colour").await.is(404);
    browser.delete("/attr/colour").await.is(204);
}

#[tokio::test]
async fn the_shops_own_attributes_are_out_of_reach() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    browser.put("/attr/cart", "[\"planted\"]").await.is(204);
    browser.put("/attr/counter", "41").await.is(204);
    assert_eq!(browser.get("/cart").await.json()["items"], json!([]));
    assert_eq!(browser.post("/counter", &[]).await.json()["n"], 1);
}

#[tokio::test]
async fn slow_writes_after_its_wait() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    browser.log_in("alice").await;
    let started = Instant::now();
    let slow = browser.request(Method::POST, "/slow?ms=150&key=k&value=late%20one");
    fetch(slow).await.is(204);
    assert!(started.elapsed() >= Duration::from_millis(150));
    assert_eq!(browser.get("/attr/k").await.is(200).text(), "late one");
}

#[tokio::test]
async fn slow_leaves_what_others_write_meanwhile() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    browser.log_in("alice").await;
    let slow = browser.request(Method::POST, "/slow?ms=300&key=slow&value=1");
    let meanwhile = async {
        browser.put("/attr/quick", "2").await.is(204);
        browser.post("/cart", &[("item", "hat")]).await.is(200);
    };
    let (slow, ()) = tokio::join!(fetch(slow), meanwhile);
    slow.is(204);
    assert_eq!(browser.get("/attr/slow").await.is(200).text(), "1");
    assert_eq!(browser.get("/attr/quick").await.is(200).text(), "2");
    assert_eq!(browser.get("/cart").await.json()["items"], json!(["hat"]));
}
