//! Operations that are seen, or given up, half-way.
//!
//! When a client goes away, the server drops the request's future and with it whatever it was
//! awaiting of the store. Each case drops an operation after its first time of waiting, then after
//! its second, and so on.

use crate::ground::{Ground, Instance};
use crate::subject::Entry;
use crate::tasks::both;
use crate::verdict::{Verdict, absent, broken, holds, present};

/// How many saves run beside loads.
const SAVES: usize = 50;

/// At how many points an operation is dropped; few wait more often.
const POINTS: usize = 8;

pub(super) async fn a_load_shows_a_save_whole_or_not_at_all(ground: Ground) -> Verdict {
    let (writer, reader) = ground.pair().await?;
    let id = writer.create(pair(0)).await?.id;
    let shown = |found: Option<&Entry>| present(found).map(drop);
    ground.soon(&reader, id, shown).await?;
    let writing = async move {
        for n in 1..=SAVES {
            let copy = writer.found(id).await?;
            writer.save(&copy.with("a", n).with("b", n)).await?;
        }
        Ok(())
    };
    let reading = async move {
        for _ in 0..SAVES {
            is_whole(&reader.found(id).await?)?;
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    both(0, writing, reading).await
}

pub(super) async fn a_dropped_save_is_whole_or_nothing(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    for point in 1..=POINTS {
        let id = store.create(pair(0)).await?.id;
        let copy = store.found(id).await?;
        store
            .drop_save(&copy.with("a", 1).with("b", 1), point)
            .await?;
        is_whole(&store.found(id).await?)?;
        works(&store, id).await?;
    }
    Ok(())
}

pub(super) async fn a_dropped_create_is_whole_or_nothing(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    for point in 1..=POINTS {
        let new = pair(0);
        let id = new.id;
        store.drop_create(new, point).await?;
        if let Some(found) = store.load(id).await? {
            is_whole(&found)?;
        }
        // Under another id: if the first has come into being, its id is taken.
        let id = store.create(pair(0)).await?.id;
        works(&store, id).await?;
    }
    Ok(())
}

pub(super) async fn a_dropped_delete_is_whole_or_nothing(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    for point in 1..=POINTS {
        let id = store.create(pair(0)).await?.id;
        store.drop_delete(id, point).await?;
        if let Some(found) = store.load(id).await? {
            is_whole(&found)?;
            store.delete(id).await?;
        }
        absent(store.load(id).await?.as_ref())?;
    }
    Ok(())
}

/// A session whose attributes "a" and "b" are always written together.
fn pair(n: usize) -> Entry {
    Entry::fresh().with("a", n).with("b", n)
}

/// Fails unless "a" and "b" are there and are the same.
fn is_whole(found: &Entry) -> Verdict {
    match (found.data.get("a"), found.data.get("b")) {
        (Some(a), Some(b)) if a == b => Ok(()),
        (a, b) => {
            let seen = [a, b].map(|n| n.map_or("missing".to_owned(), ToString::to_string));
            let [a, b] = seen;
            Err(broken(format!(
                "of what was written together, one is {a} and one is {b}"
            )))
        }
    }
}

/// Fails unless the session can be written.
///
/// What was dropped may still arrive, after this has loaded, and a store that keeps whole records
/// then takes away what was written. That is another case's to find, so this tries again.
async fn works(store: &Instance, id: i128) -> Verdict {
    let want = Entry::fresh().with("after", true);
    for _ in 0..2 {
        store
            .save(&store.found(id).await?.with("after", true))
            .await?;
        if holds(store.load(id).await?.as_ref(), &want).is_ok() {
            return Ok(());
        }
    }
    store
        .save(&store.found(id).await?.with("after", true))
        .await?;
    holds(store.load(id).await?.as_ref(), &want)
}
