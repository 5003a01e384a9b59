//! Two versions of an application over one store, as in a deploy.

use std::collections::BTreeMap;

use axum::routing::{get, post};
use axum::{Json, Router};
use cloakroom::{Error, ErrorKind, Key, Result, Session};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::web::support::{Answer, Browser, Instance, World, on_both};

on_both!(
    what_each_adds_survives_the_other_s_writes,
    a_changed_type_is_an_error_for_that_attribute_alone,
    a_changed_type_is_overwritten_by_who_says_so,
    what_one_removes_the_other_does_not_bring_back,
    a_value_that_only_the_new_version_knows_ends_no_session,
);

mod v1 {
    use super::*;

    pub(super) const PROFILE: Key<Profile> = Key::new("profile");
    pub(super) const CART: Key<Vec<String>> = Key::new("cart");
    pub(super) const VISITS: Key<u32> = Key::new("visits");
    pub(super) const PLAN: Key<Plan> = Key::new("plan");

    /// Keeps what it doesn't know.
    #[derive(Debug, Default, Serialize, Deserialize)]
    pub(super) struct Profile {
        pub(super) name: String,
        #[serde(flatten)]
        rest: Map<String, Value>,
    }

    #[derive(Debug, Default, Serialize, Deserialize)]
    pub(super) enum Plan {
        #[default]
        Free,
    }

    pub(super) async fn visit(session: Session) -> Result<Json<Value>> {
        let visits = session.update(VISITS, |visits| *visits += 1).await?;
        let profile = session.update(PROFILE, |profile| profile.name.push('1'));
        Ok(Json(json!({"visits": visits, "name": profile.await?.name})))
    }

    pub(super) async fn add(session: Session) -> Result<Json<Vec<String>>> {
        Ok(Json(
            session.update(CART, |cart| cart.push("hat".into())).await?,
        ))
    }

    pub(super) async fn overwrite(session: Session) -> Result<()> {
        session.insert(CART, &vec!["coat".into()])
    }

    pub(super) async fn clear(session: Session) {
        session.remove(CART);
    }

    /// What it makes of the cart and of the plan.
    pub(super) async fn look(session: Session) -> Result<Json<Value>> {
        let kind = |error: Error| format!("{:?}", error.kind());
        let plan = session.get(PLAN).map(|_| ()).map_err(kind);
        Ok(Json(
            json!({"cart": session.get(CART)?, "plan": plan.err()}),
        ))
    }
}

mod v2 {
    use super::*;

    const PROFILE: Key<Profile> = Key::new("profile");
    const CART: Key<BTreeMap<String, u32>> = Key::new("cart");
    const THEME: Key<String> = Key::new("theme");

    #[derive(Debug, Default, Serialize, Deserialize)]
    struct Profile {
        name: String,
        #[serde(default)]
        language: String,
    }

    pub(super) async fn visit(session: Session) -> Result<Json<Value>> {
        session.insert(THEME, "dark")?;
        let profile = session.update(PROFILE, |profile| {
            profile.name.push('2');
            profile.language.push_str("de");
        });
        let profile = profile.await?;
        Ok(Json(
            json!({"name": profile.name, "language": profile.language}),
        ))
    }

    pub(super) async fn add(session: Session) -> Result<Json<Value>> {
        let cart = session.update(CART, |cart| *cart.entry("hat".into()).or_default() += 1);
        Ok(Json(json!(cart.await?)))
    }

    pub(super) async fn upgrade(session: Session) -> Result<()> {
        session.insert(Key::<Value>::new("plan"), &json!({"Paid": {"seats": 3}}))
    }

    pub(super) async fn look(session: Session) -> Result<Json<Value>> {
        Ok(Json(
            json!({"theme": session.get(THEME)?, "cart": session.get(CART)?}),
        ))
    }
}

fn versions([a, b]: [&Instance; 2]) -> (Router, Router) {
    let old = Router::new()
        .route("/visit", post(v1::visit))
        .route("/add", post(v1::add))
        .route("/overwrite", post(v1::overwrite))
        .route("/clear", post(v1::clear))
        .route("/look", get(v1::look));
    let new = Router::new()
        .route("/visit", post(v2::visit))
        .route("/add", post(v2::add))
        .route("/upgrade", post(v2::upgrade))
        .route("/look", get(v2::look));
    (old.layer(a.sessions.layer()), new.layer(b.sessions.layer()))
}

