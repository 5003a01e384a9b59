//! The cap on a session's attributes.

use bytes::Bytes;
use cloakroom_core::{Address, Attributes, Change, Committed, NewSession, Rotated};

use super::Fixture;
use super::draft::{Also, Draft, ODD_NAMES, ODD_VALUES, remove, set};
use super::fixture::beside;

pub(super) async fn the_cap_itself_passes(f: &Fixture) {
    let new = f.create(f.anonymous().with("ab", "12")).await;
    // 4 bytes are there; a name of 2 and a value of 94 make 100.
    let change = set("cd", vec![b'7'; 94]);
    let committed = f.first().commit_within(99, new.at, &change).await;
    assert_eq!(committed, Committed::TooLarge { size: 100 });
    let committed = f.first().commit_within(100, new.at, &change).await;
    assert_eq!(committed, Committed::Done { revision: 2 });
    let committed = f.second().commit_within(100, new.at, &set("e", "")).await;
    assert_eq!(committed, Committed::TooLarge { size: 101 });
    assert_eq!(size(f, new.at).await, 100);
}

pub(super) async fn beyond_the_cap_nothing_is_written(f: &Fixture) {
    let new = f
        .create(f.login("alice").with("a", "1").with("b", "2"))
        .await;
    let before = f.record(new.at).await;
    let change = set("a", "9").and_remove("b").and_set("c", vec![b'7'; 64]);
    let committed = f.second().commit_within(64, new.at, &change).await;
    assert_eq!(committed, Committed::TooLarge { size: 67 });
    assert_eq!(f.record(new.at).await, before);
    assert_eq!(size(f, new.at).await, 4);
}

pub(super) async fn a_change_is_judged_by_its_result(f: &Fixture) {
    let new = f.create(f.anonymous().with("big", vec![b'7'; 97])).await;
    let swap = remove("big").and_set("new", vec![b'8'; 97]);
    let committed = f.first().commit_within(100, new.at, &swap).await;
    assert_eq!(committed, Committed::Done { revision: 2 });
    let same = set("new", vec![b'9'; 97]);
    let committed = f.first().commit_within(100, new.at, &same).await;
    assert_eq!(committed, Committed::Done { revision: 3 });
    // The application has lowered its cap: what is over it may shrink, and not grow.
    let committed = f.first().commit_within(50, new.at, &set("x", "1")).await;
    assert_eq!(committed, Committed::TooLarge { size: 102 });
    let smaller = set("new", vec![b'9'; 60]).and_set("x", "1");
    let committed = f.first().commit_within(50, new.at, &smaller).await;
    assert_eq!(committed, Committed::Done { revision: 4 });
    let committed = f.first().commit_within(50, new.at, &remove("new")).await;
    assert_eq!(committed, Committed::Done { revision: 5 });
    assert_eq!(size(f, new.at).await, 2);
}

pub(super) async fn the_count_stays_right_over_many_changes(f: &Fixture) {
    let new = f.create(with_odd_attributes(f.anonymous())).await;
    let mut held = new.attributes.clone();
    let mut dice = Dice(7);
    for round in 0..150 {
        let mut change = Change::default();
        for _ in 0..=dice.below(4) {
            let name = ODD_NAMES[dice.below(ODD_NAMES.len())];
            change = match dice.below(3) {
                0 => change.and_remove(name),
                1 => change.and_set(name, ODD_VALUES[dice.below(ODD_VALUES.len())]),
                _ => change.and_set(name, vec![b'7'; dice.below(500)]),
            };
        }
        held.apply(&change);
        let committed = f.instance(round).commit(new.at, &change).await;
        assert!(matches!(committed, Committed::Done { .. }));
        assert_eq!(
            size(f, new.at).await,
            held.size(),
            "round {round}: {change:?}"
        );
    }
    assert_eq!(f.record(new.at).await.attributes, held);
}

pub(super) async fn the_count_survives_a_rotation(f: &Fixture) {
    let new = f.create(with_odd_attributes(f.login("alice"))).await;
    let to = beside(new.at);
    let rotated = f.first().rotate(new.at, to.digest).await;
    assert_eq!(rotated, Rotated::Done { revision: 2 });
    assert_eq!(size(f, to).await, new.attributes.size());
    let all_gone = Attributes::default().changes_since(&new.attributes);
    f.second().commit(to, &all_gone).await;
    assert_eq!(size(f, to).await, 0);
}

fn with_odd_attributes(new: NewSession) -> NewSession {
    let odd = ODD_NAMES.into_iter().zip(ODD_VALUES.into_iter().cycle());
    odd.fold(new, |new, (name, value)| {
        new.with(name, Bytes::from_static(value))
    })
}

/// How many bytes the store counts: what it says to a change that may not add any.
async fn size(f: &Fixture, at: Address) -> usize {
    let more = set("a name of its own", "");
    match f.first().commit_within(0, at, &more).await {
        Committed::TooLarge { size } => usize::try_from(size).expect("a size fits") - 17,
        other => panic!("it lives, but a commit says {other:?}"),
    }
}

/// Numbers that look random and are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("a small number fits")
    }
}
