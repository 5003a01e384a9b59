//! A store that refuses, or whose answer is lost, at each step.

use cloakroom::{ErrorKind, OnUnavailable};
use time::Duration;

use crate::web::support::{Answer, Browser, Op, World, on_both};

on_both!(
    who_has_an_id_waits_and_keeps_it,
    the_application_says_when_to_come_back,
    a_write_that_fails_is_no_success,
    a_write_whose_answer_is_lost_is_no_success,
    a_logout_that_fails_keeps_the_id,
    a_login_that_fails_keeps_the_old_session,
    a_login_whose_answer_is_lost_logs_nobody_else_in,
    a_login_that_can_not_retire_its_anonymous_session_stands,
    a_login_that_can_not_retire_a_login_is_undone,
    going_on_without_a_store,
    the_service_says_so_too,
);

/// Come back later, and keep what you have.
#[track_caller]
fn later(answer: Answer) {
    let answer = answer.is(503);
    assert_eq!(answer.header("retry-after"), ["1"]);
    assert_eq!(answer.kind(), Some(ErrorKind::Unavailable));
    assert!(answer.cookies().is_empty());
    assert_eq!(answer.header("vary"), ["cookie"]);
}

async fn who_has_an_id_waits_and_keeps_it(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    a.store.down(true);
    later(alice.get(&a.app, "/info").await);
    later(alice.put(&a.app, "/attr/k", "v").await);
    later(alice.put(&a.app, "/lazy/k", "v").await);
    later(alice.post(&a.app, "/counter").await);
    later(alice.post(&a.app, "/rotate").await);
    later(alice.post(&a.app, "/login/bob").await);
    later(alice.post(&a.app, "/logout").await);
    // What needs no session is served to everyone.
    for browser in [&mut alice, &mut Browser::new()] {
        browser.get(&a.app, "/anon").await.is(200);
        browser.get(&a.app, "/unused").await.is(200);
    }
    Browser::new().get(&a.app, "/info").await.is(200);
    assert_eq!(a.sessions.stats().store_errors, 7);
    a.store.down(false);
    assert_eq!(alice.user(&a.app).await.as_deref(), Some("alice"));
    assert_eq!(alice.attr(&a.app, "k").await, None);
}

async fn the_application_says_when_to_come_back(world: World) {
    let waits = [
        (Duration::seconds(7), "7"),
        (Duration::ZERO, "1"),
        (Duration::minutes(2), "120"),
    ];
    for (wait, said) in waits {
        let a = world.configured(|b| b.retry_after(wait)).await;
        let mut alice = Browser::new();
        alice.log_in(&a.app, "alice").await;
        a.store.down(true);
        // From the extractor, from a handler's own call and from the commit.
        for (method, path) in [("get", "/info"), ("post", "/logout"), ("put", "/lazy/k")] {
            let answer = match method {
                "get" => alice.get(&a.app, path).await,
                "post" => alice.post(&a.app, path).await,
                _ => alice.put(&a.app, path, "v").await,
            };
            assert_eq!(answer.is(503).header("retry-after"), [said], "{path}");
        }
    }
}

async fn a_write_that_fails_is_no_success(world: World) {
    let a = world.instance().await;
    let mut browser = Browser::new();
    a.store.refuse(Op::Create);
    later(browser.put(&a.app, "/attr/k", "before").await);
    assert_eq!(world.live().await, 0);
    browser.put(&a.app, "/attr/k", "before").await.is(200);
    for path in ["/attr/k", "/lazy/k"] {
        a.store.refuse(Op::Commit);
        later(browser.put(&a.app, path, "after").await);
        assert_eq!(browser.attr(&a.app, "k").await.as_deref(), Some("before"));
    }
}

async fn a_write_whose_answer_is_lost_is_no_success(world: World) {
    let a = world.instance().await;
    let mut browser = Browser::new();
    browser.put(&a.app, "/attr/k", "before").await.is(200);
    a.store.calls();
    a.store.lose(Op::Commit);
    later(browser.put(&a.app, "/attr/k", "after").await);
    assert_eq!(a.store.calls()[&Op::Commit], 1, "nothing is sent twice");
    assert_eq!(browser.attr(&a.app, "k").await.as_deref(), Some("after"));
    a.store.lose(Op::Commit);
    later(browser.post(&a.app, "/counter").await);
    assert_eq!(
        browser.post(&a.app, "/counter").await.is(200).text,
        "2",
        "it did happen, once"
    );
}

async fn a_logout_that_fails_keeps_the_id(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    a.store.refuse(Op::End);
    later(alice.post(&a.app, "/logout").await);
    assert_eq!(alice.user(&a.app).await.as_deref(), Some("alice"));
    a.store.lose(Op::End);
    later(alice.post(&a.app, "/logout").await);
    assert_eq!(alice.user(&a.app).await, None);
    // The answer that told so was lost. Nobody knows whether the client has another id by now, so
    // it keeps this one, which leads nowhere.
    let again = alice.post(&a.app, "/logout").await.is(204);
    assert!(again.cookies().is_empty());
    alice.log_in(&a.app, "alice").await;
    assert_eq!(alice.user(&a.app).await.as_deref(), Some("alice"));
}

