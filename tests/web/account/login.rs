//! Logging in and out.

use axum::Router;
use axum::routing::post;
use cloakroom::{ErrorKind, Key, Session};
use serde_json::Value;
use time::Duration;

use crate::web::support::{Browser, Op, World, on_both};

on_both!(
    a_login_is_seen_by_every_instance,
    an_anonymous_session_goes_along,
    the_same_user_keeps_handle_and_attributes,
    another_user_gets_nothing_of_the_first,
    what_the_request_changed_goes_along,
    the_handler_sees_the_login_at_once,
    the_last_of_two_logins_in_one_request_counts,
    users_that_nobody_can_be_are_refused,
    labels_and_wishes_are_kept,
);

async fn a_login_is_seen_by_every_instance(world: World) {
    let [a, b, c] = world.instances().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    alice.put(&b.app, "/attr/k", "v").await.is(200);
    let infos = [
        alice.info(&a.app).await,
        alice.info(&b.app).await,
        alice.info(&c.app).await,
    ];
    for info in &infos {
        assert_eq!(info["user"], "alice");
        assert_eq!(info["revision"], 2);
        for at in ["created_at", "authenticated_at", "handle"] {
            assert_eq!(info[at], infos[0][at]);
        }
    }
    assert_eq!(infos[0]["created_at"], infos[0]["authenticated_at"]);
}

async fn an_anonymous_session_goes_along(world: World) {
    let [a, b] = world.instances().await;
    let mut browser = Browser::new();
    browser.put(&a.app, "/attr/cart", "hat").await.is(200);
    let old = browser.clone();
    let anonymous = browser.info(&a.app).await;
    assert_eq!(
        (&anonymous["user"], &anonymous["revision"]),
        (&Value::Null, &1.into())
    );
    browser.log_in(&b.app, "alice").await;
    assert_ne!(browser.id(), old.id());
    let info = browser.info(&a.app).await;
    assert_eq!(
        (&info["user"], &info["revision"]),
        (&"alice".into(), &2.into())
    );
    assert_ne!(
        info["handle"], anonymous["handle"],
        "nobody can tell that it was the same"
    );
    assert_eq!(browser.attr(&a.app, "cart").await.as_deref(), Some("hat"));
    for instance in [&a, &b] {
        assert_eq!(old.clone().user(&instance.app).await, None);
        assert_eq!(old.clone().attr(&instance.app, "cart").await, None);
    }
    assert_eq!(world.live().await, 1);
}

async fn the_same_user_keeps_handle_and_attributes(world: World) {
    let [a, b] = world.instances().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    alice.put(&a.app, "/attr/cart", "hat").await.is(200);
    let (first, old) = (alice.info(&a.app).await, alice.clone());
    world.pass(Duration::minutes(10)).await;
    alice.log_in(&b.app, "alice").await;
    assert_ne!(alice.id(), old.id(), "a new id all the same");
    let second = alice.info(&a.app).await;
    assert_eq!(second["handle"], first["handle"]);
    assert!(second["revision"].as_u64() > first["revision"].as_u64());
    assert_eq!(alice.attr(&a.app, "cart").await.as_deref(), Some("hat"));
    let renewed = second["authenticated_at"].as_i64().unwrap();
    let ago = renewed - first["authenticated_at"].as_i64().unwrap();
    // On Redis it is the past that has moved.
    assert!(ago >= 0, "{ago}");
    let (_, left) = (ago, second["expires_in"].as_i64().unwrap());
    let half_an_hour = Duration::minutes(30).whole_milliseconds() as i64;
    assert!(
        (half_an_hour - 60_000..=half_an_hour).contains(&left),
        "{left}"
    );
    assert_eq!(a.sessions.list("alice").await.unwrap().len(), 1);
    assert_eq!(old.clone().user(&a.app).await, None);
}

async fn another_user_gets_nothing_of_the_first(world: World) {
    let [a, b] = world.instances().await;
    let mut browser = Browser::new();
    browser.log_in(&a.app, "alice").await;
    browser.put(&a.app, "/attr/card", "4111").await.is(200);
    let (alice, old) = (browser.info(&a.app).await, browser.clone());
    browser.log_in(&b.app, "bob").await;
    let bob = browser.info(&a.app).await;
    assert_eq!(bob["user"], "bob");
    assert_ne!(bob["handle"], alice["handle"]);
    assert_eq!(browser.attr(&a.app, "card").await, None);
    assert_eq!(old.clone().user(&b.app).await, None);
    assert_eq!(a.sessions.list("alice").await.unwrap(), []);
    assert_eq!(a.sessions.list("bob").await.unwrap().len(), 1);
    assert_eq!(world.live().await, 1);
}

