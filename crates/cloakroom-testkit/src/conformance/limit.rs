//! How many sessions a user may have.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cloakroom_core::{Created, NewSession, OnLimit};
use time::Duration;

use super::Fixture;
use super::draft::{Draft, IDLE, set};
use super::fixture::beside;
use super::tasks::all;

use OnLimit::{EvictOldest, Refuse};

pub(super) async fn the_oldest_login_goes(f: &Fixture) {
    let mut sessions = Vec::new();
    for n in 0..6 {
        let new = f.login("alice").limited(3, EvictOldest);
        let evicted = evicted(f.instance(n).create(&new).await);
        assert_eq!(evicted, u64::from(n >= 3), "login {n}");
        sessions.push(new.at);
        for (other, at) in sessions.iter().enumerate() {
            assert_eq!(f.is_live(*at).await, other + 3 > n, "{other} after {n}");
        }
    }
    assert_eq!(f.sessions().await, 3);
}

pub(super) async fn use_and_rotation_do_not_make_a_login_younger(f: &Fixture) {
    let [first, second, third] = [0; 3].map(|_| f.login("alice").limited(2, EvictOldest));
    f.first().create(&first).await;
    f.first().create(&second).await;
    f.pass(Duration::MINUTE).await;
    f.first().commit(first.at, &set("a", "1")).await;
    f.first().touch(first.at, Duration::ZERO).await;
    let to = beside(first.at);
    f.first().rotate(first.at, to.digest).await;
    assert_eq!(evicted(f.second().create(&third).await), 1);
    f.assert_absent(to).await;
    assert!(f.is_live(second.at).await && f.is_live(third.at).await);
}

pub(super) async fn a_refused_login_writes_nothing(f: &Fixture) {
    let new = || f.login("alice").limited(2, Refuse);
    let sessions = [new(), new()];
    for new in &sessions {
        assert_eq!(evicted(f.first().create(new).await), 0);
    }
    let late = new();
    assert_eq!(f.second().create(&late).await, Created::LimitReached);
    f.assert_absent(late.at).await;
    assert_eq!(f.first().list(&f.user("alice")).await.len(), 2);
    for new in &sessions {
        assert_eq!(f.record(new.at).await.revision, 1);
    }
    f.first().end(sessions[0].at).await;
    assert_eq!(evicted(f.second().create(&late).await), 0);
}

pub(super) async fn what_is_replaced_does_not_count(f: &Fixture) {
    for at_limit in [EvictOldest, Refuse] {
        let user = format!("{at_limit:?}");
        let new = || f.login(&user).limited(2, at_limit);
        let [first, second] = [new(), new()];
        f.first().create(&first).await;
        f.first().create(&second).await;
        let again = new().replacing(first.at.digest, 1);
        assert_eq!(evicted(f.second().create(&again).await), 0);
        f.assert_superseded(first.at).await;
        assert!(f.is_live(second.at).await && f.is_live(again.at).await);
        assert_eq!(f.first().list(&f.user(&user)).await.len(), 2);
        // What isn't the user's own makes no room.
        let stranger = f.create(f.anonymous()).await;
        let late = new().replacing(stranger.at.digest, 1);
        match f.second().create(&late).await {
            Created::LimitReached => assert_eq!(at_limit, Refuse),
            done => assert_eq!((evicted(done), at_limit), (1, EvictOldest)),
        }
        assert!(f.is_live(stranger.at).await);
    }
}

pub(super) async fn a_lower_limit_ends_all_beyond_it(f: &Fixture) {
    let mut sessions = Vec::new();
    for _ in 0..8 {
        sessions.push(f.create(f.login("alice").limited(10, EvictOldest)).await);
    }
    let refused = f.login("alice").limited(3, Refuse);
    assert_eq!(f.second().create(&refused).await, Created::LimitReached);
    let new = f.login("alice").limited(3, EvictOldest);
    assert_eq!(evicted(f.second().create(&new).await), 6);
    for (n, session) in sessions.iter().enumerate() {
        assert_eq!(f.is_live(session.at).await, n >= 6, "login {n}");
    }
    assert_eq!(f.first().list(&f.user("alice")).await.len(), 3);
    assert_eq!(f.sessions().await, 3);
}