async fn a_login_that_fails_keeps_the_old_session(world: World) {
    let a = world.instance().await;
    for user in ["alice", "bob"] {
        for op in [Op::Load, Op::Create, Op::Retire] {
            if (user, op) == ("alice", Op::Retire) {
                // The user's own session is retired by the step that makes the new one.
                continue;
            }
            let mut browser = Browser::new();
            browser.log_in(&a.app, "alice").await;
            browser.put(&a.app, "/attr/k", "v").await.is(200);
            a.store.refuse(op);
            later(browser.post(&a.app, &format!("/login/{user}")).await);
            assert_eq!(
                browser.user(&a.app).await.as_deref(),
                Some("alice"),
                "{op:?}"
            );
            assert_eq!(browser.attr(&a.app, "k").await.as_deref(), Some("v"));
            browser.log_in(&a.app, user).await;
            assert_eq!(browser.user(&a.app).await.as_deref(), Some(user));
        }
    }
}

async fn a_login_whose_answer_is_lost_logs_nobody_else_in(world: World) {
    let a = world.instance().await;
    let mut browser = Browser::new();
    browser.put(&a.app, "/attr/k", "v").await.is(200);
    let old = browser.clone();
    a.store.lose(Op::Create);
    later(browser.post(&a.app, "/login/alice").await);
    assert_eq!(browser.id(), old.id());
    assert_eq!(browser.user(&a.app).await, None);
    browser.log_in(&a.app, "alice").await;
    assert_eq!(browser.user(&a.app).await.as_deref(), Some("alice"));
    assert_eq!(old.clone().user(&a.app).await, None);
}

/// The login has happened; the anonymous session behind it may stay until it expires.
async fn a_login_that_can_not_retire_its_anonymous_session_stands(world: World) {
    let a = world.instance().await;
    let mut browser = Browser::new();
    browser.put(&a.app, "/attr/k", "v").await.is(200);
    let old = browser.clone();
    a.store.lose(Op::Retire);
    browser.log_in(&a.app, "alice").await;
    assert_ne!(browser.id(), old.id());
    assert_eq!(browser.user(&a.app).await.as_deref(), Some("alice"));
    assert_eq!(browser.attr(&a.app, "k").await.as_deref(), Some("v"));
    assert_eq!(old.clone().user(&a.app).await, None);
}

/// No session may be left that its user believes ended.
async fn a_login_that_can_not_retire_a_login_is_undone(world: World) {
    let a = world.instance().await;
    let mut browser = Browser::new();
    browser.log_in(&a.app, "alice").await;
    let old = browser.clone();
    a.store.refuse(Op::Retire);
    later(browser.post(&a.app, "/login/bob").await);
    assert_eq!(browser.id(), old.id());
    assert_eq!(browser.user(&a.app).await.as_deref(), Some("alice"));
    assert_eq!(a.sessions.list("alice").await.unwrap().len(), 1);
    assert_eq!(a.sessions.list("bob").await.unwrap(), []);
}

async fn going_on_without_a_store(world: World) {
    let a = world
        .configured(|b| b.on_unavailable(OnUnavailable::Anonymous))
        .await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    alice.put(&a.app, "/attr/k", "before").await.is(200);
    a.store.down(true);
    assert_eq!(alice.user(&a.app).await, None);
    for path in ["/attr/k", "/lazy/k"] {
        for browser in [&mut alice, &mut Browser::new()] {
            let answer = browser.put(&a.app, path, "dropped").await.is(200);
            assert!(answer.cookies().is_empty(), "{path}: the id is kept");
        }
    }
    // What must happen at once can't be passed over.
    for path in ["/logout", "/login/bob", "/rotate", "/counter"] {
        later(alice.post(&a.app, path).await);
    }
    a.store.down(false);
    assert_eq!(alice.user(&a.app).await.as_deref(), Some("alice"));
    assert_eq!(alice.attr(&a.app, "k").await.as_deref(), Some("before"));
}

async fn the_service_says_so_too(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    let handle = a.sessions.list("alice").await.unwrap()[0].handle;
    a.store.down(true);
    let errors = [
        a.sessions.list("alice").await.unwrap_err(),
        a.sessions.revoke("alice", &handle).await.unwrap_err(),
        a.sessions.revoke_user("alice").await.unwrap_err(),
    ];
    for error in errors {
        assert!(
            error.is_unavailable() && error.is_retryable() && !error.is_gone(),
            "{error}"
        );
        assert_eq!(error.status(), 503);
    }
    a.store.down(false);
    assert_eq!(a.sessions.revoke_user("alice").await.unwrap(), 1);
}
