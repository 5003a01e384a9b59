//! Sessions that end by themselves.
//!
//! Where one must really expire, it has two seconds: a store that keeps whole seconds may end it
//! one second too soon, and is then still seen to have had it.

use time::{Duration, OffsetDateTime};
use tokio::time::sleep;

use crate::draft::from_now;
use crate::ground::did;
use crate::ground::{Ground, Instance};
use crate::guard::Trouble;
use crate::subject::Entry;
use crate::verdict::{Stop, Verdict, absent, broken, holds, present};

/// A lifetime whose end is awaited.
const SHORT: Duration = Duration::SECOND.saturating_mul(2);

/// How long to wait between two looks.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// The last second that `OffsetDateTime` has without its feature `large-dates`.
const END_OF_9999: i64 = 253_402_300_799;

pub(super) async fn an_expired_session_is_absent(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let expiry = from_now(SHORT);
    let id = store
        .create(Entry::fresh().with("a", 1).until(expiry))
        .await?
        .id;
    expires(&ground, &store, id, expiry).await
}

pub(super) async fn another_instance_sees_it_expire(ground: Ground) -> Verdict {
    let (one, other) = ground.pair().await?;
    let expiry = from_now(SHORT);
    let id = one
        .create(Entry::fresh().with("a", 1).until(expiry))
        .await?
        .id;
    while other.load(id).await?.is_none() {
        in_time(
            expiry,
            "the other instance did not show the session before it expired",
        )?;
        sleep(PAUSE).await;
    }
    expires(&ground, &other, id, expiry).await
}

pub(super) async fn a_save_moves_the_expiry_later(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let first = from_now(SHORT);
    let created = store
        .create(Entry::fresh().with("a", 1).until(first))
        .await?;
    let id = created.id;
    store
        .save(&created.until(Entry::fresh().expiry_date))
        .await?;
    in_time(first, "the session had expired before its save was done")?;
    pass(first + Ground::RESOLUTION).await;
    present(store.load(id).await?.as_ref()).map(drop)
}

pub(super) async fn a_save_moves_the_expiry_earlier(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let id = store.create(Entry::fresh().with("a", 1)).await?.id;
    let expiry = from_now(SHORT);
    let copy = store.found(id).await?;
    store.save(&copy.with("b", 1).until(expiry)).await?;
    expires(&ground, &store, id, expiry).await
}

pub(super) async fn a_save_with_a_past_expiry_ends_the_session(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let id = store.create(Entry::fresh().with("a", 1)).await?.id;
    let copy = store.found(id).await?;
    store.save(&copy.until(from_now(-Duration::MINUTE))).await?;
    absent(store.load(id).await?.as_ref())
}

pub(super) async fn what_is_created_in_the_past_is_absent(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let new = Entry::fresh()
        .with("a", 1)
        .until(from_now(-Duration::MINUTE));
    let mut ids = vec![new.id];
    match store.try_create(new).await {
        Ok(created) => ids.push(created.id),
        Err(Trouble::Failed(_)) => {}
        Err(trouble) => return Err(did("create", &trouble)),
    }
    for id in ids {
        absent(store.load(id).await?.as_ref())?;
    }
    Ok(())
}

pub(super) async fn the_expiry_comes_back(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let began = OffsetDateTime::now_utc();
    let new = Entry::fresh().with("a", 1);
    let expiry = new.expiry_date;
    let id = store.create(new).await?.id;
    let copy = store.found(id).await?;
    is_about(copy.expiry_date, expiry, began)?;
    for by in [Duration::HOUR, Duration::MINUTE, Duration::weeks(52)] {
        let expiry = from_now(by);
        store.save(&copy.clone().until(expiry)).await?;
        is_about(store.found(id).await?.expiry_date, expiry, began)?;
    }
    store.delete(id).await
}

pub(super) async fn a_far_expiry_is_no_error(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    let far = OffsetDateTime::from_unix_timestamp(END_OF_9999).map_err(broken)?;
    let created = store.create(Entry::fresh().with("a", 1).until(far)).await?;
    let copy = store.found(created.id).await?;
    store.save(&copy.with("b", 1).until(far)).await?;
    let found = store.load(created.id).await?;
    holds(found.as_ref(), &Entry::fresh().with("a", 1).with("b", 1))?;
    // It would stay.
    store.delete(created.id).await
}

/// Fails unless the session is there until it expires, and not after it.
async fn expires(ground: &Ground, store: &Instance, id: i128, expiry: OffsetDateTime) -> Verdict {
    match ground.outlive(store, id, expiry).await? {
        true => Ok(()),
        false => Err(broken("still loaded a second after it should have expired")),
    }
}

/// What comes too late for a session with this expiry can't be judged.
fn in_time(expiry: OffsetDateTime, otherwise: &str) -> Verdict {
    if OffsetDateTime::now_utc() < expiry - Ground::RESOLUTION {
        return Ok(());
    }
    Err(Stop::NotTried(otherwise.to_owned()))
}

/// Waits until the clock shows more than this.
async fn pass(instant: OffsetDateTime) {
    while let Ok(left) = (instant - OffsetDateTime::now_utc()).try_into() {
        sleep(left).await;
    }
}

fn is_about(got: OffsetDateTime, expiry: OffsetDateTime, began: OffsetDateTime) -> Verdict {
    let spent = OffsetDateTime::now_utc() - began;
    let off = got - expiry;
    if off.abs() <= Ground::RESOLUTION + spent {
        return Ok(());
    }
    Err(broken(format!("the expiry is off by {off}")))
}
