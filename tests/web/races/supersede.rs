//! Requests that end or replace the old id themselves, around a login.

use cloakroom::ErrorKind;
use http::Method;
use tokio::join;

use super::{ROUNDS, anonymous, stagger};
use crate::web::support::{Answer, Browser, Instance, Op, World, at_once, call, on_both};

on_both!(
    who_loses_against_a_login_tells_nothing,
    nothing_reaches_the_new_cookie_once_the_old_id_is_retired,
    a_rotation_that_was_faster_keeps_its_own,
    of_two_rotations_at_once_one_wins,
    two_logins_at_once_are_two_sessions,
    a_logout_that_was_slower_does_not_claim_to_have_happened,
);

async fn ask(instance: &Instance, browser: &Browser, path: &str) -> Answer {
    let method = match path {
        "/info" => Method::GET,
        _ if path.starts_with("/attr") || path.starts_with("/lazy") => Method::PUT,
        _ => Method::POST,
    };
    let request = browser.request(method, path).body("late".into());
    call(&instance.app, request.unwrap()).await
}

async fn user(instance: &Instance, id: &str) -> Option<String> {
    Browser::with_id(id).user(&instance.app).await
}

/// Logouts and rotations beside a login. Which of them comes first, the store decides; who comes
/// after the login leaves its cookie alone.
async fn who_loses_against_a_login_tells_nothing(world: World) {
    let [a, b] = world.instances().await;
    let mut won = 0;
    for round in 0..ROUNDS {
        let old = anonymous(&a).await;
        let mut browser = old.clone();
        let before = b.sessions.stats();
        let others = at_once(9, |turn| {
            let (old, b) = (old.clone(), b.clone());
            let path = ["/logout", "/rotate", "/info"][turn % 3];
            async move {
                stagger((turn * round) % 13 + (round % 10) * 8).await;
                ask(&b, &old, path).await
            }
        });
        let login = async {
            stagger(round % 5).await;
            browser.log_in(&a.app, "alice").await
        };
        let (others, _) = join!(others, login);
        let after = b.sessions.stats();
        let ended = (after.revoked - before.revoked) + (after.rotated - before.rotated);
        for answer in &others {
            loses_or_leads_nowhere(&a, answer, ended).await;
        }
        assert!(ended <= 1, "one alone ends an id");
        won += ended;
        assert_eq!(user(&b, old.id().unwrap()).await, None);
        assert_eq!(browser.user(&b.app).await.as_deref(), Some("alice"));
    }
    println!("{ROUNDS} logins: in {won} another request with the old id was faster");
}

/// Who did not end the old id itself tells nothing; and what it told is not logged in.
async fn loses_or_leads_nowhere(instance: &Instance, answer: &Answer, ended: u64) {
    let status = answer.status.as_u16();
    assert!([200, 204, 401, 409].contains(&status), "{answer:?}");
    let silent = answer.id_cookie().is_none();
    assert!(ended > 0 || silent, "the login was first: {answer:?}");
    if let Some(new) = answer.new_id() {
        assert_eq!(user(instance, &new).await, None);
    }
}

/// From the moment the store has done its part, though nobody was told yet.
async fn nothing_reaches_the_new_cookie_once_the_old_id_is_retired(world: World) {
    let [a, b] = world.instances().await;
    for (round, user) in ["alice", "bob"]
        .into_iter()
        .cycle()
        .take(ROUNDS)
        .enumerate()
    {
        let mut old = anonymous(&a).await;
        if round % 3 == 0 {
            old.log_in(&a.app, "alice").await;
        }
        let mut browser = old.clone();
        // The user's own session is replaced in the same step that makes the new one.
        let own = round % 3 == 0 && user == "alice";
        let last = if own { Op::Create } else { Op::Retire };
        let gate = a.store.hold_answer(last);
        let others = async {
            gate.reached().await;
            for path in [
                "/info", "/attr/k", "/lazy/k", "/counter", "/rotate", "/logout",
            ] {
                let answer = ask(&b, &old, path).await;
                assert!(answer.status.as_u16() < 500, "{path}: {answer:?}");
                assert!(answer.cookies().is_empty(), "{path}: {answer:?}");
                assert!(!answer.text.contains("alice"));
            }
            gate.open();
        };
        join!(browser.log_in(&a.app, user), others);
        assert_eq!(browser.user(&b.app).await.as_deref(), Some(user));
    }
}