pub(super) async fn what_has_ended_does_not_count(f: &Fixture) {
    let new = || f.login("alice").limited(2, Refuse);
    let short = new().living(Duration::MINUTE, IDLE);
    f.create(short).await;
    let retired = f.create(new()).await;
    f.first().retire(retired.at, 1).await;
    let ended = f.create(new()).await;
    f.first().end(ended.at).await;
    f.pass(Duration::MINUTE).await;
    f.create(new()).await;
    f.create(new()).await;
    assert_eq!(f.first().create(&new()).await, Created::LimitReached);
}

pub(super) async fn nobody_else_counts(f: &Fixture) {
    for _ in 0..3 {
        f.create(f.login("bob")).await;
        f.create(f.anonymous()).await;
    }
    f.create(f.login("alice").limited(1, Refuse)).await;
    let new = f.login("alice").limited(1, EvictOldest);
    assert_eq!(evicted(f.second().create(&new).await), 1);
    assert_eq!(f.first().list(&f.user("bob")).await.len(), 3);
    assert_eq!(f.sessions().await, 7);
}

pub(super) async fn the_smallest_limit_is_one(f: &Fixture) {
    for max in [1, 0] {
        let user = format!("limit {max}");
        let new = |at_limit| f.login(&user).limited(max, at_limit);
        f.create(new(Refuse)).await;
        let late = new(Refuse);
        assert_eq!(f.first().create(&late).await, Created::LimitReached);
        assert_eq!(evicted(f.first().create(&new(EvictOldest)).await), 1);
        assert_eq!(f.first().list(&f.user(&user)).await.len(), 1);
    }
}

pub(super) async fn without_one_there_is_none(f: &Fixture) {
    // Some expire, so that each login finds something to clear away beside what lives.
    for n in 0..60 {
        let idle = Duration::minutes(if n % 2 == 0 { 1 } else { 30 });
        f.create(f.login("alice").living(idle, IDLE)).await;
        f.pass(Duration::SECOND).await;
    }
    f.pass(Duration::MINUTE).await;
    f.create(f.login("alice")).await;
    assert_eq!(f.first().list(&f.user("alice")).await.len(), 31);
    assert_eq!(f.sessions().await, 31);
}

pub(super) async fn it_holds_at_every_moment(f: &Fixture) {
    let stop = Arc::new(AtomicBool::new(false));
    let (sampler, alice, stopped) = (f.instance(3), f.user("alice"), stop.clone());
    let samples = tokio::spawn(async move {
        let mut most = 0;
        while !stopped.load(Ordering::SeqCst) {
            most = most.max(sampler.list(&alice).await.len());
            tokio::task::yield_now().await;
        }
        most
    });
    let created = all(two_hundred(f, EvictOldest)).await;
    stop.store(true, Ordering::SeqCst);
    assert!(samples.await.expect("sampling goes well") <= 5);
    assert_eq!(created.into_iter().map(evicted).sum::<u64>(), 195);
    assert_eq!(f.first().list(&f.user("alice")).await.len(), 5);
    assert_eq!(f.sessions().await, 5);
}

pub(super) async fn refusals_are_exact(f: &Fixture) {
    let created = all(two_hundred(f, Refuse)).await;
    let refused = |created: &&Created| **created == Created::LimitReached;
    assert_eq!(created.iter().filter(refused).count(), 195);
    assert_eq!(f.first().list(&f.user("alice")).await.len(), 5);
    assert_eq!(f.sessions().await, 5);
}

/// 200 logins of one user from all instances, under a limit of 5.
fn two_hundred(f: &Fixture, at_limit: OnLimit) -> Vec<impl Future<Output = Created> + use<>> {
    let login = |n| {
        let (instance, new): (_, NewSession) =
            (f.instance(n), f.login("alice").limited(5, at_limit));
        async move { instance.create(&new).await }
    };
    (0..200).map(login).collect()
}

fn evicted(created: Created) -> u64 {
    match created {
        Created::Done { evicted, .. } => evicted,
        other => panic!("it should have been made: {other:?}"),
    }
}
