//! Writing what changed.

use cloakroom_core::{Change, Committed, Ended, Retired};
use time::Duration;

use super::Fixture;
use super::draft::{Also, Draft, IDLE, ODD_NAMES, ODD_VALUES, remove, set};

pub(super) async fn only_what_is_named_changes(f: &Fixture) {
    let new = f.login("alice").with("a", "1").with("b", "2");
    let new = f.create(new.with("c", "3")).await;
    let before = f.record(new.at).await;
    let change = set("b", "20").and_remove("c").and_set("d", "40");
    let committed = f.second().commit(new.at, &change).await;
    assert_eq!(committed, Committed::Done { revision: 2 });
    let after = f.record(new.at).await;
    let mut expected = (*before).clone();
    expected.attributes.apply(&change);
    expected.revision = 2;
    expected.last_seen = after.last_seen;
    assert_eq!(*after, expected);
    let names: Vec<_> = after.attributes.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "b", "d"]);
}

pub(super) async fn two_copies_change_different_attributes(f: &Fixture) {
    let new = f.create(f.anonymous().with("a", "0").with("b", "0")).await;
    let (one, other) = (f.first(), f.second());
    one.load(new.at).await;
    other.load(new.at).await;
    f.pass(Duration::MINUTE).await;
    one.commit(new.at, &set("a", "1")).await;
    f.pass(Duration::MINUTE).await;
    let latest = f.now().await;
    let committed = other.commit(new.at, &set("b", "2")).await;
    assert_eq!(committed, Committed::Done { revision: 3 });
    let record = f.record(new.at).await;
    let held = |name| record.attributes.raw(name).cloned();
    assert_eq!(held("a").as_deref(), Some(b"1".as_slice()));
    assert_eq!(held("b").as_deref(), Some(b"2".as_slice()));
    assert!(record.last_seen >= latest - Duration::MILLISECOND);
}

pub(super) async fn any_name_is_written_and_removed(f: &Fixture) {
    let new = f.create(f.login("alice").with("stays", "1")).await;
    let long = "n".repeat(128);
    let names = ODD_NAMES.into_iter().chain([&*long]).enumerate();
    let (mut change, mut undo) = (Change::default(), Change::default());
    for (n, name) in names {
        change = change.and_set(name, ODD_VALUES[n % ODD_VALUES.len()]);
        undo = undo.and_remove(name);
    }
    let mut expected = new.attributes.clone();
    expected.apply(&change);
    let committed = f.first().commit(new.at, &change).await;
    assert_eq!(committed, Committed::Done { revision: 2 });
    assert_eq!(f.record(new.at).await.attributes, expected);
    let committed = f.second().commit(new.at, &undo).await;
    assert_eq!(committed, Committed::Done { revision: 3 });
    let record = f.record(new.at).await;
    assert_eq!(record.attributes, new.attributes);
    assert_eq!(
        (record.revision, record.handle),
        (3, new.handle),
        "no attribute reaches the header"
    );
    assert_eq!(f.first().list(&f.user("alice")).await.len(), 1);
}

pub(super) async fn a_thousand_attributes_are_written_and_removed(f: &Fixture) {
    let new = f.create(f.anonymous()).await;
    let thousand = |text: &str| {
        (0..1000).fold(Change::default(), |change, n| {
            change.and_set(&format!("name {n}"), format!("\"{text} {n}\""))
        })
    };
    f.first().commit(new.at, &thousand("first")).await;
    let half = (0..500).fold(thousand("second"), |change, n| {
        change.and_remove(&format!("name {n}"))
    });
    let committed = f.first().commit(new.at, &half).await;
    assert_eq!(committed, Committed::Done { revision: 3 });
    let mut expected = new.attributes.clone();
    expected.apply(&half);
    assert_eq!(expected.iter().count(), 500);
    assert_eq!(f.record(new.at).await.attributes, expected);
}

pub(super) async fn an_empty_change_is_a_commit_too(f: &Fixture) {
    let new = f.create(f.anonymous().with("a", "1")).await;
    let committed = f.first().commit(new.at, &Change::default()).await;
    assert_eq!(committed, Committed::Done { revision: 2 });
    // To remove what isn't there changes nothing either.
    let committed = f.first().commit(new.at, &remove("b")).await;
    assert_eq!(committed, Committed::Done { revision: 3 });
    assert_eq!(f.record(new.at).await.attributes, new.attributes);
}

pub(super) async fn on_what_is_gone_it_writes_nothing(f: &Fixture) {
    let unknown = f.anonymous();
    let expired = f.create(f.login("alice")).await;
    f.pass(IDLE).await;
    let ended = f.create(f.login("alice").with("a", "1")).await;
    assert_eq!(f.first().end(ended.at).await, Ended::Done);
    for gone in [&unknown, &ended, &expired] {
        let change = set("a", "2").and_remove("b").expecting("a", None);
        for change in [change, set("a", "2"), Change::default()] {
            let committed = f.second().commit(gone.at, &change).await;
            assert_eq!(committed, Committed::Gone);
        }
        assert!(!f.is_live(gone.at).await);
    }
    assert_eq!(f.sessions().await, 0);
}

pub(super) async fn on_a_superseded_id_it_writes_nothing(f: &Fixture) {
    let old = f.create(f.login("alice").with("a", "1")).await;
    assert_eq!(f.first().retire(old.at, 1).await, Retired::Done);
    for change in [
        set("a", "2"),
        remove("a"),
        set("b", "1").expecting("b", None),
    ] {
        let committed = f.second().commit(old.at, &change).await;
        assert_eq!(committed, Committed::Superseded);
    }
    // Nor does a cap that is too small for anything say more.
    let committed = f.second().commit_within(0, old.at, &set("a", "2")).await;
    assert_eq!(committed, Committed::Superseded);
    f.assert_superseded(old.at).await;
    assert_eq!(f.sessions().await, 0);
}

pub(super) async fn it_slides_the_idle_window(f: &Fixture) {
    let new = f.create(f.anonymous()).await;
    for revision in 2..6 {
        f.pass(IDLE - Duration::MINUTE).await;
        let committed = f.second().commit(new.at, &set("n", "1")).await;
        assert_eq!(committed, Committed::Done { revision });
        f.record(new.at).await;
    }
    f.pass(IDLE).await;
    f.assert_absent(new.at).await;
}
