//! Ending an id because a newer one took its place.

use cloakroom_core::{Committed, Ended, MARKED_FOR, Retired, Rotated, Which};
use time::Duration;

use super::Fixture;
use super::draft::{Draft, IDLE, set};
use super::fixture::beside;
use super::tasks::both;

pub(super) async fn a_retired_id_is_superseded(f: &Fixture) {
    let old = f.create(f.login("alice").with("a", "1")).await;
    let kept = f.create(f.login("alice")).await;
    assert_eq!(f.first().retire(old.at, 1).await, Retired::Done);
    f.assert_superseded(old.at).await;
    let second = f.second();
    assert_eq!(second.retire(old.at, 1).await, Retired::Already);
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
    let retired = f.first().retire(new.at, 1).await;
    assert_eq!(retired, Retired::Late(record));
    f.assert_superseded(new.at).await;
    assert_eq!(f.first().list(&f.user("alice")).await, []);
    assert_eq!(f.first().retire(new.at, 1).await, Retired::Already);
}

pub(super) async fn an_id_that_leads_nowhere_is_marked_too(f: &Fixture) {
    let unknown = f.anonymous();
    let revoked = f.create(f.login("alice")).await;
    f.first().revoke(&f.user("alice"), Which::All).await;
    let expired = f.create(f.anonymous()).await;
    f.pass(IDLE).await;
    for gone in [&unknown, &revoked, &expired] {
        assert_eq!(f.second().retire(gone.at, 1).await, Retired::Already);
        f.assert_superseded(gone.at).await;
    }
    assert_eq!(f.sessions().await, 0);
}

pub(super) async fn one_that_its_client_ended_stays_so(f: &Fixture) {
    let ended = f.create(f.login("alice")).await;
    f.first().end(ended.at).await;
    assert_eq!(f.second().retire(ended.at, 1).await, Retired::Already);
    f.assert_ended(ended.at).await;
}

pub(super) async fn the_mark_fades(f: &Fixture) {
    let old = f.create(f.anonymous().living(Duration::SECOND, IDLE)).await;
    assert_eq!(f.first().retire(old.at, 1).await, Retired::Done);
    f.pass(MARKED_FOR / 2).await;
    f.assert_superseded(old.at).await;
    // Looking at it doesn't prolong it, nor does anything else.
    f.first().touch(old.at, Duration::ZERO).await;
    assert_eq!(f.first().retire(old.at, 1).await, Retired::Already);
    f.pass(MARKED_FOR / 2).await;
    f.assert_absent(old.at).await;
    assert_eq!(f.first().end(old.at).await, Ended::Absent);
}

pub(super) async fn of_two_at_once_one_retires(f: &Fixture) {
    for round in 0..50 {
        let old = f.create(f.login("alice")).await.at;
        let (one, other) = (f.first().clone(), f.second().clone());
        let results = both(round, async move { one.retire(old, 1).await }, async move {
            other.retire(old, 1).await
        })
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
        let (retired, committed) =
            both(round, async move { one.retire(old, 1).await }, async move {
                other.commit(old, &set("late", "1")).await
            })
            .await;
        match (retired, committed) {
            (Retired::Done, Committed::Superseded) => f.assert_superseded(old).await,
            (Retired::Late(record), Committed::Done { revision: 2 }) => {
                assert!(record.attributes.raw("late").is_some(), "it is shown");
                f.assert_superseded(old).await;
            }
            other => panic!("no order of the two explains {other:?}"),
        }
    }
}
