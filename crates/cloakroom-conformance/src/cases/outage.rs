//! A store that can't reach its data.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::draft::fresh_id;
use crate::ground::{Ground, Instance, did};
use crate::guard::Trouble;
use crate::outage::Outage;
use crate::subject::Entry;
use crate::verdict::{Stop, Verdict, absent, broken, holds};

/// How long to wait between two tries of a store that was mended.
const PAUSE: Duration = Duration::from_millis(50);

/// How to break the store, if the suite was told.
fn hooks(ground: &Ground) -> Result<Outage, Stop> {
    let why = "the suite was not told how to break the store";
    let outage = ground.outage.clone();
    outage.ok_or_else(|| Stop::NotTried(why.to_owned()))
}

/// Runs `probe` while the store is broken, and then waits until it works again.
///
/// Whatever the store does, its operations answer, so the outage ends; it is judged afterwards.
async fn during<T>(
    ground: &Ground,
    store: &Instance,
    probe: impl Future<Output = T> + Send,
) -> Result<T, Stop> {
    let outage = hooks(ground)?;
    (outage.begin)().await;
    let answer = probe.await;
    (outage.end)().await;
    let since = Instant::now();
    while let Err(trouble) = store.try_load(fresh_id()).await {
        if since.elapsed() >= ground.recovery {
            let after = ground.recovery;
            return Err(broken(format!(
                "{after:?} after it was mended, load {trouble}"
            )));
        }
        sleep(PAUSE).await;
    }
    Ok(answer)
}

/// What was tried of a broken store, one of each.
struct Tried {
    load: Result<Option<Entry>, Trouble>,
    create: Result<Entry, Trouble>,
    save: Result<(), Trouble>,
    delete: Result<(), Trouble>,
}

impl Tried {
    /// Loads `known`, creates a session, saves `saved` and deletes `doomed`, all at once, as requests
    /// come.
    async fn on(store: &Instance, known: i128, saved: Entry, doomed: i128) -> Self {
        let [loads, creates, saves, deletes] = [(); 4].map(|()| store.clone());
        let load = tokio::spawn(async move { loads.try_load(known).await });
        let new = Entry::fresh().with("a", 1);
        let create = tokio::spawn(async move { creates.try_create(new).await });
        let save = tokio::spawn(async move { saves.try_save(&saved).await });
        let delete = tokio::spawn(async move { deletes.try_delete(doomed).await });
        Self {
            load: answer(load).await,
            create: answer(create).await,
            save: answer(save).await,
            delete: answer(delete).await,
        }
    }
}

async fn answer<T>(task: JoinHandle<Result<T, Trouble>>) -> Result<T, Trouble> {
    let ended = task.await;
    ended.unwrap_or_else(|error| Err(Trouble::Panicked(error.to_string())))
}

/// That it failed is an answer; that it hung or panicked is none.
fn answered<T>(operation: &str, result: &Result<T, Trouble>) -> Verdict {
    match result {
        Ok(_) | Err(Trouble::Failed(_)) => Ok(()),
        Err(trouble) => Err(did(operation, trouble)),
    }
}

pub(super) async fn nothing_hangs_or_panics(ground: Ground) -> Verdict {
    hooks(&ground)?;
    let store = ground.open().await?;
    let known = store.create(Entry::fresh().with("a", 1)).await?;
    let doomed = store.create(Entry::fresh().with("a", 1)).await?.id;
    let saved = known.clone().with("b", 1);
    let tried = Tried::on(&store, known.id, saved, doomed);
    let tried = during(&ground, &store, tried).await?;
    answered("load", &tried.load)?;
    answered("create", &tried.create)?;
    answered("save", &tried.save)?;
    answered("delete", &tried.delete)
}

pub(super) async fn a_load_does_not_say_absent(ground: Ground) -> Verdict {
    hooks(&ground)?;
    let (one, other) = ground.pair().await?;
    let known = one.create(Entry::fresh().with("a", 1)).await?;
    // One may have a copy of it; the other has none.
    let loads = async { [one.try_load(known.id).await, other.try_load(known.id).await] };
    // That one hung or panicked is another case's to find.
    for found in during(&ground, &one, loads).await?.into_iter().flatten() {
        holds(found.as_ref(), &Entry::fresh().with("a", 1))?;
    }
    Ok(())
}

pub(super) async fn what_was_there_is_there_again(ground: Ground) -> Verdict {
    hooks(&ground)?;
    let store = ground.open().await?;
    let new = Entry::fresh().with("a", 1);
    let known = store.create(new.clone()).await?;
    // Asked meanwhile, so that it has every occasion to draw a wrong conclusion.
    during(&ground, &store, store.try_load(known.id))
        .await?
        .ok();
    let copy = store.found(known.id).await?;
    holds(Some(&copy), &new)?;
    store.save(&copy.with("b", 2)).await?;
    holds(store.load(known.id).await?.as_ref(), &new.with("b", 2))?;
    let created = store.create(Entry::fresh().with("a", 1)).await?;
    store.delete(created.id).await?;
    absent(store.load(created.id).await?.as_ref())
}

pub(super) async fn what_was_acknowledged_holds(ground: Ground) -> Verdict {
    hooks(&ground)?;
    let store = ground.open().await?;
    let known = store.create(Entry::fresh().with("a", 1)).await?;
    let doomed = store.create(Entry::fresh().with("a", 1)).await?.id;
    let saved = known.clone().with("b", 1);
    let tried = Tried::on(&store, known.id, saved, doomed);
    let tried = during(&ground, &store, tried).await?;
    if let Ok(created) = tried.create {
        holds(
            store.load(created.id).await?.as_ref(),
            &Entry::fresh().with("a", 1),
        )?;
    }
    if tried.save.is_ok() {
        let want = Entry::fresh().with("a", 1).with("b", 1);
        holds(store.load(known.id).await?.as_ref(), &want)?;
    }
    if tried.delete.is_ok() {
        absent(store.load(doomed).await?.as_ref())?;
    }
    Ok(())
}
