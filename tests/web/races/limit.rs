//! Many logins of one user at once: the limit holds at every moment.

use std::sync::atomic::{AtomicBool, Ordering};

use cloakroom::{ErrorKind, OnLimit};
use tokio::join;

use super::ROUNDS;
use crate::web::support::{Browser, Instance, World, at_once, on_both};

on_both!(
    two_hundred_logins_at_once_leave_five,
    two_hundred_logins_at_once_let_five_in
);

/// How many log in at once, and how many may.
const LOGINS: usize = 200;
const LIMIT: usize = 5;

async fn instances(world: &World, at_limit: OnLimit) -> Vec<Instance> {
    let mut instances = Vec::new();
    for _ in 0..4 {
        let limited = |b: cloakroom::SessionsBuilder| b.max_sessions_per_user(LIMIT as u32);
        instances.push(world.configured(|b| limited(b).on_limit(at_limit)).await);
    }
    instances
}

/// Looks at the user's sessions for as long as the work lasts; returns the most it saw.
async fn watched<T>(instance: &Instance, user: &str, work: impl Future<Output = T>) -> (T, usize) {
    let done = AtomicBool::new(false);
    let work = async {
        let result = work.await;
        done.store(true, Ordering::SeqCst);
        result
    };
    let watch = async {
        let mut most = 0;
        while !done.load(Ordering::SeqCst) {
            let alive = instance.sessions.list(user).await.unwrap().len();
            assert!(alive <= LIMIT, "{alive} sessions at once");
            most = most.max(alive);
            tokio::task::yield_now().await;
        }
        most
    };
    join!(work, watch)
}

/// How many of these clients are logged in.
async fn alive(instance: &Instance, browsers: &[Browser]) -> usize {
    let users = at_once(browsers.len(), |turn| {
        let (mut browser, app) = (browsers[turn].clone(), instance.app.clone());
        async move { browser.user(&app).await }
    });
    users.await.iter().flatten().count()
}

async fn two_hundred_logins_at_once_leave_five(world: World) {
    let instances = instances(&world, OnLimit::EvictOldest).await;
    for round in 0..ROUNDS {
        let user = format!("user-{round}");
        let logins = at_once(LOGINS, |turn| {
            let (mut browser, user) = (Browser::new(), user.clone());
            let app = instances[turn % 4].app.clone();
            async move {
                browser.log_in(&app, &user).await;
                browser
            }
        });
        let (browsers, _) = watched(&instances[0], &user, logins).await;
        assert_eq!(
            instances[1].sessions.list(&user).await.unwrap().len(),
            LIMIT
        );
        if round % 20 == 0 {
            assert_eq!(alive(&instances[round % 4], &browsers).await, LIMIT);
        }
    }
    let evicted: u64 = instances.iter().map(|i| i.sessions.stats().evicted).sum();
    assert_eq!(evicted, (ROUNDS * (LOGINS - LIMIT)) as u64);
}

async fn two_hundred_logins_at_once_let_five_in(world: World) {
    let instances = instances(&world, OnLimit::Refuse).await;
    for round in 0..ROUNDS {
        let user = format!("user-{round}");
        let logins = at_once(LOGINS, |turn| {
            let app = instances[turn % 4].app.clone();
            let path = format!("/login/{user}");
            async move { Browser::new().post(&app, &path).await }
        });
        let (answers, _) = watched(&instances[0], &user, logins).await;
        let (refused, let_in): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == 403);
        assert_eq!(let_in.len(), LIMIT);
        assert!(
            let_in
                .into_iter()
                .all(|answer| answer.is(200).new_id().is_some())
        );
        for answer in refused {
            assert_eq!(answer.kind(), Some(ErrorKind::LimitReached));
            assert_eq!(answer.new_id(), None);
        }
        assert_eq!(
            instances[1].sessions.list(&user).await.unwrap().len(),
            LIMIT
        );
    }
}
