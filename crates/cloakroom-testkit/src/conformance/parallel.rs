//! Many at once, from all instances.

use std::collections::BTreeSet;

use bytes::Bytes;
use cloakroom_core::{Address, Change, Committed, Loaded};

use super::draft::{Also, Draft, set};
use super::tasks::all;
use super::{Fixture, Instance};

pub(super) async fn increments_add_up(f: &Fixture) {
    let at = f.create(f.anonymous()).await.at;
    all((0..64).map(|n| increment(f.instance(n), at))).await;
    let record = f.record(at).await;
    assert_eq!(
        record.attributes.get::<u64>("n").expect("a number"),
        Some(64)
    );
    assert_eq!(record.revision, 65, "each was one commit");
}

/// Compare and swap until it succeeds, from nothing known.
async fn increment(instance: Instance, at: Address) {
    let mut held: Option<Bytes> = None;
    loop {
        let number = held
            .as_deref()
            .map_or("0", |digits| std::str::from_utf8(digits).expect("digits"));
        let next: u64 = number.parse::<u64>().expect("a number") + 1;
        let change = set("n", next.to_string()).expecting("n", held.as_deref());
        match instance.commit(at, &change).await {
            Committed::Done { .. } => return,
            Committed::Conflict { current, .. } => {
                held = current.into_iter().next().expect("one was expected");
            }
            other => panic!("it lives, but a commit says {other:?}"),
        }
    }
}

pub(super) async fn different_attributes_all_survive(f: &Fixture) {
    let at = f.create(f.login("alice").with("n 7", "0")).await.at;
    let commits = (0..50).map(|n: usize| {
        let instance = f.instance(n);
        async move {
            let change = set(&format!("n {n}"), n.to_string());
            match instance.commit(at, &change).await {
                Committed::Done { revision } => revision,
                other => panic!("nothing speaks against it, but it is {other:?}"),
            }
        }
    });
    let revisions: BTreeSet<_> = all(commits).await.into_iter().collect();
    assert_eq!(
        revisions,
        (2..52).collect(),
        "each has a revision of its own"
    );
    let record = f.record(at).await;
    for n in 0..50 {
        let held = record.attributes.get::<usize>(&format!("n {n}"));
        assert_eq!(held.expect("a number"), Some(n));
    }
}

pub(super) async fn all_instances_agree_after_many_writers(f: &Fixture) {
    let at = f.create(f.anonymous()).await.at;
    let writers = (0..200).map(|writer: usize| {
        let instance = f.instance(writer);
        async move {
            // Ten of its own, and one that all write.
            let change = (0..10).fold(set("last", writer.to_string()), |change: Change, n| {
                change.and_set(&format!("{writer}.{n}"), writer.to_string())
            });
            instance.commit(at, &change).await
        }
    });
    all(writers).await;
    let record = f.record(at).await;
    assert_eq!(record.attributes.iter().count(), 2001);
    assert_eq!(record.revision, 201);
    for instance in f.instances() {
        let Loaded::Found { record: other, .. } = instance.load(at).await else {
            panic!("it lives on every instance");
        };
        assert_eq!(other, record);
    }
}

pub(super) async fn operations_on_many_sessions_do_not_mix(f: &Fixture) {
    let busy = (0..100).map(|n: usize| {
        let new = if n.is_multiple_of(2) {
            f.anonymous()
        } else {
            f.login("alice")
        };
        let new = new.with("owner", n.to_string());
        let (one, other) = (f.instance(n), f.instance(n + 1));
        async move {
            one.create(&new).await;
            for round in 0..10 {
                let change = set("round", round.to_string());
                other.commit(new.at, &change).await;
                let Loaded::Found { record, .. } = one.load(new.at).await else {
                    panic!("it lives");
                };
                let held = |name| record.attributes.get::<usize>(name).expect("a number");
                assert_eq!((record.digest, held("owner")), (new.at.digest, Some(n)));
                assert_eq!(held("round"), Some(round));
            }
        }
    });
    all(busy).await;
    assert_eq!(f.sessions().await, 100);
}
