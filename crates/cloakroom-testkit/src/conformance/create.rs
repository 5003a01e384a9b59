//! Making sessions, and reading them.

use std::sync::Arc;

use bytes::Bytes;
use cloakroom_core::{Created, Health, Loaded, Login, NewSession, OnLimit, Record, Retired};
use time::Duration;

use super::Fixture;
use super::draft::{ABSOLUTE, Draft, IDLE, ODD_NAMES, ODD_VALUES};
use super::fixture::beside;
use super::tasks::all;

pub(super) async fn an_unknown_id_is_absent(f: &Fixture) {
    f.assert_absent(f.anonymous().at).await;
    f.assert_absent(f.login("alice").at).await;
    assert_eq!(f.sessions().await, 0, "a look leaves nothing");
}

pub(super) async fn every_instance_loads_what_was_created(f: &Fixture) {
    let mut new = f
        .login("alice")
        .on_device("Alice's laptop")
        .with("cart", "[1,2]")
        .with("тема", "\"dark\"")
        .living(Duration::hours(1), Duration::days(30));
    new.lifetime.remembered = true;
    new.revision = 41;
    let Created::Done {
        at,
        evicted: 0,
        late: None,
    } = f.first().create(&new).await
    else {
        panic!("a new session is made");
    };
    let expected = Record {
        digest: new.at.digest,
        revision: 41,
        handle: new.handle,
        created_at: at,
        last_seen: at,
        absolute_deadline: at + Duration::days(30),
        idle: Duration::hours(1),
        remembered: true,
        login: Some(Login {
            user: "alice".into(),
            authenticated_at: at,
            device: Some("Alice's laptop".into()),
        }),
        attributes: new.attributes.clone(),
    };
    for instance in f.instances() {
        let Loaded::Found { record, .. } = instance.load(new.at).await else {
            panic!("every instance finds it");
        };
        assert_eq!(*record, expected);
        assert_eq!(instance.store().health(), Health::Up);
    }
    f.record(new.at).await;
    assert_eq!(f.sessions().await, 1);
}

pub(super) async fn an_anonymous_session_has_no_login(f: &Fixture) {
    let new = f.create(f.anonymous().with("n", "1")).await;
    let record = f.record(new.at).await;
    assert_eq!(record.login, None);
    assert_eq!((record.revision, record.remembered), (1, false));
    assert_eq!(record.absolute_deadline - record.created_at, ABSOLUTE);
    assert_eq!(record.idle, IDLE);
}

pub(super) async fn any_name_and_any_value_survives(f: &Fixture) {
    let long = "n".repeat(128);
    let names = ODD_NAMES.into_iter().chain([&*long]).enumerate();
    let mut new = f.login("alice");
    for (n, name) in names {
        new = new.with(name, ODD_VALUES[n % ODD_VALUES.len()]);
    }
    for (n, value) in ODD_VALUES.into_iter().enumerate() {
        new = new.with(&format!("value {n}"), value);
    }
    let new = f.create(new.with("large", vec![b'7'; 300_000])).await;
    let record = f.record(new.at).await;
    assert_eq!(record.attributes, new.attributes);
    assert_eq!(
        (record.revision, record.handle),
        (1, new.handle),
        "no attribute reaches the header"
    );
}

pub(super) async fn a_thousand_attributes_survive(f: &Fixture) {
    let thousand = (0..1000).fold(f.anonymous(), |new, n| {
        new.with(&format!("name {n}"), n.to_string())
    });
    let new = f.create(thousand).await;
    let record = f.record(new.at).await;
    assert_eq!(record.attributes.iter().count(), 1000);
    assert_eq!(record.attributes, new.attributes);
}

pub(super) async fn an_existing_id_is_never_overwritten(f: &Fixture) {
    let victim = f.create(f.login("alice").with("card", "1")).await;
    let before = f.record(victim.at).await;
    // A user's sessions lie in the user's bucket: an intruder comes from the same one.
    let mallory = (0..).map(|n| format!("mallory{n}"));
    let mut mallory = mallory.filter(|name| f.user(name).bucket == victim.at.bucket);
    let mallory = mallory.next().expect("users are many");
    let theirs = f.create(f.login(&mallory)).await;
    for intruder in [
        f.anonymous().with("card", "2"),
        f.login(&mallory).limited(1, OnLimit::EvictOldest),
        f.login("alice").limited(1, OnLimit::EvictOldest),
    ] {
        let intruder = NewSession {
            at: victim.at,
            ..intruder
        };
        let created = f.second().create(&intruder).await;
        assert_eq!(created, Created::Collision);
        assert_eq!(f.record(victim.at).await, before);
    }
    assert!(f.is_live(theirs.at).await, "nobody was evicted for it");
    assert_eq!(f.first().list(&f.user("alice")).await.len(), 1);
    assert_eq!(f.first().list(&f.user(&mallory)).await.len(), 1);
}

pub(super) async fn a_superseded_id_is_never_overwritten(f: &Fixture) {
    let old = f.create(f.anonymous()).await;
    assert_eq!(f.first().retire(old.at, 1).await, Retired::Done);
    assert_eq!(f.second().create(&old).await, Created::Collision);
    f.assert_superseded(old.at).await;
}

pub(super) async fn of_many_with_one_id_one_is_made(f: &Fixture) {
    let new = f.anonymous();
    let attempts = (0..16).map(|n| {
        let (instance, new) = (f.instance(n), new.clone().with("by", n.to_string()));
        async move { instance.create(&new).await }
    });
    let created = all(attempts).await;
    let done = |created: &Created| matches!(created, Created::Done { .. });
    assert_eq!(created.iter().filter(|c| done(c)).count(), 1, "{created:?}");
    let winner = created.iter().position(done).expect("there is one");
    let winner = Bytes::from(winner.to_string());
    assert_eq!(
        f.record(new.at).await.attributes.raw("by"),
        Some(&winner),
        "what is stored is what the one that was told so has made"
    );
}

pub(super) async fn an_empty_label_is_none(f: &Fixture) {
    let new = f.create(f.login("alice").on_device("")).await;
    let login = f.record(new.at).await.login.clone();
    assert_eq!(login.expect("a login").device, None);
    assert_eq!(f.first().list(&f.user("alice")).await[0].device, None);
}

pub(super) async fn a_lifetime_may_be_without_end(f: &Fixture) {
    let endless = f.login("alice").living(Duration::MAX, Duration::MAX);
    let new = f.create(endless).await;
    let Loaded::Found { record, expires_in } = f.first().load(new.at).await else {
        panic!("it lives");
    };
    assert!(expires_in > Duration::days(365_000), "{expires_in}");
    assert!(record.absolute_deadline > record.created_at + Duration::days(365_000));
    f.first().touch(new.at, Duration::ZERO).await;
    assert!(f.is_live(new.at).await);
    assert_eq!(f.first().list(&f.user("alice")).await.len(), 1);
}

pub(super) async fn what_is_not_awaited_does_not_happen(f: &Fixture) {
    let (new, other) = (f.create(f.anonymous()).await, f.anonymous());
    let store = f.first().store();
    drop(store.create(&other));
    drop(store.end(new.at));
    drop(store.retire(new.at, 1));
    drop(store.rotate(new.at, beside(new.at).digest));
    f.assert_absent(other.at).await;
    assert_eq!(f.record(new.at).await.revision, 1);
    // What other tests drop in the middle may happen or not; this one says that it didn't begin.
    let shared = Arc::new(new);
    assert_eq!(f.second().create(&shared).await, Created::Collision);
}
