//! What prints itself.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::post;
use cloakroom::{Key, LazySession, Session};
use cloakroom_core::{Buckets, Freshness, Loaded, SessionId};

use super::VALUE;
use super::ids::Ids;
use super::scenario;
use crate::web::support::{Browser, Instance, Op, World, on_both};
use cloakroom::SessionStore as _;

on_both!(nothing_secret_prints_itself);

/// All that was printed.
#[derive(Debug, Clone, Default)]
struct Printed(Arc<Mutex<String>>);

impl Printed {
    fn add(&self, what: &dyn Debug) {
        let text = format!("{what:?}\n{what:#?}\n");
        self.0.lock().unwrap().push_str(&text);
    }
}

async fn nothing_secret_prints_itself(world: World) {
    let mut ids = Ids::default();
    let instances = scenario::run(&world, &mut ids).await;
    let printed = Printed::default();
    for instance in &instances {
        printed.add(&instance.sessions);
        printed.add(&instance.store);
        printed.add(&instance.sessions.layer());
        printed.add(&instance.app);
        printed.add(&instance.sessions.stats());
        printed.add(&instance.sessions.list("last").await);
        in_a_handler(instance, &printed, &mut ids).await;
        stored(instance, &printed, &mut ids).await;
    }
    let text = printed.0.lock().unwrap().clone();
    ids.are_not_in("Debug", text.as_bytes());
    assert!(!text.contains(VALUE), "a value prints itself");
    println!(
        "{} ids, none in {} bytes of Debug output",
        ids.len(),
        text.len()
    );
}

/// The session with changes that wait, and every error that it gives.
async fn in_a_handler(instance: &Instance, printed: &Printed, ids: &mut Ids) {
    let to = printed.clone();
    let handler = async move |lazy: LazySession, session: Session| {
        const K: Key<String> = Key::new("k");
        session.insert(K, VALUE).unwrap();
        to.add(&lazy);
        to.add(&session);
        to.add(&session.log_in(""));
        to.add(&session.log_in("").await);
        to.add(&session.get(Key::<u8>::new("k")));
        to.add(&session.insert(K, &VALUE.repeat(1000)));
        to.add(&session.update(Key::<u8>::new("k"), |n| *n += 1).await);
        to.add(&session.revoke_others().await);
        to.add(&session.expires_in());
        session.log_in("last").device("tv").await.unwrap();
        to.add(&session);
        to.add(&lazy);
    };
    let app = Router::new()
        .route("/", post(handler))
        .layer(instance.sessions.layer());
    let mut browser = Browser::new();
    ids.ask(&instance.app, &mut browser, "PUT /attr/k").await;
    let answer = ids.ask(&app, &mut browser, "POST /").await.is(200);
    printed.add(&answer.headers);
    instance.store.refuse(Op::Load);
    let answer = ids.ask(&app, &mut browser, "POST /").await.is(503);
    printed.add(&answer);
    printed.add(&answer.failure.unwrap().error());
}

/// What a store answers, and what conflicts show.
async fn stored(instance: &Instance, printed: &Printed, ids: &mut Ids) {
    let mut browser = Browser::new();
    ids.ask(&instance.app, &mut browser, "PUT /attr/k").await;
    let buckets = Buckets::default();
    let id = SessionId::parse(browser.id().unwrap(), &buckets).unwrap();
    let at = cloakroom_core::Address {
        bucket: id.bucket(&buckets).unwrap(),
        digest: id.digest(),
    };
    printed.add(&id);
    printed.add(&at);
    let loaded = instance.store.load(at, Freshness::NOW).await.unwrap();
    assert!(matches!(loaded, Loaded::Found { .. }));
    printed.add(&loaded);
    let mut change = cloakroom_core::Change::default();
    change.expect("k", None);
    change.write("k", Some(VALUE.into()));
    printed.add(&change);
    printed.add(&instance.store.commit(at, &change, 4096).await);
    printed.add(&instance.store.retire(at, 99).await);
}