async fn what_the_request_changed_goes_along(world: World) {
    const CART: Key<String> = Key::new("cart");
    const OLD: Key<String> = Key::new("old");
    let a = world.instance().await;
    let log_in = async |session: Session| {
        session.insert(CART, "from before")?;
        session.remove(OLD);
        session.log_in("alice").await?;
        assert_eq!(session.get(CART)?.as_deref(), Some("from before"));
        session.insert(Key::<String>::new("after"), "from after")
    };
    let app = Router::new()
        .route("/", post(log_in))
        .layer(a.sessions.layer());
    let mut browser = Browser::new();
    browser.put(&a.app, "/attr/old", "old").await.is(200);
    a.store.calls();
    let answer = browser.post(&app, "/").await.is(200);
    assert_eq!(a.store.calls()[&Op::Commit], 1, "what came after");
    assert_eq!(answer.cookies().len(), 2);
    assert!(answer.revision_cookie().unwrap().value.ends_with(".3"));
    for (key, value) in [
        ("cart", Some("from before")),
        ("after", Some("from after")),
        ("old", None),
    ] {
        assert_eq!(browser.attr(&a.app, key).await.as_deref(), value);
    }
}

async fn the_handler_sees_the_login_at_once(world: World) {
    let a = world.instance().await;
    let log_in = async |session: Session| {
        assert_eq!(
            (session.user(), session.handle(), session.revision()),
            (None, None, None)
        );
        session.log_in("alice").device("phone").remember().await?;
        assert_eq!(session.user().as_deref(), Some("alice"));
        assert_eq!(session.device().as_deref(), Some("phone"));
        assert!(session.is_remembered() && session.handle().is_some());
        assert_eq!(session.authenticated_at(), session.created_at());
        session.log_out().await?;
        assert_eq!((session.user(), session.handle()), (None, None));
        cloakroom::Result::<_>::Ok(())
    };
    let app = Router::new()
        .route("/", post(log_in))
        .layer(a.sessions.layer());
    let answer = Browser::new().post(&app, "/").await.is(200);
    assert!(answer.id_cookie().unwrap().removes());
    assert_eq!(world.live().await, 0);
}

async fn users_that_nobody_can_be_are_refused(world: World) {
    let a = world.instance().await;
    let mut browser = Browser::new();
    browser.put(&a.app, "/attr/cart", "hat").await.is(200);
    let refused = browser
        .post(&a.app, &format!("/login/{}", "x".repeat(257)))
        .await
        .is(400);
    assert_eq!(
        (refused.kind(), refused.new_id()),
        (Some(ErrorKind::Invalid), None)
    );
    assert_eq!(browser.attr(&a.app, "cart").await.as_deref(), Some("hat"));
    assert_eq!(
        a.sessions.list("").await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
    for user in [
        "%00",
        "%0D%0A",
        "%7Bx%7D",
        "%C3%A9",
        "a%2Fb",
        "~k",
        &"x".repeat(256),
    ] {
        let mut browser = Browser::new();
        browser.log_in(&a.app, user).await;
        assert!(browser.user(&a.app).await.is_some());
    }
}

async fn labels_and_wishes_are_kept(world: World) {
    let a = world.instance().await;
    let wishes = [
        ("", Value::Null, false),
        ("?device=", Value::Null, false),
        ("?device=my%20phone&remember=true", "my phone".into(), true),
    ];
    for (query, device, remembered) in wishes {
        let mut browser = Browser::new();
        browser
            .post(&a.app, &format!("/login/alice{query}"))
            .await
            .is(200);
        let info = browser.info(&a.app).await;
        assert_eq!(
            (&info["device"], &info["remembered"]),
            (&device, &remembered.into())
        );
    }
}

async fn the_last_of_two_logins_in_one_request_counts(world: World) {
    let a = world.instance().await;
    let twice = async |session: Session| {
        session.log_in("alice").await?;
        session.insert(Key::<String>::new("k"), "goes along")?;
        session.log_in("bob").await
    };
    let app = Router::new()
        .route("/", post(twice))
        .layer(a.sessions.layer());
    let mut browser = Browser::new();
    let answer = browser.post(&app, "/").await.is(200);
    assert_eq!(answer.cookies().len(), 2);
    assert_eq!(browser.user(&a.app).await.as_deref(), Some("bob"));
    assert_eq!(
        browser.attr(&a.app, "k").await.as_deref(),
        Some("goes along")
    );
    assert_eq!(a.sessions.list("alice").await.unwrap(), []);
    assert_eq!(world.live().await, 1);
}
