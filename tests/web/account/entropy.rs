//! A35: a broken source of randomness takes over nobody's session.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cloakroom::ErrorKind;
use cloakroom_core::{Entropy, Error, OsEntropy, Result};
use http::Method;

use crate::web::support::{Answer, Browser, Instance, Op, World, call, on_both};

on_both!(
    an_id_that_exists_is_never_handed_out_again,
    one_collision_is_a_miracle_and_passes,
    without_randomness_there_are_no_sessions,
);

/// Good, broken or silent, as the test says.
#[derive(Debug, Clone, Default)]
struct Source {
    stuck: Arc<AtomicBool>,
    silent: Arc<AtomicBool>,
    /// So many times the same again, then good.
    hiccups: Arc<AtomicU64>,
}

impl Entropy for Source {
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        if self.silent.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Internal, "no randomness left"));
        }
        // The short ones choose buckets and handles.
        let hiccup = buffer.len() == 22 && self.hiccups.load(Ordering::SeqCst) > 0;
        if hiccup {
            self.hiccups.fetch_sub(1, Ordering::SeqCst);
        }
        if hiccup || self.stuck.load(Ordering::SeqCst) {
            buffer.fill(7);
            return Ok(());
        }
        OsEntropy.fill(buffer)
    }
}

async fn instance(world: &World, source: &Source) -> Instance {
    world.configured(|b| b.danger_entropy(source.clone())).await
}

async fn ask(a: &Instance, browser: &Browser, method: Method, path: &str) -> Answer {
    let request = browser.request(method, path).body("thief".into());
    call(&a.app, request.unwrap()).await
}

async fn an_id_that_exists_is_never_handed_out_again(world: World) {
    let source = Source::default();
    let a = instance(&world, &source).await;
    let mut anonymous = Browser::new();
    anonymous.put(&a.app, "/attr/k", "before").await.is(200);
    source.stuck.store(true, Ordering::SeqCst);
    let (mut alice, mut owner) = (Browser::new(), Browser::new());
    alice.log_in(&a.app, "alice").await;
    owner.put(&a.app, "/attr/k", "mine").await.is(200);
    a.store.calls();

    let thieves = [
        (Browser::new(), Method::PUT, "/attr/k", Op::Create),
        (Browser::new(), Method::POST, "/login/alice", Op::Create),
        (anonymous.clone(), Method::POST, "/login/alice", Op::Create),
        (alice.clone(), Method::POST, "/rotate", Op::Rotate),
    ];
    for (thief, method, path, op) in thieves {
        let answer = ask(&a, &thief, method, path).await.is(500);
        assert_eq!(answer.kind(), Some(ErrorKind::Internal), "{path}");
        assert!(answer.cookies().is_empty(), "{path}");
        assert_eq!(a.store.calls()[&op], 3, "{path}: three draws");
    }
    assert_eq!(alice.user(&a.app).await.as_deref(), Some("alice"));
    assert_eq!(owner.attr(&a.app, "k").await.as_deref(), Some("mine"));
    assert_eq!(anonymous.attr(&a.app, "k").await.as_deref(), Some("before"));
    assert_eq!(a.sessions.list("alice").await.unwrap().len(), 1);
    assert_eq!(world.live().await, 3);
}

async fn one_collision_is_a_miracle_and_passes(world: World) {
    let source = Source::default();
    let a = instance(&world, &source).await;
    source.hiccups.store(1, Ordering::SeqCst);
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    source.hiccups.store(2, Ordering::SeqCst);
    let mut other = Browser::new();
    other.log_in(&a.app, "alice").await;
    assert_eq!(source.hiccups.load(Ordering::SeqCst), 0);
    assert_ne!(alice.id(), other.id());
    for browser in [&mut alice, &mut other] {
        assert_eq!(browser.user(&a.app).await.as_deref(), Some("alice"));
    }
}

async fn without_randomness_there_are_no_sessions(world: World) {
    let source = Source::default();
    let a = instance(&world, &source).await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    source.silent.store(true, Ordering::SeqCst);
    for (method, path) in [(Method::PUT, "/attr/k"), (Method::POST, "/login/bob")] {
        let answer = ask(&a, &Browser::new(), method, path).await.is(500);
        assert_eq!(answer.kind(), Some(ErrorKind::Internal));
        assert!(answer.cookies().is_empty());
    }
    alice
        .put(&a.app, "/attr/k", "those that are go on")
        .await
        .is(200);
    assert_eq!(world.live().await, 1);
}
