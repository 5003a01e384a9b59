//! Ending a user's sessions.

use cloakroom_core::{Committed, Handle, NewSession, Rotated, Which};
use time::Duration;

use super::Fixture;
use super::draft::{Draft, IDLE, set};
use super::fixture::beside;

pub(super) async fn one_by_its_name(f: &Fixture) {
    let alice = f.user("alice");
    let sessions = logins(f, "alice", 3).await;
    let (doomed, to) = (&sessions[1], beside(sessions[1].at));
    // The name stays when the id is rotated.
    f.first().rotate(doomed.at, to.digest).await;
    let one = Which::One(doomed.handle);
    assert_eq!(f.second().revoke(&alice, one).await, 1);
    f.assert_absent(to).await;
    assert_eq!(f.second().revoke(&alice, one).await, 0);
    assert!(f.is_live(sessions[0].at).await && f.is_live(sessions[2].at).await);
    assert_eq!(f.first().list(&alice).await.len(), 2);
    assert_eq!(f.sessions().await, 2);
}

pub(super) async fn a_foreign_name_ends_nothing(f: &Fixture) {
    let alices = f.create(f.login("alice")).await;
    let bobs = f.create(f.login("bob")).await;
    let nobodys = f.create(f.anonymous()).await;
    let unknown = f.login("alice").handle;
    let revoke = async |handle: Handle| {
        let which = Which::One(handle);
        f.second().revoke(&f.user("alice"), which).await
    };
    assert_eq!(revoke(bobs.handle).await, 0);
    assert_eq!(revoke(nobodys.handle).await, 0);
    assert_eq!(revoke(unknown).await, 0);
    for new in [alices, bobs, nobodys] {
        assert!(f.is_live(new.at).await);
    }
}

pub(super) async fn all_but_one(f: &Fixture) {
    let alice = f.user("alice");
    let sessions = logins(f, "alice", 5).await;
    let kept = sessions[2].at;
    let others = Which::Others(sessions[2].handle);
    assert_eq!(f.second().revoke(&alice, others).await, 4);
    assert_eq!(f.second().revoke(&alice, others).await, 0);
    assert!(f.is_live(kept).await);
    assert_eq!(f.first().list(&alice).await.len(), 1);
    // An id that isn't the user's keeps nothing.
    let foreign = f.create(f.login("bob")).await;
    let others = Which::Others(foreign.handle);
    assert_eq!(f.second().revoke(&alice, others).await, 1);
    f.assert_absent(kept).await;
    assert!(f.is_live(foreign.at).await);
}

pub(super) async fn all(f: &Fixture) {
    let alice = f.user("alice");
    assert_eq!(f.first().revoke(&alice, Which::All).await, 0);
    let sessions = logins(f, "alice", 300).await;
    assert_eq!(f.second().revoke(&alice, Which::All).await, 300);
    for new in &sessions {
        f.assert_absent(new.at).await;
    }
    assert_eq!(f.first().list(&alice).await, []);
    assert_eq!(f.first().revoke(&alice, Which::All).await, 0);
    assert_eq!(f.sessions().await, 0);
}

pub(super) async fn what_has_expired_is_not_counted(f: &Fixture) {
    let short = f.login("alice").living(Duration::MINUTE, IDLE);
    f.create(short).await;
    let retired = f.create(f.login("alice")).await;
    f.first().retire(retired.at, 1).await;
    f.create(f.login("alice")).await;
    f.pass(Duration::MINUTE).await;
    let count = f.second().revoke(&f.user("alice"), Which::All).await;
    assert_eq!(count, 1);
}

pub(super) async fn nobody_else_is_touched(f: &Fixture) {
    let [bob, nobody] = [f.login("bob"), f.anonymous()];
    for new in [&bob, &nobody] {
        f.first().create(new).await;
    }
    logins(f, "alice", 2).await;
    assert_eq!(f.first().revoke(&f.user("alice"), Which::All).await, 2);
    assert!(f.is_live(bob.at).await && f.is_live(nobody.at).await);
    assert_eq!(f.first().list(&f.user("bob")).await.len(), 1);
}

pub(super) async fn what_is_revoked_can_not_be_written(f: &Fixture) {
    let at = f.create(f.login("alice").with("a", "1")).await.at;
    f.first().revoke(&f.user("alice"), Which::All).await;
    let second = f.second();
    assert_eq!(second.commit(at, &set("a", "2")).await, Committed::Gone);
    second.touch(at, Duration::ZERO).await;
    let to = beside(at);
    assert_eq!(second.rotate(at, to.digest).await, Rotated::Gone);
    f.assert_absent(at).await;
    f.assert_absent(to).await;
    assert_eq!(f.sessions().await, 0);
}

pub(super) async fn the_next_login_lives(f: &Fixture) {
    let alice = f.user("alice");
    for _ in 0..3 {
        let new = f.create(f.login("alice")).await;
        assert!(f.is_live(new.at).await);
        assert_eq!(f.first().list(&alice).await.len(), 1);
        assert_eq!(f.second().revoke(&alice, Which::All).await, 1);
    }
}

pub(super) async fn everyone(f: &Fixture) {
    let mut sessions = logins(f, "alice", 3).await;
    sessions.extend(logins(f, "bob", 2).await);
    for _ in 0..20 {
        sessions.push(f.create(f.anonymous().with("a", "1")).await);
    }
    let to = beside(sessions[0].at);
    f.first().rotate(sessions[0].at, to.digest).await;
    f.second().revoke_everyone().await;
    f.assert_absent(to).await;
    for new in &sessions {
        assert!(!f.is_live(new.at).await);
        let second = f.second();
        assert!(matches!(
            second.commit(new.at, &set("a", "2")).await,
            Committed::Gone | Committed::Superseded
        ));
        second.touch(new.at, Duration::ZERO).await;
        assert!(!f.is_live(new.at).await);
    }
    let last = sessions[4].at;
    assert_eq!(
        f.second().rotate(last, beside(last).digest).await,
        Rotated::Gone
    );
    for user in ["alice", "bob"] {
        assert_eq!(f.first().list(&f.user(user)).await, []);
        assert_eq!(f.first().revoke(&f.user(user), Which::All).await, 0);
    }
    // What comes after it lives, and counts for the limit alone.
    for _ in 0..2 {
        let new = f
            .login("alice")
            .limited(1, cloakroom_core::OnLimit::EvictOldest);
        f.first().create(&new).await;
        assert!(f.is_live(new.at).await);
        assert_eq!(f.first().list(&f.user("alice")).await.len(), 1);
        f.second().revoke_everyone().await;
        f.assert_absent(new.at).await;
    }
}

async fn logins(f: &Fixture, user: &str, count: usize) -> Vec<NewSession> {
    let mut sessions = Vec::new();
    for _ in 0..count {
        sessions.push(f.create(f.login(user)).await);
    }
    sessions
}
