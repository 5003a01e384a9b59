//! Ending an id because a newer one took its place.

use cloakroom_core::{Committed, Ended, Retired, Rotated, SUPERSEDED_FOR};
use time::Duration;

use super::Fixture;
use super::draft::{Draft, IDLE, set};
use super::fixture::beside;
use super::tasks::both;

pub(super) async fn a_retired_id_is_superseded(f: &Fixture) {
    let old = f.create(f.login("alice").with("a", "1")).await;
    let kept = f.create(f.login("alice")).await;
    assert_eq!(f.first().retire(old.at, Some(1)).await, Retired::Done);
    f.assert_superseded(old.at).await;
    let second = f.second();
    assert_eq!(second.retire(old.at, Some(1)).await, Retired::Already);
    assert_eq!(second.end(old.at).await, Ended::Superseded);
    let to = beside(old.at);
    assert_eq!(second.rotate(old.at, to.digest).await, Rotated::Superseded);
    f.assert_absent(to).await;
    let handles = second.list(&f.user("alice")).await;
    assert_eq!(handles.len(), 1);
    assert_eq!(handles[0].handle, kept.handle);
    assert_eq!(f.sessions().await, 1);
}

pub(super) async fn a_change_meanwhile_is_shown(f: &Fixture) {
    let new = f.login("alice").on_device("phone");
    let new = f.create(new.with("a", "1").with("~r", "0")).await;
    f.second().commit(new.at, &set("b", "2")).await;
    let record = f.record(new.at).await;
    for stale in [0, 1, 3] {
        let retired = f.first().retire(new.at, Some(stale)).await;
        assert_eq!(retired, Retired::Changed(record.clone()));
    }
    assert_eq!(f.record(new.at).await, record, "nothing was done");
    assert_eq!(f.first().retire(new.at, Some(2)).await, Retired::Done);
    f.assert_superseded(new.at).await;
}

pub(super) async fn without_a_revision_it_retires_what_there_is(f: &Fixture) {
    let old = f.create(f.login("alice").with("a", "1")).await.at;
    f.second().commit(old, &set("a", "2")).await;
    assert_eq!(f.first().retire(old, None).await, Retired::Done);
    f.assert_superseded(old).await;
    assert_eq!(f.first().retire(old, None).await, Retired::Already);
    let unknown = f.anonymous().at;
    assert_eq!(f.first().retire(unknown, None).await, Retired::Already);
    f.assert_absent(unknown).await;
    assert_eq!(f.first().list(&f.user("alice")).await, []);
}

pub(super) async fn what_is_gone_gets_no_mark(f: &Fixture) {
    let unknown = f.anonymous();
    let ended = f.create(f.login("alice")).await;
    f.first().end(ended.at).await;
    let expired = f.create(f.anonymous()).await;
    f.pass(IDLE).await;
    for gone in [&unknown, &ended, &expired] {
        assert_eq!(f.second().retire(gone.at, Some(1)).await, Retired::Already);
        f.assert_absent(gone.at).await;
    }
}

pub(super) async fn the_mark_fades(f: &Fixture) {
    let old = f.create(f.anonymous().living(Duration::SECOND, IDLE)).await;
    assert_eq!(f.first().retire(old.at, Some(1)).await, Retired::Done);
    f.pass(SUPERSEDED_FOR / 2).await;
    f.assert_superseded(old.at).await;
    // Looking at it doesn't prolong it, nor does anything else.
    f.first().touch(old.at, Duration::ZERO).await;
    assert_eq!(f.first().retire(old.at, Some(1)).await, Retired::Already);
    f.pass(SUPERSEDED_FOR / 2).await;
    f.assert_absent(old.at).await;
    assert_eq!(f.first().end(old.at).await, Ended::Absent);
}

pub(super) async fn of_two_at_once_one_retires(f: &Fixture) {
    for round in 0..50 {
        let old = f.create(f.login("alice")).await.at;
        let (one, other) = (f.first().clone(), f.second().clone());
        let results = both(
            round,
            async move { one.retire(old, Some(1)).await },
            async move { other.retire(old, Some(1)).await },
        )
        .await;
        assert!(
            matches!(
                results,
                (Retired::Done, Retired::Already) | (Retired::Already, Retired::Done)
            ),
            "{results:?}"
        );
    }
    assert_eq!(f.sessions().await, 0);
}

pub(super) async fn beside_a_commit_no_write_is_lost(f: &Fixture) {
    for round in 0..100 {
        let old = f.create(f.anonymous()).await.at;
        let (one, other) = (f.first().clone(), f.second().clone());
        let (retired, committed) = both(
            round,
            async move { one.retire(old, Some(1)).await },
            async move { other.commit(old, &set("late", "1")).await },
        )
        .await;
        match (retired, committed) {
            (Retired::Done, Committed::Superseded) => f.assert_superseded(old).await,
            (Retired::Changed(record), Committed::Done { revision: 2 }) => {
                assert!(record.attributes.raw("late").is_some(), "it is shown");
                assert_eq!(f.record(old).await, record);
            }
            other => panic!("no order of the two explains {other:?}"),
        }
    }
}
