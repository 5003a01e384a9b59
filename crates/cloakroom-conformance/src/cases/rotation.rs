//! A session that gets another id: what `Session::cycle_id` and the save after it call.

use serde_json::json;

use crate::draft::fresh_id;
use crate::ground::{Ground, Instance};
use crate::subject::Entry;
use crate::tasks::both;
use crate::verdict::{Stop, Verdict, absent, holds, lacks};

/// How often a save runs beside a change of the id.
const ROUNDS: usize = 20;

pub(super) async fn the_new_id_has_everything(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let new = Entry::fresh()
        .with("a", 1)
        .with("b", json!([null, {"c": 2}]));
    let mut id = store.create(new.clone()).await?.id;
    // And again: an id that came from a rotation is one like others.
    for _ in 0..2 {
        let old = id;
        id = rotated(&store, store.found(old).await?).await?.id;
        absent(store.load(old).await?.as_ref())?;
        holds(store.load(id).await?.as_ref(), &new)?;
    }
    Ok(())
}

pub(super) async fn a_save_under_the_old_id_brings_nothing_back(ground: Ground) -> Verdict {
    let (one, other) = ground.pair().await?;
    let new = Entry::fresh().with("a", 1);
    let old = one.create(new.clone()).await?.id;
    ground.soon(&other, old, |found| holds(found, &new)).await?;
    let late = other.found(old).await?.with("a", 2).with("late", true);
    let id = rotated(&one, one.found(old).await?).await?.id;
    other.save(&late).await?;
    absent(one.load(old).await?.as_ref())?;
    ground.soon(&other, old, absent).await?;
    let found = one.load(id).await?;
    holds(found.as_ref(), &new)?;
    lacks(found.as_ref(), ["late"])
}

pub(super) async fn beside_saves_the_old_id_stays_gone(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    for round in 0..ROUNDS {
        let new = Entry::fresh().with("a", round);
        let old = store.create(new.clone()).await?.id;
        let late = store.found(old).await?.with("late", true);
        let copy = store.found(old).await?;
        let (saver, rotator) = (store.clone(), store.clone());
        both(round, async move { saver.save(&late).await }, async move {
            let id = rotated(&rotator, copy).await?.id;
            holds(rotator.load(id).await?.as_ref(), &new)
        })
        .await?;
        absent(store.load(old).await?.as_ref())?;
    }
    Ok(())
}

/// Ends the old id and makes a session of what was loaded.
async fn rotated(store: &Instance, copy: Entry) -> Result<Entry, Stop> {
    store.delete(copy.id).await?;
    store.create(copy.under(fresh_id())).await
}
