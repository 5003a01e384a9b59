//! Logging in as the request's way does it: a session in the user's bucket, then the old id
//! retired.

use cloakroom_core::{Committed, Created, NewSession, Retired, Which};

use super::Fixture;
use super::draft::{self, Draft, set};
use super::tasks::both;

pub(super) async fn the_user_owns_the_new_id_alone(f: &Fixture) {
    let old = f.create(f.anonymous().with("cart", "[1]")).await;
    let new = logged_in(f, &old, "alice").await;
    assert_eq!(f.first().retire(old.at, 1).await, Retired::Done);
    f.assert_superseded(old.at).await;
    let record = f.record(new.at).await;
    assert!(record.attributes.raw("cart").is_some(), "a cart is kept");
    let listed = f.second().list(&f.user("alice")).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].handle, new.handle);
    assert_eq!(f.sessions().await, 1);
}

pub(super) async fn another_user_leaves_the_first_ones_list(f: &Fixture) {
    let alices = f.create(f.login("alice")).await;
    let bobs = logged_in(f, &alices, "bob").await;
    assert_eq!(f.first().retire(alices.at, 1).await, Retired::Done);
    assert_eq!(f.second().list(&f.user("alice")).await, []);
    let listed = f.second().list(&f.user("bob")).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].handle, bobs.handle);
    let login = f.record(bobs.at).await.login.clone();
    assert_eq!(&*login.expect("a login").user, "bob");
}

pub(super) async fn ones_own_session_is_replaced_in_the_same_step(f: &Fixture) {
    let old = f.create(f.login("alice").with("cart", "[1]")).await;
    let other = f.create(f.login("alice")).await;
    let new = logged_in(f, &old, "alice").await;
    f.assert_superseded(old.at).await;
    let listed = f.second().list(&f.user("alice")).await;
    let listed: Vec<_> = listed.iter().map(|session| session.handle).collect();
    assert_eq!(listed, [other.handle, new.handle]);
    // What has ended meanwhile, or was replaced already, replaces nothing and hinders nobody.
    for gone in [&old, &new] {
        f.first().end(gone.at).await;
        logged_in(f, gone, "alice").await;
    }
    assert_eq!(f.sessions().await, 3);
}

pub(super) async fn what_is_written_meanwhile_is_shown(f: &Fixture) {
    let old = f.create(f.anonymous().with("cart", "[1]")).await;
    logged_in(f, &old, "alice").await;
    f.second().commit(old.at, &set("cart", "[1,2]")).await;
    let Retired::Late(record) = f.first().retire(old.at, 1).await else {
        panic!("it was written meanwhile");
    };
    let late = record.attributes.changes_since(&old.attributes);
    assert_eq!(late, set("cart", "[1,2]"));
    let own = f.create(f.login("alice").with("cart", "[1]")).await;
    f.second().commit(own.at, &set("cart", "[3]")).await;
    let expected = f.record(own.at).await;
    let again = f.login("alice").replacing(own.at.digest, 1);
    let Created::Done { late, .. } = f.first().create(&again).await else {
        panic!("nothing speaks against it");
    };
    assert_eq!(late, Some(expected));
}

pub(super) async fn nobody_elses_session_is_replaced(f: &Fixture) {
    // Of the same bucket, where alice's login could reach them.
    let bucket = f.user("alice").bucket;
    let mut users = (0..).map(|n| f.user(&format!("bob {n}")));
    let bob = users.find(|user| user.bucket == bucket);
    let bobs = draft::login(&bob.expect("there are endless names"));
    let nobodys = draft::anonymous(bucket);
    for theirs in [&bobs, &nobodys] {
        f.first().create(theirs).await;
        f.second().commit(theirs.at, &set("a", "1")).await;
        let new = f.login("alice").replacing(theirs.at.digest, 1);
        let Created::Done { late: None, .. } = f.first().create(&new).await else {
            panic!("it is made, and shows nothing of theirs");
        };
        assert!(f.is_live(theirs.at).await);
    }
}

pub(super) async fn beside_a_commit_no_write_is_lost(f: &Fixture) {
    for round in 0..100 {
        let old = f.create(f.login("alice").with("a", "1")).await;
        let new = f.login("alice").replacing(old.at.digest, 1);
        let (one, other) = (f.first().clone(), f.second().clone());
        let (created, committed) = both(round, async move { one.create(&new).await }, async move {
            other.commit(old.at, &set("late", "1")).await
        })
        .await;
        match (created, committed) {
            (Created::Done { late: None, .. }, Committed::Superseded) => {}
            (
                Created::Done {
                    late: Some(late), ..
                },
                Committed::Done { revision: 2 },
            ) => {
                assert!(late.attributes.raw("late").is_some(), "it is shown");
            }
            other => panic!("no order of the two explains {other:?}"),
        }
        f.assert_superseded(old.at).await;
        f.first().revoke(&f.user("alice"), Which::All).await;
    }
}

/// The session that a login of `user` makes out of an old one.
async fn logged_in(f: &Fixture, old: &NewSession, user: &str) -> NewSession {
    let mut new = f.login(user).replacing(old.at.digest, old.revision);
    new.attributes = old.attributes.clone();
    new.revision = old.revision + 1;
    f.create(new).await
}
