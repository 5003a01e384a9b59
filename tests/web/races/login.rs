//! Requests with the old id around a login: they leave the new one alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use http::Method;
use tokio::join;

use super::{ROUNDS, anonymous, stagger};
use crate::web::support::{Answer, Browser, Instance, World, at_once, call, on_both};

on_both!(
    requests_around_a_login_leave_the_new_cookie_alone,
    writers_without_pause_lose_nothing_to_a_login,
);

async fn ask(app: &Router, browser: &Browser, method: Method, path: &str) -> Answer {
    let request = browser.request(method, path);
    call(app, request.body("late".into()).unwrap()).await
}

/// What the sixteen requests beside a login do.
fn request(turn: usize) -> (Method, String) {
    match turn % 4 {
        0 => (Method::GET, "/info".into()),
        1 => (Method::PUT, format!("/attr/key-{turn}")),
        2 => (Method::PUT, format!("/lazy/key-{turn}")),
        _ => (Method::POST, format!("/append/list-{turn}/item")),
    }
}

/// The old id is nobody's, on any instance, and its answers leave the cookies alone.
async fn is_nobody(instances: [&Instance; 2], old: &Browser) {
    for instance in instances {
        for (method, path) in [
            (Method::GET, "/info"),
            (Method::PUT, "/attr/k"),
            (Method::PUT, "/lazy/k"),
            (Method::POST, "/counter"),
            (Method::POST, "/rotate"),
            (Method::POST, "/logout"),
        ] {
            let answer = ask(&instance.app, old, method, path).await;
            assert!(!answer.text.contains("alice"), "{answer:?}");
            assert!(
                answer.status.as_u16() < 500 && answer.cookies().is_empty(),
                "{answer:?}"
            );
        }
    }
}

async fn requests_around_a_login_leave_the_new_cookie_alone(world: World) {
    let [a, b] = world.instances().await;
    let mut kept = 0;
    for round in 0..ROUNDS {
        let old = anonymous(&a).await;
        let mut browser = old.clone();
        let others = at_once(16, |turn| {
            let (old, app) = (old.clone(), if turn % 2 == 0 { &a } else { &b }.app.clone());
            let (method, path) = request(turn);
            async move {
                stagger((turn * round) % 11).await;
                (turn, ask(&app, &old, method, &path).await)
            }
        });
        let login = async {
            stagger(round % 13).await;
            browser.log_in(&a.app, "alice").await
        };
        let (others, _) = join!(others, login);
        for (turn, answer) in &others {
            assert!(answer.status.as_u16() < 500, "{answer:?}");
            assert_eq!(answer.id_cookie(), None, "{answer:?}");
            kept += usize::from(is_kept(&b, &mut browser, *turn, answer).await);
        }
        assert_eq!(
            browser.attr(&b.app, "first").await.as_deref(),
            Some("first")
        );
        is_nobody([&a, &b], &old).await;
        assert_eq!(browser.user(&b.app).await.as_deref(), Some("alice"));
        browser.post(&b.app, "/logout").await.is(204);
    }
    println!(
        "{kept} of {} overlapping writes were made, and all kept",
        ROUNDS * 12
    );
}

/// What the answer says was written is in the new session; says whether it was.
async fn is_kept(instance: &Instance, browser: &mut Browser, turn: usize, answer: &Answer) -> bool {
    let (method, path) = request(turn);
    // Whoever is told a revision has written.
    if method == Method::GET || answer.revision_cookie().is_none() {
        return false;
    }
    let key = path.split('/').nth(2).unwrap();
    let held = browser.get(&instance.app, &format!("/attr/{key}")).await;
    // A list does not decode as a text: it is there.
    let expected = if method == Method::PUT { 200 } else { 500 };
    assert_eq!(held.status, expected, "{key} is lost: {answer:?}");
    true
}

/// What is appended while the login runs, and acknowledged, is in the new session.
async fn writers_without_pause_lose_nothing_to_a_login(world: World) {
    let [a, b] = world.instances().await;
    let mut all = 0;
    for round in 0..ROUNDS {
        let old = anonymous(&a).await;
        let mut browser = old.clone();
        let done = Arc::new(AtomicBool::new(false));
        let writers = at_once(8, |turn| {
            let (old, done) = (old.clone(), Arc::clone(&done));
            write_until(
                if turn % 2 == 0 { &a } else { &b }.app.clone(),
                old,
                turn,
                done,
            )
        });
        let login = async {
            stagger(round % 13).await;
            browser.log_in(&a.app, "alice").await;
            done.store(true, Ordering::SeqCst);
        };
        let (written, ()) = join!(writers, login);
        for (turn, count) in written.into_iter().enumerate() {
            let list = browser
                .post(&b.app, &format!("/append/list-{turn}/end"))
                .await
                .is(200);
            let list: Vec<String> = serde_json::from_str(&list.text).unwrap();
            let expected: Vec<_> = (0..count).map(|n| n.to_string()).collect();
            assert_eq!(list[..list.len() - 1], expected, "acknowledged and lost");
            all += count;
        }
    }
    println!("{all} appends while {ROUNDS} logins ran, all kept");
}

/// Appends to a list of its own until it is refused or done; returns how often it succeeded.
async fn write_until(app: Router, old: Browser, turn: usize, done: Arc<AtomicBool>) -> usize {
    let mut written = 0;
    while !done.load(Ordering::SeqCst) {
        let path = format!("/append/list-{turn}/{written}");
        let answer = ask(&app, &old, Method::POST, &path).await;
        if answer.revision_cookie().is_none() {
            break;
        }
        answer.is(200);
        written += 1;
    }
    written
}
