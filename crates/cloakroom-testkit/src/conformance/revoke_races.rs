//! Revocations beside something else.

use std::sync::{Arc, Mutex};

use cloakroom_core::{Address, Committed, Created, Rotated, Which};
use time::OffsetDateTime;

use super::draft::{Draft, set};
use super::fixture::beside;
use super::tasks::both;
use super::{Fixture, Instance};

/// What logins have told so far: the session, and when the store made it.
type Told = Arc<Mutex<Vec<(Address, OffsetDateTime)>>>;

/// A revocation takes effect at one moment: all that was made before it is dead, and all that is
/// alive was made after it.
pub(super) async fn logins_before_it_die(f: &Fixture) {
    let alice = f.user("alice");
    for round in 1..=5 {
        let told = Told::default();
        let logins: Vec<_> = (0..50)
            .map(|n| tokio::spawn(login(f.instance(n), f.login("alice"), told.clone())))
            .collect();
        while told.lock().unwrap().len() < 5 * round {
            tokio::task::yield_now().await;
        }
        let before: Vec<_> = told.lock().unwrap().clone();
        let count = f.second().revoke(&alice, Which::All).await;
        for (at, _) in &before {
            f.assert_absent(*at).await;
        }
        for login in logins {
            login.await.expect("a login goes well");
        }
        let made = told.lock().unwrap().clone();
        let (mut dead, mut alive) = (Vec::new(), Vec::new());
        for (at, when) in made {
            let to = if f.is_live(at).await {
                &mut alive
            } else {
                &mut dead
            };
            to.push(when);
        }
        assert_eq!(dead.len() as u64, count);
        assert!(dead.iter().max() <= alive.iter().min() || alive.is_empty());
        assert_eq!(f.first().list(&alice).await.len(), alive.len());
        f.first().revoke(&alice, Which::All).await;
        assert_eq!(f.sessions().await, 0);
    }
}

async fn login(instance: Instance, new: cloakroom_core::NewSession, told: Told) {
    let Created::Done { at, .. } = instance.create(&new).await else {
        panic!("nothing speaks against it");
    };
    told.lock().unwrap().push((new.at, at));
}

pub(super) async fn a_rotation_does_not_escape(f: &Fixture) {
    for round in 0..100 {
        let at = f.create(f.login("alice")).await.at;
        let to = beside(at);
        let (one, other, alice) = (f.first().clone(), f.second().clone(), f.user("alice"));
        let (rotated, count) = both(
            round,
            async move { one.rotate(at, to.digest).await },
            async move { other.revoke(&alice, Which::All).await },
        )
        .await;
        assert_eq!(count, 1);
        assert!(
            matches!(rotated, Rotated::Done { revision: 2 } | Rotated::Gone),
            "{rotated:?}"
        );
        assert!(!f.is_live(at).await);
        f.assert_absent(to).await;
    }
    assert_eq!(f.sessions().await, 0);
}

pub(super) async fn a_commit_beside_it_brings_nothing_back(f: &Fixture) {
    for round in 0..100 {
        let at = f.create(f.login("alice").with("a", "1")).await.at;
        let (one, other, alice) = (f.first().clone(), f.second().clone(), f.user("alice"));
        let (committed, count) = both(
            round,
            async move { one.commit(at, &set("a", "2")).await },
            async move { other.revoke(&alice, Which::All).await },
        )
        .await;
        assert_eq!(count, 1);
        assert!(
            matches!(committed, Committed::Done { revision: 2 } | Committed::Gone),
            "{committed:?}"
        );
        f.assert_absent(at).await;
    }
    assert_eq!(f.sessions().await, 0);
}