fn read(answer: Answer) -> Value {
    serde_json::from_str(&answer.is(200).text).unwrap()
}

async fn what_each_adds_survives_the_other_s_writes(world: World) {
    let [a, b] = world.instances().await;
    let (old, new) = versions([&a, &b]);
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    let mut name = String::new();
    for turn in 1..=5 {
        name.push('1');
        let seen = read(alice.post(&old, "/visit").await);
        assert_eq!(seen, json!({"visits": turn, "name": name}));
        name.push('2');
        let seen = read(alice.post(&new, "/visit").await);
        assert_eq!(seen, json!({"name": name, "language": "de".repeat(turn)}));
        assert_eq!(read(alice.get(&new, "/look").await)["theme"], "dark");
    }
    // All of it goes along with a rotation and a login by the old version.
    alice.post(&a.app, "/rotate").await.is(200);
    alice.log_in(&a.app, "alice").await;
    assert_eq!(read(alice.get(&new, "/look").await)["theme"], "dark");
    assert_eq!(
        read(alice.post(&new, "/visit").await)["language"],
        "de".repeat(6)
    );
}

async fn a_changed_type_is_an_error_for_that_attribute_alone(world: World) {
    let [a, b] = world.instances().await;
    let (old, new) = versions([&a, &b]);
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    read(alice.post(&new, "/add").await);
    for (method, path) in [("get", "/look"), ("post", "/add")] {
        let answer = match method {
            "get" => alice.get(&old, path).await,
            _ => alice.post(&old, path).await,
        };
        let error = answer.is(500).failure.unwrap();
        let (kind, text) = (error.error().kind(), format!("{0} {0:?}", error.error()));
        assert_eq!(kind, ErrorKind::Decode);
        assert!(text.contains("cart") && !text.contains("hat"), "{text}");
    }
    assert_eq!(
        read(alice.post(&old, "/visit").await)["visits"],
        1,
        "the rest works"
    );
    assert_eq!(alice.user(&a.app).await.as_deref(), Some("alice"));
    let cart = &read(alice.get(&new, "/look").await)["cart"];
    assert_eq!(cart, &json!({"hat": 1}), "and nobody has overwritten it");
    assert_eq!(read(alice.post(&new, "/add").await), json!({"hat": 2}));
}

async fn a_changed_type_is_overwritten_by_who_says_so(world: World) {
    let [a, b] = world.instances().await;
    let (old, new) = versions([&a, &b]);
    let mut alice = Browser::new();
    read(alice.post(&new, "/add").await);
    alice.post(&old, "/overwrite").await.is(200);
    assert_eq!(
        read(alice.get(&old, "/look").await)["cart"],
        json!(["coat"])
    );
    let answer = alice.get(&new, "/look").await.is(500);
    assert_eq!(answer.kind(), Some(ErrorKind::Decode));
    alice.post(&old, "/clear").await.is(200);
    assert_eq!(read(alice.post(&new, "/add").await), json!({"hat": 1}));
    alice.post(&old, "/clear").await.is(200);
    assert_eq!(read(alice.post(&old, "/add").await), json!(["hat"]));
}

async fn what_one_removes_the_other_does_not_bring_back(world: World) {
    let [a, b] = world.instances().await;
    let (old, new) = versions([&a, &b]);
    let mut alice = Browser::new();
    read(alice.post(&new, "/visit").await);
    read(alice.post(&old, "/add").await);
    alice.delete(&a.app, "/attr/theme").await.is(200);
    alice.post(&old, "/overwrite").await.is(200);
    read(alice.post(&old, "/visit").await);
    assert_eq!(alice.attr(&b.app, "theme").await, None);
}

async fn a_value_that_only_the_new_version_knows_ends_no_session(world: World) {
    let [a, b] = world.instances().await;
    let (old, new) = versions([&a, &b]);
    let mut alice = Browser::new();
    alice.log_in(&b.app, "alice").await;
    alice.post(&new, "/upgrade").await.is(200);
    let seen = read(alice.get(&old, "/look").await);
    assert_eq!(seen, json!({"cart": null, "plan": "Decode"}));
    read(alice.post(&old, "/visit").await);
    assert_eq!(alice.user(&a.app).await.as_deref(), Some("alice"));
}
