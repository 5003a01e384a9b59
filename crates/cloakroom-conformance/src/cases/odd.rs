//! Ids, names and values that are unlikely, and allowed.

use serde_json::Value;

use super::values::survives;
use crate::ground::Ground;
use crate::subject::Entry;
use crate::verdict::{Verdict, absent, holds};

/// Ids that text and narrower numbers may lose.
const IDS: [i128; 4] = [0, -1, i128::MIN, i128::MAX];

/// Names that mean something in keys, patterns, scripts, queries and paths.
const NAMES: [&str; 14] = [
    "~r",
    "{tag}",
    "a:b\0c",
    "$set",
    "a.b.c",
    "a[0]",
    "../../etc",
    "%s%d",
    "*?",
    "' or '1'='1",
    "__proto__",
    "id",
    "data",
    "expiry_date",
];

/// As deep as a value may be nested; parsers of JSON often end at 128.
const DEEP: usize = 100;

pub(super) async fn ids_at_the_edges_are_ids(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let mut made = Vec::with_capacity(IDS.len());
    for id in IDS {
        // An earlier run may have left one.
        store.delete(id).await?;
        absent(store.load(id).await?.as_ref())?;
        let new = Entry::fresh().with("which", id.to_string());
        made.push((store.create(new.clone().under(id)).await?.id, new));
    }
    for (id, new) in &made {
        let copy = store.found(*id).await?;
        holds(Some(&copy), new)?;
        store.save(&copy.with("saved", true)).await?;
        let want = new.clone().with("saved", true);
        holds(store.load(*id).await?.as_ref(), &want)?;
    }
    for (id, _) in made {
        store.delete(id).await?;
        absent(store.load(id).await?.as_ref())?;
    }
    Ok(())
}

pub(super) async fn ids_that_differ_in_one_bit_are_different(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let new = Entry::fresh().with("a", 1);
    let id = store.create(new.clone()).await?.id;
    for bit in 0..i128::BITS {
        let beside = id ^ (1 << bit);
        absent(store.load(beside).await?.as_ref())?;
        store.delete(beside).await?;
    }
    holds(store.load(id).await?.as_ref(), &new)
}

pub(super) async fn any_name_is_an_attribute(ground: Ground) -> Verdict {
    let names = NAMES.into_iter().enumerate();
    let new = names.fold(Entry::fresh(), |new, (n, name)| new.with(name, n));
    survives(&ground.open().await?, new).await
}

pub(super) async fn a_very_long_name_is_an_attribute(ground: Ground) -> Verdict {
    let name = "n".repeat(10_000);
    // Another that differs at its end only.
    let new = Entry::fresh().with(format!("{name}1"), 1);
    survives(&ground.open().await?, new.with(format!("{name}2"), 2)).await
}

pub(super) async fn a_deep_value_survives(ground: Ground) -> Verdict {
    let deep = (0..DEEP).fold(Value::from("bottom"), |inside, level| match level % 2 {
        0 => Value::Array(vec![inside]),
        _ => Value::Object([("in".to_owned(), inside)].into_iter().collect()),
    });
    survives(&ground.open().await?, Entry::fresh().with("deep", deep)).await
}
