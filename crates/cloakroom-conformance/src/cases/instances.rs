//! What instances show of each other's changes.

use crate::ground::Ground;
use crate::subject::Entry;
use crate::verdict::{Verdict, absent, holds, lacks};

/// How often an instance is asked again for what has been deleted.
const AGAIN: usize = 5;

pub(super) async fn an_instance_shows_its_own_changes_at_once(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let id = store.create(Entry::fresh().with("n", 0)).await?.id;
    for n in 1..=AGAIN {
        let copy = store.found(id).await?;
        store.save(&copy.with("n", n)).await?;
        holds(store.load(id).await?.as_ref(), &Entry::fresh().with("n", n))?;
    }
    store.delete(id).await?;
    absent(store.load(id).await?.as_ref())
}

pub(super) async fn what_one_creates_another_loads(ground: Ground) -> Verdict {
    let (one, other) = ground.pair().await?;
    let new = Entry::fresh().with("a", 1);
    absent(other.load(new.id).await?.as_ref())?;
    let id = one.create(new.clone()).await?.id;
    ground.soon(&other, id, |found| holds(found, &new)).await
}

pub(super) async fn what_one_saves_another_loads(ground: Ground) -> Verdict {
    let (one, other) = ground.pair().await?;
    let new = Entry::fresh().with("n", 0).with("removed", 1);
    let id = one.create(new.clone()).await?.id;
    ground.soon(&other, id, |found| holds(found, &new)).await?;
    let copy = one.found(id).await?.without("removed");
    one.save(&copy.with("n", 1)).await?;
    let want = Entry::fresh().with("n", 1);
    let check = |found: Option<&Entry>| {
        holds(found, &want)?;
        lacks(found, ["removed"])
    };
    ground.soon(&other, id, check).await
}

pub(super) async fn what_one_deletes_no_other_loads(ground: Ground) -> Verdict {
    let (one, other) = ground.pair().await?;
    let third = ground.open().await?;
    let new = Entry::fresh().with("a", 1);
    let id = one.create(new.clone()).await?.id;
    for store in [&other, &third] {
        ground.soon(store, id, |found| holds(found, &new)).await?;
    }
    other.delete(id).await?;
    absent(other.load(id).await?.as_ref())?;
    for store in [&one, &third] {
        ground.soon(store, id, absent).await?;
    }
    // The staleness may not have passed yet, but who has shown that it is gone knows it.
    for _ in 0..AGAIN {
        for store in [&one, &other, &third] {
            absent(store.load(id).await?.as_ref())?;
        }
    }
    Ok(())
}
