//! What every store does, or should.

use serde_json::json;

use crate::draft::fresh_id;
use crate::ground::{Ground, Instance};
use crate::subject::Entry;
use crate::tasks::all;
use crate::verdict::{Stop, Verdict, absent, holds, lacks};

/// How many sessions are written beside each other.
const MANY: usize = 20;

pub(super) async fn what_is_created_is_loaded(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let new = Entry::fresh().with("user", "alice").with("n", 7).with(
        "cart",
        json!({"items": [{"id": 1, "count": 2}], "open": true}),
    );
    let created = store.create(new.clone()).await?;
    holds(store.load(created.id).await?.as_ref(), &new)
}

pub(super) async fn an_id_that_never_was_is_absent(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    for _ in 0..MANY {
        absent(store.load(fresh_id()).await?.as_ref())?;
    }
    Ok(())
}

pub(super) async fn a_save_changes_adds_and_removes(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let new = Entry::fresh()
        .with("kept", 1)
        .with("changed", 1)
        .with("removed", 1);
    let id = store.create(new).await?.id;
    let copy = store.found(id).await?;
    let copy = copy.with("changed", "two").with("added", 3);
    store.save(&copy.without("removed")).await?;
    let want = Entry::fresh()
        .with("kept", 1)
        .with("changed", "two")
        .with("added", 3);
    let found = store.load(id).await?;
    holds(found.as_ref(), &want)?;
    lacks(found.as_ref(), ["removed"])
}

pub(super) async fn a_copy_can_be_saved_again(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let id = store.create(Entry::fresh().with("a", 1)).await?.id;
    let copy = store.found(id).await?.with("b", 1).with("c", 1);
    saved_twice(&store, copy).await
}

pub(super) async fn a_created_copy_can_be_saved(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let created = store.create(Entry::fresh().with("a", 1)).await?;
    saved_twice(&store, created.with("b", 1).with("c", 1)).await
}

/// Saves a copy that has "a", "b" and "c" at 1, and then without "c" and with "b" at 2.
async fn saved_twice(store: &Instance, copy: Entry) -> Verdict {
    store.save(&copy).await?;
    let want = Entry::fresh().with("a", 1).with("b", 1).with("c", 1);
    holds(store.load(copy.id).await?.as_ref(), &want)?;
    let copy = copy.with("b", 2).without("c");
    store.save(&copy).await?;
    let found = store.load(copy.id).await?;
    holds(found.as_ref(), &Entry::fresh().with("a", 1).with("b", 2))?;
    lacks(found.as_ref(), ["c"])
}

pub(super) async fn an_empty_session_is_a_session(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let created = store.create(Entry::fresh()).await?;
    let copy = store.found(created.id).await?.with("a", 1);
    store.save(&copy).await?;
    let found = store.load(created.id).await?;
    holds(found.as_ref(), &Entry::fresh().with("a", 1))?;
    store.save(&copy.without("a")).await?;
    lacks(store.load(created.id).await?.as_ref(), ["a"])
}

pub(super) async fn a_save_without_attributes_empties_the_session(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let created = store
        .create(Entry::fresh().with("a", 1).with("b", 2))
        .await?;
    store.save(&Entry::fresh().under(created.id)).await?;
    lacks(store.load(created.id).await?.as_ref(), ["a", "b"])
}

pub(super) async fn a_delete_ends_the_session(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let ended = store.create(Entry::fresh().with("a", 1)).await?;
    let other = store.create(Entry::fresh().with("a", 2)).await?;
    store.delete(ended.id).await?;
    absent(store.load(ended.id).await?.as_ref())?;
    holds(
        store.load(other.id).await?.as_ref(),
        &Entry::fresh().with("a", 2),
    )
}

pub(super) async fn a_delete_can_be_repeated(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    store.delete(fresh_id()).await?;
    let created = store.create(Entry::fresh().with("a", 1)).await?;
    store.delete(created.id).await?;
    store.delete(created.id).await?;
    absent(store.load(created.id).await?.as_ref())
}

pub(super) async fn sessions_do_not_mix(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let ids = all((0..MANY).map(|number| made_in_two_steps(store.clone(), number))).await?;
    for (number, id) in ids {
        let found = store.load(id).await?;
        holds(found.as_ref(), &Entry::fresh().with("mine", number))?;
        let others: Vec<_> = (0..MANY).filter(|n| *n != number).map(own).collect();
        lacks(found.as_ref(), others.iter().map(String::as_str))?;
    }
    Ok(())
}

/// Makes a session that has "mine" at its number and an attribute that no other has.
async fn made_in_two_steps(store: Instance, number: usize) -> Result<(usize, i128), Stop> {
    let created = store.create(Entry::fresh().with("mine", number)).await?;
    let copy = store.found(created.id).await?;
    store.save(&copy.with(own(number), true)).await?;
    Ok((number, created.id))
}

fn own(number: usize) -> String {
    format!("only-{number}")
}
