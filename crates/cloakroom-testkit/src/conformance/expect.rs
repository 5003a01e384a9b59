//! Changes that happen only while something is still so.

use bytes::Bytes;
use cloakroom_core::{Change, Committed};
use time::Duration;

use super::Fixture;
use super::draft::{Also, Draft, IDLE, ODD_NAMES, ODD_VALUES, set};

pub(super) async fn a_change_passes_while_its_expectations_hold(f: &Fixture) {
    let new = f
        .create(f.anonymous().with("n", "1").with("m", "\"\""))
        .await;
    let change = set("n", "2")
        .expecting("n", Some(b"1"))
        .expecting("m", Some(b"\"\""))
        .expecting("absent", None);
    let committed = f.first().commit(new.at, &change).await;
    assert_eq!(committed, Committed::Done { revision: 2 });
    // What is expected need not be what is written.
    let change = set("absent", "1").expecting("absent", None);
    let committed = f.second().commit(new.at, &change).await;
    assert_eq!(committed, Committed::Done { revision: 3 });
    let change = Change::default().and_remove("n").expecting("n", Some(b"2"));
    let committed = f.second().commit(new.at, &change).await;
    assert_eq!(committed, Committed::Done { revision: 4 });
    let expected = f.anonymous().with("m", "\"\"").with("absent", "1");
    assert_eq!(f.record(new.at).await.attributes, expected.attributes);
}

pub(super) async fn a_conflict_shows_what_is_held_and_writes_nothing(f: &Fixture) {
    let new = f.create(f.anonymous().with("b", "2").with("d", "4")).await;
    let before = f.record(new.at).await;
    let change = set("a", "1")
        .and_remove("b")
        .and_set("e", "5")
        .expecting("d", Some(b"wrong"))
        .expecting("c", None)
        .expecting("b", Some(b"2"))
        .expecting("a", Some(b"0"));
    let committed = f.second().commit(new.at, &change).await;
    // In the order of the names, for that is the order of `Change::expected`.
    let current = [None, Some("2"), None, Some("4")];
    let expected = Committed::Conflict {
        revision: 1,
        current: current.map(|v| v.map(Bytes::from)).into(),
    };
    assert_eq!(committed, expected);
    assert_eq!(f.record(new.at).await, before);
}

pub(super) async fn one_of_many_expectations_is_enough_for_a_conflict(f: &Fixture) {
    let thousand = (0..1000).fold(f.anonymous(), |new, n| {
        new.with(&format!("{n:03}"), n.to_string())
    });
    let new = f.create(thousand).await;
    let change = new
        .attributes
        .iter()
        .fold(set("x", "1"), |change, (n, v)| change.expecting(n, Some(v)));
    for wrong in ["000", "500", "999"] {
        let one = change.clone().expecting(wrong, Some(b"wrong"));
        let Committed::Conflict { current, .. } = f.first().commit(new.at, &one).await else {
            panic!("{wrong} does not hold");
        };
        let held = new.attributes.iter().map(|(_, value)| Some(value.clone()));
        assert!(current.into_iter().eq(held));
    }
    let committed = f.first().commit(new.at, &change).await;
    assert_eq!(committed, Committed::Done { revision: 2 });
}

pub(super) async fn any_name_can_be_expected(f: &Fixture) {
    let odd = ODD_NAMES.into_iter().enumerate();
    let odd = odd.map(|(n, name)| (name, ODD_VALUES[n % ODD_VALUES.len()]));
    let new = f.create(f.anonymous()).await;
    for (name, value) in odd {
        let change = set(name, value).expecting(name, None);
        let committed = f.first().commit(new.at, &change).await;
        assert!(matches!(committed, Committed::Done { .. }), "{name:?}");
        let Committed::Conflict { current, .. } = f.second().commit(new.at, &change).await else {
            panic!("{name:?} is there now");
        };
        assert_eq!(current, [Some(Bytes::from_static(value))], "{name:?}");
        let change = set("last", "1").expecting(name, Some(value));
        let committed = f.first().commit(new.at, &change).await;
        assert!(matches!(committed, Committed::Done { .. }), "{name:?}");
    }
}

pub(super) async fn a_conflict_does_not_slide_the_idle_window(f: &Fixture) {
    let new = f.create(f.anonymous().with("n", "1")).await;
    f.pass(IDLE - Duration::MINUTE).await;
    let change = set("n", "3").expecting("n", Some(b"2"));
    let committed = f.first().commit(new.at, &change).await;
    assert!(matches!(committed, Committed::Conflict { .. }));
    f.record(new.at).await;
    f.pass(Duration::MINUTE).await;
    f.assert_absent(new.at).await;
}
