//! Logging in and out.

use crate::fleet::support::{Browser, Fleet};

/// One user on several devices.
async fn devices(fleet: &Fleet, user: &str, count: usize) -> Vec<Browser> {
    let mut browsers = Vec::new();
    for _ in 0..count {
        let browser = Browser::new(&fleet.url);
        browser.log_in(user).await;
        browsers.push(browser);
    }
    browsers
}

#[tokio::test]
async fn anon_says_who_answers_and_touches_no_session() {
    let fleet = Fleet::start().await;
    let answer = Browser::new(&fleet.url).get("/anon").await.is(200);
    answer.object(&["instance", "version"]);
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(answer.header("vary"), None);
}

#[tokio::test]
async fn a_login_rotates_the_id_and_me_tells_about_it() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    browser.post("/cart", &[("item", "hat")]).await.is(200);
    let anonymous = browser.id().unwrap();
    let me = browser.get("/me").await.is(401);
    me.complains("not logged in");

    let form = [("user", "alice"), ("device", "phone")];
    let login = browser.post("/login", &form).await.is(200);
    let body = login.object(&["user", "instance", "version"]);
    assert_eq!(body["user"], "alice");
    assert_eq!(login.header("cache-control"), Some("no-store"));
    assert_ne!(browser.id().unwrap(), anonymous);

    let me = browser.get("/me").await.is(200);
    let members = [
        "user",
        "instance",
        "version",
        "created_at",
        "authenticated_at",
        "revision",
    ];
    let me = me.object(&members);
    assert_eq!(me["user"], "alice");
    assert!(me["revision"].is_u64());
    for time in ["created_at", "authenticated_at"] {
        let time = me[time].as_str().unwrap();
        let format = &time::format_description::well_known::Rfc3339;
        assert!(time::OffsetDateTime::parse(time, format).is_ok(), "{time}");
    }
    let cart = browser.get("/cart").await.is(200).json();
    assert_eq!(cart["items"], serde_json::json!(["hat"]));
}

#[tokio::test]
async fn a_logout_ends_this_session_only() {
    let fleet = Fleet::start().await;
    let browsers = devices(&fleet, "alice", 2).await;
    let logout = browsers[0].post("/logout", &[]).await.is(204);
    assert_eq!(logout.new_id(), Some(""), "the cookie is removed");
    assert_eq!(browsers[0].user().await, None);
    assert_eq!(browsers[1].user().await.as_deref(), Some("alice"));
    // Nobody can log out too: that is no fault.
    browsers[0].post("/logout", &[]).await.is(204);
}

#[tokio::test]
async fn a_logout_everywhere_ends_all_of_the_users_sessions() {
    let fleet = Fleet::start().await;
    let alice = devices(&fleet, "alice", 3).await;
    let bob = devices(&fleet, "bob", 1).await;
    let ended = alice[1].post("/logout-everywhere", &[]).await.is(200);
    assert_eq!(ended.object(&["revoked"])["revoked"], 3);
    for browser in &alice {
        assert_eq!(browser.user().await, None);
    }
    assert_eq!(bob[0].user().await.as_deref(), Some("bob"));
    alice[1].post("/logout-everywhere", &[]).await.is(401);
}

#[tokio::test]
async fn a_logout_of_others_keeps_this_one() {
    let fleet = Fleet::start().await;
    let alice = devices(&fleet, "alice", 3).await;
    let ended = alice[1].post("/logout-others", &[]).await.is(200);
    assert_eq!(ended.object(&["revoked"])["revoked"], 2);
    assert_eq!(alice[0].user().await, None);
    assert_eq!(alice[1].user().await.as_deref(), Some("alice"));
    assert_eq!(alice[2].user().await, None);
    let stranger = Browser::new(&fleet.url);
    stranger.post("/logout-others", &[]).await.is(401);
}

#[tokio::test]
async fn a_login_as_another_user_takes_nothing_along() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    browser.log_in("alice").await;
    browser.post("/cart", &[("item", "hat")]).await.is(200);
    browser.put("/attr/k", "hers").await.is(204);
    // Once more as herself: all is still hers.
    browser.log_in("alice").await;
    browser.get("/attr/k").await.is(200);
    browser.log_in("bob").await;
    browser.get("/attr/k").await.is(404);
    let cart = browser.get("/cart").await.is(200).json();
    assert_eq!(cart["items"], serde_json::json!([]));
}