/// The rotated session stays what it was: nobody's. The login does not wait for it.
async fn a_rotation_that_was_faster_keeps_its_own(world: World) {
    let [a, b] = world.instances().await;
    for _ in 0..ROUNDS {
        let old = anonymous(&a).await;
        let (mut browser, mut other) = (old.clone(), old.clone());
        let gate = a.store.hold(Op::Retire);
        let rotation = async {
            gate.reached().await;
            other.put(&b.app, "/attr/late", "late").await.is(200);
            assert!(
                other
                    .post(&b.app, "/rotate")
                    .await
                    .is(200)
                    .new_id()
                    .is_some()
            );
            gate.open();
        };
        join!(browser.log_in(&a.app, "alice"), rotation);
        assert_eq!(browser.user(&b.app).await.as_deref(), Some("alice"));
        assert_eq!(other.user(&a.app).await, None);
        assert_eq!(other.attr(&a.app, "late").await.as_deref(), Some("late"));
        assert_eq!(user(&b, old.id().unwrap()).await, None);
        assert_eq!(
            browser.attr(&b.app, "first").await.as_deref(),
            Some("first")
        );
    }
}

async fn of_two_rotations_at_once_one_wins(world: World) {
    let [a, b] = world.instances().await;
    for round in 0..ROUNDS {
        let mut old = Browser::new();
        old.log_in(&a.app, "alice").await;
        let before = world.live().await;
        let answers = at_once(2, |turn| {
            let (old, instance) = (old.clone(), [&a, &b][turn].clone());
            async move {
                stagger(turn * round % 7).await;
                ask(&instance, &old, "/rotate").await
            }
        });
        let answers = answers.await;
        let issued: Vec<_> = answers.iter().filter_map(Answer::new_id).collect();
        // The second may have begun after the first had ended: it then finds the id superseded.
        assert_eq!(issued.len(), 1);
        for answer in answers.iter().filter(|answer| answer.new_id().is_none()) {
            assert!([200, 409].contains(&answer.status.as_u16()), "{answer:?}");
            assert!(answer.cookies().is_empty());
        }
        assert_eq!(user(&a, &issued[0]).await.as_deref(), Some("alice"));
        assert_eq!(user(&b, old.id().unwrap()).await, None);
        assert_eq!(world.live().await, before, "no orphan");
        Browser::with_id(&issued[0])
            .post(&b.app, "/logout")
            .await
            .is(204);
    }
}

/// Somebody clicks twice: both answers hold an id that works.
async fn two_logins_at_once_are_two_sessions(world: World) {
    let [a, b] = world.instances().await;
    for round in 0..ROUNDS {
        let old = anonymous(&a).await;
        let answers = at_once(2, |turn| {
            let (old, instance) = (old.clone(), [&a, &b][turn].clone());
            async move {
                stagger(turn * round % 11).await;
                ask(&instance, &old, "/login/alice").await.is(200)
            }
        });
        for answer in answers.await {
            let new = answer.new_id().unwrap();
            assert_eq!(user(&a, &new).await.as_deref(), Some("alice"));
        }
        assert_eq!(user(&b, old.id().unwrap()).await, None);
        assert_eq!(a.sessions.revoke_user("alice").await.unwrap(), 2);
        assert_eq!(world.live().await, 0);
    }
}

/// The session has a newer id, under which it lives on. To say 204 would be a lie.
async fn a_logout_that_was_slower_does_not_claim_to_have_happened(world: World) {
    let [a, b] = world.instances().await;
    for round in 0..ROUNDS {
        let mut browser = Browser::new();
        browser.log_in(&a.app, "alice").await;
        let old = browser.clone();
        let gate = b.store.hold(Op::End);
        let faster = async {
            gate.reached().await;
            let path = ["/rotate", "/login/alice"][round % 2];
            browser.post(&a.app, path).await.is(200);
            gate.open();
        };
        let (answer, ()) = join!(ask(&b, &old, "/logout"), faster);
        let answer = answer.is(409);
        assert_eq!(answer.kind(), Some(ErrorKind::Superseded));
        assert!(answer.cookies().is_empty());
        assert_eq!(browser.user(&b.app).await.as_deref(), Some("alice"));
        // With the cookie that the client has by now it works.
        browser.post(&b.app, "/logout").await.is(204);
        assert_eq!(world.live().await, 0);
    }
}
