//! Rotations beside something else.

use cloakroom_core::{Committed, Ended, Rotated};
use time::Duration;

use super::Fixture;
use super::draft::{Draft, set};
use super::fixture::beside;
use super::tasks::{all, both};

pub(super) async fn of_two_at_once_one_wins(f: &Fixture) {
    for round in 1..=50 {
        let old = f.create(f.login("alice").with("a", "1")).await.at;
        let (left, right) = (beside(old), beside(old));
        let (one, other) = (f.first().clone(), f.second().clone());
        let results = both(
            round,
            async move { one.rotate(old, left.digest).await },
            async move { other.rotate(old, right.digest).await },
        )
        .await;
        let (winner, loser) = match results {
            (Rotated::Done { revision: 2 }, Rotated::Superseded) => (left, right),
            (Rotated::Superseded, Rotated::Done { revision: 2 }) => (right, left),
            both => panic!("not exactly one has won: {both:?}"),
        };
        assert!(f.record(winner).await.attributes.raw("a").is_some());
        f.assert_absent(loser).await;
        f.assert_superseded(old).await;
        assert_eq!(f.sessions().await, round, "no orphan");
        assert_eq!(f.first().list(&f.user("alice")).await.len(), round);
    }
}

pub(super) async fn beside_a_commit_no_write_is_lost(f: &Fixture) {
    for round in 0..100 {
        let old = f.create(f.anonymous()).await.at;
        let to = beside(old);
        let (one, other) = (f.first().clone(), f.second().clone());
        let (rotated, committed) = both(
            round,
            async move { one.rotate(old, to.digest).await },
            async move { other.commit(old, &set("late", "1")).await },
        )
        .await;
        let record = f.record(to).await;
        match (rotated, committed) {
            (Rotated::Done { revision: 3 }, Committed::Done { revision: 2 }) => {
                assert!(record.attributes.raw("late").is_some(), "it moved along");
            }
            (Rotated::Done { revision: 2 }, Committed::Superseded) => {
                assert!(record.attributes.is_empty());
            }
            other => panic!("no order of the two explains {other:?}"),
        }
    }
}

pub(super) async fn beside_an_end_nothing_is_left_half_done(f: &Fixture) {
    for round in 0..100 {
        let old = f.create(f.login("alice")).await.at;
        let to = beside(old);
        let (one, other) = (f.first().clone(), f.second().clone());
        let (rotated, ended) = both(
            round,
            async move { one.rotate(old, to.digest).await },
            async move { other.end(old).await },
        )
        .await;
        match (rotated, ended) {
            (Rotated::Done { .. }, Ended::Superseded) => {
                f.assert_superseded(old).await;
                assert_eq!(f.first().end(to).await, Ended::Done);
            }
            (Rotated::Gone, Ended::Done) => {
                f.assert_ended(old).await;
                f.assert_absent(to).await;
            }
            other => panic!("no order of the two explains {other:?}"),
        }
        assert_eq!(f.sessions().await, 0);
    }
    assert_eq!(f.first().list(&f.user("alice")).await, []);
}

pub(super) async fn beside_touches_the_old_id_stays_superseded(f: &Fixture) {
    for _ in 0..50 {
        let old = f.create(f.login("alice")).await.at;
        let to = beside(old);
        let touches = (0..8).map(|n| {
            let instance = f.instance(n);
            async move {
                if n == 4 {
                    let rotated = instance.rotate(old, to.digest).await;
                    assert_eq!(rotated, Rotated::Done { revision: 2 });
                }
                instance.touch(old, Duration::ZERO).await;
            }
        });
        all(touches).await;
        f.assert_superseded(old).await;
        assert_eq!(f.record(to).await.revision, 2);
    }
    assert_eq!(f.sessions().await, 50);
}
