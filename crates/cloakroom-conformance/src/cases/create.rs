//! Ids that are taken.

use std::collections::HashSet;

use crate::draft::fresh_id;
use crate::ground::Ground;
use crate::ground::did;
use crate::guard::Trouble;
use crate::subject::Entry;
use crate::tasks::all;
use crate::verdict::{Verdict, broken, holds, lacks};

/// How many sessions want the same id.
const MANY: usize = 20;

pub(super) async fn an_existing_session_is_never_overwritten(ground: Ground) -> Verdict {
    let (one, other) = ground.pair().await?;
    let first = Entry::fresh().with("who", "first").with("first", true);
    let id = one.create(first.clone()).await?.id;
    let second = Entry::fresh().with("who", "second").under(id);
    let created = match other.try_create(second.clone()).await {
        Ok(created) => Some(created),
        Err(Trouble::Failed(_)) => None,
        Err(trouble) => return Err(did("create", &trouble)),
    };
    holds(one.load(id).await?.as_ref(), &first)?;
    let Some(created) = created else {
        return Ok(());
    };
    if created.id == id {
        return Err(broken("the id that was taken was given again"));
    }
    let found = other.load(created.id).await?;
    holds(found.as_ref(), &second)?;
    lacks(found.as_ref(), ["first"])
}

pub(super) async fn of_many_with_one_id_each_gets_its_own(ground: Ground) -> Verdict {
    let (one, other) = ground.pair().await?;
    let id = fresh_id();
    let creating = (0..MANY).map(|number| {
        let store = [&one, &other][number % 2].clone();
        let entry = Entry::fresh().with("n", number).under(id);
        async move {
            match store.try_create(entry).await {
                Ok(created) => Ok(Some((number, created.id))),
                Err(Trouble::Failed(_)) => Ok(None),
                Err(trouble) => Err(did("create", &trouble)),
            }
        }
    });
    let created: Vec<_> = all(creating).await?.into_iter().flatten().collect();
    if created.is_empty() {
        return Err(broken("all failed, also the first"));
    }
    let ids: HashSet<i128> = created.iter().map(|(_, id)| *id).collect();
    if ids.len() < created.len() {
        let (sessions, ids) = (created.len(), ids.len());
        return Err(broken(format!("{sessions} sessions share {ids} ids")));
    }
    for (number, id) in created {
        let want = Entry::fresh().with("n", number);
        ground.soon(&one, id, |found| holds(found, &want)).await?;
    }
    Ok(())
}
