//! Ending one session.

use cloakroom_core::{Committed, Created, Ended, MARKED_FOR, Retired, Rotated};
use time::Duration;

use super::Fixture;
use super::draft::{Draft, set};
use super::fixture::beside;
use super::tasks::both;

pub(super) async fn an_ended_session_is_gone_everywhere(f: &Fixture) {
    let new = f.create(f.login("alice").with("a", "1")).await;
    let kept = f.create(f.login("alice")).await;
    assert_eq!(f.first().end(new.at).await, Ended::Done);
    f.assert_ended(new.at).await;
    let second = f.second();
    assert_eq!(second.commit(new.at, &set("a", "2")).await, Committed::Gone);
    let to = beside(new.at);
    assert_eq!(second.rotate(new.at, to.digest).await, Rotated::Gone);
    assert_eq!(second.retire(new.at, 1).await, Retired::Already);
    second.touch(new.at, Duration::ZERO).await;
    assert_eq!(second.create(&new).await, Created::Collision);
    f.assert_ended(new.at).await;
    let listed = second.list(&f.user("alice")).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].handle, kept.handle);
    assert_eq!(f.sessions().await, 1);
}

pub(super) async fn it_can_be_repeated(f: &Fixture) {
    assert_eq!(f.first().end(f.anonymous().at).await, Ended::Absent);
    for new in [f.anonymous(), f.login("alice")] {
        let at = f.create(new).await.at;
        assert_eq!(f.first().end(at).await, Ended::Done);
        assert_eq!(f.first().end(at).await, Ended::Already);
        assert_eq!(f.second().end(at).await, Ended::Already);
    }
    assert_eq!(f.sessions().await, 0);
}

pub(super) async fn its_mark_fades(f: &Fixture) {
    let at = f.create(f.anonymous()).await.at;
    f.first().end(at).await;
    f.pass(MARKED_FOR / 2).await;
    // Nothing prolongs it.
    f.assert_ended(at).await;
    f.second().touch(at, Duration::ZERO).await;
    assert_eq!(f.first().end(at).await, Ended::Already);
    f.pass(MARKED_FOR / 2).await;
    f.assert_absent(at).await;
    assert_eq!(f.first().end(at).await, Ended::Absent);
}

pub(super) async fn a_superseded_id_ends_nothing(f: &Fixture) {
    let old = f.create(f.login("alice")).await.at;
    let to = beside(old);
    f.first().rotate(old, to.digest).await;
    assert_eq!(f.second().end(old).await, Ended::Superseded);
    assert!(f.is_live(to).await);
    f.assert_superseded(old).await;
    assert_eq!(f.second().end(to).await, Ended::Done);
    assert_eq!(f.sessions().await, 0);
}

pub(super) async fn a_commit_beside_it_brings_nothing_back(f: &Fixture) {
    for round in 0..200 {
        let at = f.create(f.login("alice").with("a", "1")).await.at;
        let (one, other) = (f.first().clone(), f.second().clone());
        let (committed, ended) = both(
            round,
            async move { one.commit(at, &set("a", "2")).await },
            async move { other.end(at).await },
        )
        .await;
        assert_eq!(ended, Ended::Done);
        assert!(
            matches!(committed, Committed::Done { revision: 2 } | Committed::Gone),
            "{committed:?}"
        );
        f.assert_ended(at).await;
    }
    assert_eq!(f.sessions().await, 0);
    assert_eq!(f.first().list(&f.user("alice")).await, []);
}

pub(super) async fn a_touch_beside_it_brings_nothing_back(f: &Fixture) {
    for round in 0..200 {
        let at = f.create(f.anonymous()).await.at;
        let (one, other) = (f.first().clone(), f.second().clone());
        let ((), ended) = both(
            round,
            async move { one.touch(at, Duration::ZERO).await },
            async move { other.end(at).await },
        )
        .await;
        assert_eq!(ended, Ended::Done);
        f.assert_ended(at).await;
    }
    assert_eq!(f.sessions().await, 0);
}
