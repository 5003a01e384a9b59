//! Logging in as the request's way does it: a session in the user's bucket, then the old id
//! retired.

use cloakroom_core::{Committed, NewSession, Retired};

use super::Fixture;
use super::draft::{Draft, set};

pub(super) async fn the_user_owns_the_new_id_alone(f: &Fixture) {
    let old = f.create(f.anonymous().with("cart", "[1]")).await;
    let new = logged_in(f, &old, "alice").await;
    assert_eq!(f.first().retire(old.at, Some(1)).await, Retired::Done);
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
    assert_eq!(f.first().retire(alices.at, Some(1)).await, Retired::Done);
    assert_eq!(f.second().list(&f.user("alice")).await, []);
    let listed = f.second().list(&f.user("bob")).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].handle, bobs.handle);
    let login = f.record(bobs.at).await.login.clone();
    assert_eq!(&*login.expect("a login").user, "bob");
}

pub(super) async fn what_is_written_meanwhile_is_carried(f: &Fixture) {
    let old = f.create(f.anonymous().with("cart", "[1]")).await;
    let new = logged_in(f, &old, "alice").await;
    f.second().commit(old.at, &set("cart", "[1,2]")).await;
    let Retired::Changed(record) = f.first().retire(old.at, Some(1)).await else {
        panic!("it was written meanwhile");
    };
    let late = record.attributes.changes_since(&old.attributes);
    let committed = f.first().commit(new.at, &late).await;
    assert_eq!(committed, Committed::Done { revision: 3 });
    assert_eq!(f.first().retire(old.at, Some(2)).await, Retired::Done);
    assert_eq!(f.record(new.at).await.attributes, record.attributes);
}

/// The session that a login of `user` makes out of an old one.
async fn logged_in(f: &Fixture, old: &NewSession, user: &str) -> NewSession {
    let mut new = f.login(user).replacing(old.at.digest);
    new.attributes = old.attributes.clone();
    new.revision = old.revision + 1;
    f.create(new).await
}
