//! Wrong input: 400, and an error that says what would be right.

use reqwest::Method;

use crate::fleet::support::{Browser, Fleet, fetch};

/// The fields of a form.
type Form<'a> = &'a [(&'a str, &'a str)];

#[tokio::test]
async fn wrong_forms_are_told_what_is_wrong() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    let long = "x".repeat(65);
    let cases: [(&str, Form<'_>, &str); 7] = [
        ("/login", &[], "user"),
        ("/login", &[("name", "alice")], "user"),
        ("/login", &[("user", "  ")], "`user` has 1 to 64 characters"),
        ("/login", &[("user", &long)], "not 65"),
        ("/login", &[("user", "a"), ("device", &long)], "`device`"),
        ("/cart", &[("thing", "hat")], "item"),
        ("/cart", &[("item", "")], "`item`"),
    ];
    for (path, form, part) in cases {
        let answer = browser.post(path, form).await;
        assert_eq!(answer.status, 400, "{path} {form:?}: {}", answer.text());
        answer.complains(part);
        assert_eq!(answer.new_id(), None, "{path} {form:?}");
    }
    assert_eq!(browser.user().await, None);
}

#[tokio::test]
async fn wrong_queries_are_told_what_is_wrong() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    let long = "x".repeat(65);
    let cases = [
        ("/slow".to_owned(), "ms"),
        ("/slow?ms=1&key=k".to_owned(), "value"),
        ("/slow?ms=soon&key=k&value=v".to_owned(), "ms"),
        ("/slow?ms=-1&key=k&value=v".to_owned(), "ms"),
        ("/slow?ms=10001&key=k&value=v".to_owned(), "10000"),
        ("/slow?ms=1&key=&value=v".to_owned(), "`key`"),
        (format!("/slow?ms=1&key={long}&value=v"), "`key`"),
    ];
    for (path, part) in cases {
        let answer = fetch(browser.request(Method::POST, &path)).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        answer.complains(part);
    }
}

#[tokio::test]
async fn what_is_no_form_is_refused() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    let json = browser.request(Method::POST, "/login");
    let json = json.header("content-type", "application/json");
    let answer = fetch(json.body(r#"{"user":"alice"}"#)).await;
    assert_eq!(answer.status, 415, "{}", answer.text());
    answer.complains("x-www-form-urlencoded");
}

#[tokio::test]
async fn attributes_are_bounded() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    let long = format!("/attr/{}", "x".repeat(65));
    browser.put(&long, "v").await.is(400).complains("`key`");
    let broken = browser
        .request(Method::PUT, "/attr/k")
        .body(vec![0xff, 0xfe]);
    fetch(broken).await.is(400);
    // More than a session may hold, and more than a request may bring.
    browser.put("/attr/k", &"x".repeat(70_000)).await.is(413);
    browser.put("/attr/k", &"x".repeat(2_000_000)).await.is(413);
    browser.get("/attr/k").await.is(404);
}
