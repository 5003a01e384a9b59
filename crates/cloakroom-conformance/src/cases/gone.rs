//! What is gone stays gone.

use time::Duration;

use crate::draft::{fresh_id, from_now};
use crate::ground::Ground;
use crate::subject::Entry;
use crate::tasks::both;
use crate::verdict::{Stop, Verdict, absent};

/// How often a save races a delete.
const ROUNDS: usize = 50;

pub(super) async fn a_save_after_a_delete_writes_nothing(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let id = store.create(Entry::fresh().with("a", 1)).await?.id;
    let copy = store.found(id).await?;
    store.delete(id).await?;
    // Changed, unchanged, and cleared before it was loaded.
    for copy in [copy.clone().with("b", 2), copy, Entry::fresh().under(id)] {
        store.save(&copy).await?;
        absent(store.load(id).await?.as_ref())?;
    }
    Ok(())
}

pub(super) async fn a_save_of_an_unknown_id_makes_nothing(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let id = fresh_id();
    for entry in [Entry::fresh().with("a", 1), Entry::fresh()] {
        store.save(&entry.under(id)).await?;
        absent(store.load(id).await?.as_ref())?;
    }
    Ok(())
}

pub(super) async fn a_save_of_an_expired_session_makes_nothing(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let expiry = from_now(Duration::milliseconds(1500));
    let created = store
        .create(Entry::fresh().with("a", 1).until(expiry))
        .await?;
    let copy = store.load(created.id).await?.unwrap_or(created);
    if !ground.outlive(&store, copy.id, expiry).await? {
        let why = "the session did not expire, as another case shows";
        return Err(Stop::NotTried(why.to_owned()));
    }
    let later = from_now(Duration::minutes(10));
    store.save(&copy.clone().with("b", 2).until(later)).await?;
    absent(store.load(copy.id).await?.as_ref())
}

pub(super) async fn a_save_on_another_instance_brings_nothing_back(ground: Ground) -> Verdict {
    let (one, other) = ground.pair().await?;
    let id = one.create(Entry::fresh().with("a", 1)).await?.id;
    let copy = one.found(id).await?;
    other.delete(id).await?;
    one.save(&copy.with("b", 2)).await?;
    absent(other.load(id).await?.as_ref())?;
    ground.soon(&one, id, absent).await
}

pub(super) async fn a_save_beside_a_delete_brings_nothing_back(ground: Ground) -> Verdict {
    let (one, other) = ground.pair().await?;
    let mut ids = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let id = one.create(Entry::fresh().with("a", 1)).await?.id;
        let copy = one.found(id).await?.with("b", round);
        let (saver, deleter) = (one.clone(), other.clone());
        both(round, async move { saver.save(&copy).await }, async move {
            deleter.delete(id).await
        })
        .await?;
        absent(other.load(id).await?.as_ref())?;
        ids.push(id);
    }
    for id in ids {
        ground.soon(&one, id, absent).await?;
    }
    Ok(())
}
