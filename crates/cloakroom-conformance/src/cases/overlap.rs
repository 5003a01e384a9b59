//! Requests of one session that overlap.

use crate::ground::{Ground, Instance};
use crate::subject::Entry;
use crate::tasks::all;
use crate::verdict::{Verdict, holds, lacks};

/// How many requests overlap.
const MANY: usize = 50;

pub(super) async fn many_writers_each_keep_theirs(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    writers(&ground, &[store]).await
}

pub(super) async fn writers_on_two_instances_each_keep_theirs(ground: Ground) -> Verdict {
    let (one, other) = ground.pair().await?;
    writers(&ground, &[one, other]).await
}

/// All load, and then all save, on these instances in turn.
async fn writers(ground: &Ground, stores: &[Instance]) -> Verdict {
    let id = stores[0]
        .create(Entry::fresh().with("before", true))
        .await?
        .id;
    for store in stores {
        ground
            .soon(store, id, |found| holds(found, &Entry::fresh()))
            .await?;
    }
    let mut loaded = Vec::with_capacity(MANY);
    for (number, store) in (0..MANY).zip(stores.iter().cycle()) {
        let copy = store.found(id).await?.with(name(number), number);
        loaded.push((store.clone(), copy));
    }
    let saving = loaded.into_iter();
    all(saving.map(|(store, copy)| async move { store.save(&copy).await })).await?;
    let before = Entry::fresh().with("before", true);
    let want = (0..MANY).fold(before, |want, n| want.with(name(n), n));
    for store in stores {
        ground.soon(store, id, |found| holds(found, &want)).await?;
    }
    Ok(())
}

fn name(number: usize) -> String {
    format!("from request {number}")
}

pub(super) async fn a_removal_and_an_addition_both_hold(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    // Whichever of the two is saved last.
    for removal_is_last in [false, true] {
        let id = store
            .create(Entry::fresh().with("a", 1).with("b", 1))
            .await?
            .id;
        let removal = store.found(id).await?.without("a");
        let addition = store.found(id).await?.with("c", 1);
        let order = match removal_is_last {
            true => [addition, removal],
            false => [removal, addition],
        };
        for copy in order {
            store.save(&copy).await?;
        }
        let found = store.load(id).await?;
        lacks(found.as_ref(), ["a"])?;
        holds(found.as_ref(), &Entry::fresh().with("b", 1).with("c", 1))?;
    }
    Ok(())
}

pub(super) async fn a_save_that_changes_nothing_undoes_nothing(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let new = Entry::fresh().with("changed", 1).with("removed", 1);
    let id = store.create(new).await?.id;
    let reader = store.found(id).await?;
    let writer = store.found(id).await?.with("changed", 2).with("added", 1);
    store.save(&writer.without("removed")).await?;
    store
        .save(&reader.until(Entry::fresh().expiry_date))
        .await?;
    let found = store.load(id).await?;
    let want = Entry::fresh().with("changed", 2).with("added", 1);
    holds(found.as_ref(), &want)?;
    lacks(found.as_ref(), ["removed"])
}

pub(super) async fn the_later_of_two_writes_holds(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let id = store.create(Entry::fresh().with("both", 0)).await?.id;
    let one = store.found(id).await?.with("both", 1).with("one", 1);
    let other = store.found(id).await?.with("both", 2).with("other", 2);
    store.save(&one).await?;
    store.save(&other).await?;
    let want = Entry::fresh()
        .with("both", 2)
        .with("one", 1)
        .with("other", 2);
    holds(store.load(id).await?.as_ref(), &want)
}
