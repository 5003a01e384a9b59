//! A user's sessions.

use std::collections::BTreeSet;

use cloakroom_core::{ErrorKind, Listed};
use time::Duration;

use super::Fixture;
use super::draft::{Draft, IDLE};
use super::fixture::beside;
use super::tasks::all;

pub(super) async fn a_users_sessions_come_by_time_of_login(f: &Fixture) {
    let alice = f.user("alice");
    assert_eq!(f.first().list(&alice).await, []);
    let mut expected = Vec::new();
    for n in 0..30 {
        let new = f.login("alice");
        f.instance(n).create(&new).await;
        expected.push(new.handle);
    }
    for instance in f.instances() {
        let listed = instance.list(&alice).await;
        let handles: Vec<_> = listed.iter().map(|session| session.handle).collect();
        assert_eq!(handles, expected);
    }
}

pub(super) async fn it_tells_what_the_session_is(f: &Fixture) {
    let mut new = f.login("alice").on_device("📱 «Alice»");
    new.lifetime.remembered = true;
    let labelled = f.create(new).await;
    let plain = f.create(f.login("alice")).await;
    f.pass(Duration::MINUTE).await;
    f.first().touch(labelled.at, Duration::ZERO).await;
    let listed = f.second().list(&f.user("alice")).await;
    for (session, new) in listed.iter().zip([&labelled, &plain]) {
        let record = f.record(new.at).await;
        let login = record.login.clone().expect("a login");
        let expected = Listed {
            handle: new.handle,
            device: login.device,
            created_at: record.created_at,
            authenticated_at: login.authenticated_at,
            last_seen: record.last_seen,
            remembered: record.remembered,
        };
        assert_eq!(*session, expected);
    }
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].device.as_deref(), Some("📱 «Alice»"));
    assert!(listed[0].last_seen > listed[0].created_at);
}

pub(super) async fn it_shows_nobody_elses(f: &Fixture) {
    f.create(f.anonymous()).await;
    let alices = f.create(f.login("alice")).await;
    let bobs = f.create(f.login("bob")).await;
    for (user, own) in [("alice", alices), ("bob", bobs)] {
        let listed = f.first().list(&f.user(user)).await;
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].handle, own.handle);
    }
    assert_eq!(f.first().list(&f.user("carol")).await, []);
}

pub(super) async fn what_has_ended_leaves_it(f: &Fixture) {
    let alice = f.user("alice");
    let [ended, retired, rotated, kept] = [0; 4].map(|_| f.login("alice"));
    for new in [&ended, &retired, &rotated, &kept] {
        f.first().create(new).await;
    }
    f.first().end(ended.at).await;
    f.first().retire(retired.at, 1).await;
    let to = beside(rotated.at);
    f.first().rotate(rotated.at, to.digest).await;
    let handles = |listed: &[Listed]| listed.iter().map(|s| s.handle).collect::<Vec<_>>();
    let listed = f.second().list(&alice).await;
    assert_eq!(handles(&listed), [rotated.handle, kept.handle]);
    f.second().end(kept.at).await;
    f.second().end(rotated.at).await;
    let listed = f.first().list(&alice).await;
    assert_eq!(
        handles(&listed),
        [rotated.handle],
        "its old id ends nothing"
    );
    f.second().end(to).await;
    assert_eq!(f.first().list(&alice).await, []);
}

pub(super) async fn what_has_expired_leaves_it(f: &Fixture) {
    let (alice, minute) = (f.user("alice"), Duration::MINUTE);
    let short = f.login("alice").living(minute, IDLE);
    let last = f.login("alice").living(IDLE, 2 * minute);
    let (short, last, kept) = (
        f.create(short).await,
        f.create(last).await,
        f.create(f.login("alice")).await,
    );
    let mut expected = vec![short.handle, last.handle, kept.handle];
    for _ in 0..3 {
        let listed = f.second().list(&alice).await;
        let handles: Vec<_> = listed.iter().map(|session| session.handle).collect();
        assert_eq!(handles, expected);
        f.pass(minute).await;
        if expected.len() > 1 {
            expected.remove(0);
        }
    }
    f.pass(IDLE).await;
    assert_eq!(f.first().list(&alice).await, []);
    assert_eq!(f.sessions().await, 0);
}

pub(super) async fn any_user_id_is_a_user_of_its_own(f: &Fixture) {
    let long = "x".repeat(256);
    let ids = [
        "a", "A", "a ", "é", "e\u{301}", "🧥", "{a}", "a:b", "0", "*", &*long,
    ];
    for id in ids {
        f.create(f.login(id)).await;
    }
    for id in ids {
        assert_eq!(f.second().list(&f.user(id)).await.len(), 1, "{id:?}");
    }
    for bad in ["", &*format!("{long}x")] {
        let error = f.first().store().user(bad).expect_err("nobody's id");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

/// Listing clears away what has expired: never what is just being made.
pub(super) async fn logins_beside_it_are_not_dropped(f: &Fixture) {
    let alice = f.user("alice");
    for _ in 0..20 {
        let ghost = f.login("alice").living(Duration::SECOND, IDLE);
        f.create(ghost).await;
    }
    f.pass(Duration::SECOND).await;
    let logins: Vec<_> = (0..50).map(|_| f.login("alice")).collect();
    let made = logins.clone().into_iter().enumerate().map(|(n, new)| {
        let (instance, other, alice) = (f.instance(n), f.instance(n + 1), alice.clone());
        async move {
            instance.create(&new).await;
            let listed = other.list(&alice).await;
            listed.iter().any(|session| session.handle == new.handle)
        }
    });
    assert!(all(made).await.into_iter().all(|seen| seen));
    let listed = f.first().list(&alice).await;
    let listed: BTreeSet<_> = listed.iter().map(|session| session.handle).collect();
    assert_eq!(listed, logins.iter().map(|new| new.handle).collect());
}
