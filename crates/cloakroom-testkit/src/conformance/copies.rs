//! Reads from copies, held against the store behind them.

use std::time::Duration as Pause;

use cloakroom_core::{
    Address, Bucket, Channel, Clock, Freshness, Loaded, Record, SessionStore, SystemClock,
};
use time::Duration;

use super::instance::told;

/// How stale a copy may be in these cases: longer than any renewal interval that they use.
pub(super) const WITHIN: Duration = Duration::milliseconds(100);

/// How often the two are compared while others write.
const LOOKS: usize = 1000;

/// Reads a copy that shows all that has happened, and what the store says; answers the latter.
///
/// # Panics
///
/// If they go on disagreeing.
pub(super) async fn agreed(
    near: &dyn SessionStore,
    truth: &dyn SessionStore,
    at: Address,
) -> Loaded {
    let channel = near.channel().expect("a store with copies has a channel");
    let within = WITHIN;
    let mut last = None;
    for _ in 0..LOOKS {
        all_heard(&channel, at.bucket).await;
        let need = Freshness {
            within,
            ..Freshness::NOW
        };
        let copy = told(near.load(at, need).await);
        let now = told(truth.load(at, Freshness::NOW).await);
        if agree(&copy, &now) {
            return now;
        }
        last = Some((copy, now));
    }
    panic!("a copy stays stale: {last:?}");
}

/// Waits until everything that was published before this call has been heard.
async fn all_heard(channel: &Channel, bucket: Bucket) {
    let since = SystemClock.moment();
    loop {
        let now = SystemClock.moment();
        let lease = channel.lease(bucket);
        let age = lease.age(lease.term, now);
        if age.is_some_and(|age| age <= now.since(since)) {
            return;
        }
        tokio::time::sleep(Pause::from_millis(1)).await;
    }
}

/// Whether a copy says what the store says: all but how lately the session was used, for touches
/// are not announced.
fn agree(copy: &Loaded, now: &Loaded) -> bool {
    match (copy, now) {
        (
            Loaded::Found { record, expires_in },
            Loaded::Found {
                record: stored,
                expires_in: left,
            },
        ) => {
            let used = Record {
                last_seen: stored.last_seen,
                ..Record::clone(record)
            };
            // Each may have been rounded down to a millisecond once.
            used == **stored && *expires_in <= *left + WITHIN
        }
        (copy, now) => copy == now,
    }
}
