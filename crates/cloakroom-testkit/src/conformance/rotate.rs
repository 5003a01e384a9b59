//! A new id for the same session.

use cloakroom_core::{Committed, Ended, Retired, Rotated};
use time::Duration;

use super::Fixture;
use super::draft::{Draft, IDLE, set};
use super::fixture::beside;

pub(super) async fn everything_moves_but_the_id(f: &Fixture) {
    let mut new = f.login("alice").on_device("phone").with("~d", "1");
    new.lifetime.remembered = true;
    let old = f.create(new.with("a", "1")).await.at;
    f.pass(Duration::MINUTE).await;
    let before = f.record(old).await;
    let to = beside(old);
    let rotated = f.second().rotate(old, to.digest).await;
    assert_eq!(rotated, Rotated::Done { revision: 2 });
    f.assert_superseded(old).await;
    let after = f.record(to).await;
    let mut expected = (*before).clone();
    (expected.digest, expected.revision) = (to.digest, 2);
    expected.last_seen = after.last_seen;
    assert_eq!(*after, expected);
    assert!(after.last_seen > before.last_seen, "a rotation is a use");
    let committed = f.first().commit(to, &set("a", "2")).await;
    assert_eq!(committed, Committed::Done { revision: 3 });
    assert_eq!(
        f.first().commit(old, &set("a", "3")).await,
        Committed::Superseded
    );
    assert_eq!(f.sessions().await, 1);
}

pub(super) async fn the_place_in_the_list_is_kept(f: &Fixture) {
    let mut handles = Vec::new();
    let mut oldest = None;
    for _ in 0..3 {
        let new = f.create(f.login("alice")).await;
        handles.push(new.handle);
        oldest.get_or_insert(new.at);
    }
    let oldest = oldest.expect("three were made");
    f.first().rotate(oldest, beside(oldest).digest).await;
    let listed = f.second().list(&f.user("alice")).await;
    let listed: Vec<_> = listed.iter().map(|session| session.handle).collect();
    assert_eq!(listed, handles);
}

pub(super) async fn it_can_be_repeated(f: &Fixture) {
    let mut at = f.create(f.login("alice").with("a", "1")).await.at;
    for revision in 2..8 {
        let to = beside(at);
        let rotated = f.instance(revision as usize).rotate(at, to.digest).await;
        assert_eq!(rotated, Rotated::Done { revision });
        f.assert_superseded(at).await;
        at = to;
    }
    assert!(f.record(at).await.attributes.raw("a").is_some());
    assert_eq!(f.sessions().await, 1);
    assert_eq!(f.first().list(&f.user("alice")).await.len(), 1);
}

pub(super) async fn the_absolute_deadline_is_kept(f: &Fixture) {
    let new = f.anonymous().living(IDLE, Duration::HOUR);
    let mut at = f.create(new).await.at;
    for _ in 0..2 {
        f.pass(Duration::minutes(20)).await;
        let before = f.record(at).await;
        let to = beside(at);
        f.first().rotate(at, to.digest).await;
        at = to;
        let after = f.record(at).await;
        assert_eq!(after.absolute_deadline, before.absolute_deadline);
        assert_eq!(after.created_at, before.created_at);
    }
    f.pass(Duration::minutes(20)).await;
    f.assert_absent(at).await;
    let rotated = f.first().rotate(at, beside(at).digest).await;
    assert_eq!(rotated, Rotated::Gone);
}

pub(super) async fn an_anonymous_session_stays_out_of_every_list(f: &Fixture) {
    let at = f.create(f.anonymous()).await.at;
    let to = beside(at);
    let rotated = f.first().rotate(at, to.digest).await;
    assert_eq!(rotated, Rotated::Done { revision: 2 });
    assert_eq!(f.record(to).await.login, None);
    for user in ["alice", "-", "0", "nil", "false"] {
        assert_eq!(f.first().list(&f.user(user)).await, []);
    }
}

pub(super) async fn a_collision_changes_nothing(f: &Fixture) {
    let mine = f.create(f.login("alice").with("a", "1")).await;
    let theirs = f.create(f.login("alice").with("b", "2")).await;
    let marked = f.create(f.login("alice")).await;
    assert_eq!(f.first().retire(marked.at, 1).await, Retired::Done);
    let (my_record, their_record) = (f.record(mine.at).await, f.record(theirs.at).await);
    for to in [theirs.at, marked.at, mine.at] {
        let rotated = f.second().rotate(mine.at, to.digest).await;
        assert_eq!(rotated, Rotated::Collision);
        assert_eq!(f.record(mine.at).await, my_record);
        assert_eq!(f.record(theirs.at).await, their_record);
        f.assert_superseded(marked.at).await;
    }
    assert_eq!(f.first().list(&f.user("alice")).await.len(), 2);
}

pub(super) async fn what_is_gone_is_refused(f: &Fixture) {
    let unknown = f.anonymous().at;
    let expired = f.create(f.login("alice")).await.at;
    f.pass(IDLE).await;
    let ended = f.create(f.login("alice")).await.at;
    assert_eq!(f.first().end(ended).await, Ended::Done);
    for gone in [unknown, ended, expired] {
        let to = beside(gone);
        assert_eq!(f.second().rotate(gone, to.digest).await, Rotated::Gone);
        assert!(!f.is_live(gone).await);
        f.assert_absent(to).await;
    }
    f.assert_ended(ended).await;
    // The truth about the old id comes before that about the new one.
    let other = f.create(f.login("alice")).await.at;
    let rotated = f.second().rotate(ended, other.digest).await;
    assert_eq!(rotated, Rotated::Gone);
    assert_eq!(f.record(other).await.revision, 1);
    assert_eq!(f.sessions().await, 1);
}

pub(super) async fn a_superseded_id_is_refused(f: &Fixture) {
    let old = f.create(f.login("alice")).await.at;
    let to = beside(old);
    f.first().rotate(old, to.digest).await;
    let late = beside(old);
    for to in [late, to] {
        let rotated = f.second().rotate(old, to.digest).await;
        assert_eq!(rotated, Rotated::Superseded);
    }
    f.assert_absent(late).await;
    assert_eq!(f.record(to).await.revision, 2);
    assert_eq!(f.sessions().await, 1);
}
