//! Writes that overlap a logout: the session never comes back.

use http::Method;
use tokio::join;

use super::{ROUNDS, stagger};
use crate::web::support::{Answer, Browser, Instance, Op, World, call, on_both, within};

on_both!(
    a_write_held_over_a_logout_brings_nothing_back,
    writes_around_a_logout_bring_nothing_back,
    a_write_held_over_a_revocation_brings_nothing_back,
    whatever_comes_late_leaves_the_next_login_alone,
);

/// The ways to write, with the operation that carries each to the store.
const WRITES: [(Method, &str, Op); 4] = [
    (Method::PUT, "/attr/k", Op::Commit),
    (Method::PUT, "/lazy/k", Op::Commit),
    (Method::POST, "/counter", Op::Commit),
    (Method::POST, "/rotate", Op::Rotate),
];

async fn write(app: &axum::Router, browser: &Browser, method: &Method, path: &str) -> Answer {
    let request = browser.request(method.clone(), path);
    call(app, request.body("late".into()).unwrap()).await
}

/// Neither the id that was ended, nor one that the write was told, is logged in anywhere.
async fn nobody_is_back(instances: [&Instance; 2], browser: &Browser, answer: &Answer) {
    assert!([200, 401].contains(&answer.status.as_u16()), "{answer:?}");
    let mut told = browser.clone();
    told.learn(answer);
    for instance in instances {
        assert_eq!(browser.clone().user(&instance.app).await, None);
        assert_eq!(told.user(&instance.app).await, None);
    }
}

/// The write has read the session, or is about to write it unread, when the logout returns.
async fn a_write_held_over_a_logout_brings_nothing_back(world: World) {
    let [a, b] = world.instances().await;
    for round in 0..ROUNDS {
        let (method, path, op) = &WRITES[round % 4];
        let mut browser = Browser::new();
        browser.log_in(&a.app, "alice").await;
        let slow = browser.clone();
        let gate = b.store.hold(*op);
        let logout = async {
            gate.reached().await;
            browser.post(&a.app, "/logout").await.is(204);
            gate.open();
        };
        let (answer, ()) = join!(write(&b.app, &slow, method, path), logout);
        assert_eq!(answer.new_id(), None, "no new cookie");
        nobody_is_back([&a, &b], &slow, &answer).await;
        assert_eq!(world.live().await, 0);
    }
    assert_eq!(b.sessions.stats().gone_writes, (ROUNDS * 3 / 4) as u64);
}

async fn writes_around_a_logout_bring_nothing_back(world: World) {
    let [a, b] = world.instances().await;
    for round in 0..ROUNDS {
        let mut browser = Browser::new();
        browser.log_in(&a.app, "alice").await;
        let slow = browser.clone();
        let (first, rest) = (round % 7, round % 5);
        let [one, two, three] = [0, 1, 2].map(|n| {
            let (slow, (method, path, _)) = (&slow, &WRITES[n]);
            let app = &b.app;
            async move {
                stagger(first * n).await;
                write(app, slow, method, path).await
            }
        });
        let logout = async {
            stagger(rest).await;
            browser.post(&a.app, "/logout").await.is(204);
        };
        let (one, two, three, ()) = join!(one, two, three, logout);
        for answer in [one, two, three] {
            nobody_is_back([&a, &b], &slow, &answer).await;
        }
    }
}

async fn a_write_held_over_a_revocation_brings_nothing_back(world: World) {
    let [a, b] = world.instances().await;
    for round in 0..ROUNDS {
        let (method, path, op) = &WRITES[round % 4];
        let mut browser = Browser::new();
        browser.log_in(&a.app, "alice").await;
        let gate = b.store.hold(*op);
        let revoke = async {
            gate.reached().await;
            assert_eq!(a.sessions.revoke_user("alice").await.unwrap(), 1);
            gate.open();
        };
        let (answer, ()) = join!(write(&b.app, &browser, method, path), revoke);
        assert_eq!(answer.new_id(), None, "no new cookie");
        nobody_is_back([&a, &b], &browser, &answer).await;
        assert_eq!(world.live().await, 0);
    }
    within(a.sessions.shutdown()).await.unwrap();
    within(b.sessions.shutdown()).await.unwrap();
    assert_eq!(world.live().await, 0, "touches bring nothing back either");
}

/// The browser has logged out, and in again, while its older requests are still on their way: some
/// had read the session that was, some come only now. None of them says anything about the id.
async fn whatever_comes_late_leaves_the_next_login_alone(world: World) {
    let [a, b] = world.instances().await;
    for round in 0..ROUNDS {
        let (method, path, op) = &WRITES[round % 4];
        let mut browser = Browser::new();
        browser.log_in(&a.app, "alice").await;
        let slow = browser.clone();
        let gate = b.store.hold(*op);
        let next = async {
            gate.reached().await;
            let way = ["/logout", "revoke", "/login/alice"][round % 3];
            match way {
                "revoke" => assert_eq!(a.sessions.revoke_user("alice").await.unwrap(), 1),
                path => assert!(browser.post(&a.app, path).await.status.is_success()),
            }
            browser.log_in(&a.app, "alice").await;
            gate.open();
        };
        let (late, ()) = join!(write(&b.app, &slow, method, path), next);
        assert!(late.cookies().is_empty(), "{late:?}");
        for (method, path, _) in &WRITES {
            let later = write(&b.app, &slow, method, path).await;
            assert!(later.cookies().is_empty(), "{path}: {later:?}");
        }
        let again = write(&b.app, &slow, &Method::POST, "/logout").await;
        assert!(again.cookies().is_empty(), "{again:?}");
        assert_eq!(browser.user(&b.app).await.as_deref(), Some("alice"));
        assert_eq!(world.live().await, 1);
        browser.post(&b.app, "/logout").await.is(204);
    }
}
