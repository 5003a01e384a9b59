//! Attributes of every kind.

use serde_json::{Value, json};

use crate::ground::{Ground, Instance};
use crate::subject::Entry;
use crate::verdict::{Verdict, holds};

/// Texts that a store might take for something else.
const TEXTS: [&str; 10] = [
    "",
    " ",
    "Ünïcödé, 日本語, العربية, 🧥",
    "e\u{301}",
    "\"quoted\" and \\ and 'single'",
    "a\0b",
    "ends with \0",
    "line\r\nline\ttab\u{1b}",
    "\u{feff}\u{200d}\u{10ffff}",
    "null",
];

pub(super) async fn every_kind_of_value_survives(ground: Ground) -> Verdict {
    let numbers = json!([
        0,
        -1,
        1.5,
        -2.25,
        0.1,
        1.5e300,
        2.5e-7,
        u64::MAX,
        i64::MIN,
        i64::MAX
    ]);
    let new = Entry::fresh()
        .with("true", true)
        .with("false", false)
        .with("u64", u64::MAX)
        .with("i64", i64::MIN)
        .with("zero", 0)
        .with("f64", 0.5)
        .with("whole f64", 3.0)
        .with("text", "text")
        .with("empty array", json!([]))
        .with("empty object", json!({}))
        .with("numbers", numbers)
        .with("nested", json!({"a": [{"b": [null, true, {"": -1}]}, "c"]}));
    survives(&ground.open().await?, new).await
}

pub(super) async fn null_is_not_absence(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let new = Entry::fresh().with("null", Value::Null);
    survives(&store, new.with("in array", json!([null]))).await
}

pub(super) async fn any_text_survives(ground: Ground) -> Verdict {
    let texts = TEXTS.into_iter().enumerate();
    let new = texts.fold(Entry::fresh(), |new, (n, text)| {
        // The name of one is the value of the next.
        new.with(TEXTS[(n + 1) % TEXTS.len()], text)
    });
    survives(&ground.open().await?, new).await
}

pub(super) async fn a_long_text_survives(ground: Ground) -> Verdict {
    let text = "0123456789abcde\n".repeat(4096);
    survives(&ground.open().await?, Entry::fresh().with("long", text)).await
}

pub(super) async fn many_attributes_survive(ground: Ground) -> Verdict {
    let new = (0..200).fold(Entry::fresh(), |new, n| {
        new.with(format!("attribute {n}"), n)
    });
    survives(&ground.open().await?, new).await
}

/// The attributes come back if they are created, if they are saved, and if another is saved.
pub(super) async fn survives(store: &Instance, new: Entry) -> Verdict {
    let created = store.create(new.clone()).await?;
    let copy = store.found(created.id).await?;
    holds(Some(&copy), &new)?;
    store.save(&copy.with("one more", 1)).await?;
    holds(store.load(created.id).await?.as_ref(), &new)?;

    let id = store.create(Entry::fresh().with("before", 1)).await?.id;
    let mut copy = store.found(id).await?;
    copy.data.extend(new.data.clone());
    store.save(&copy).await?;
    holds(store.load(id).await?.as_ref(), &new)
}
