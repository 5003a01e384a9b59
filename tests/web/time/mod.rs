//! How long sessions live: on clocks that the test moves, and once on the server's own.

mod limits;
mod real;
mod remembered;
mod touches;

use cloakroom_testkit::eventually;
use time::OffsetDateTime;

use crate::web::support::{Instance, LIMIT};

/// When the store last saw alice, on her only device.
async fn last_seen(instance: &Instance) -> OffsetDateTime {
    let listed = instance.sessions.list("alice").await.unwrap();
    assert_eq!(listed.len(), 1);
    listed[0].last_seen
}

/// Writes what touches are due, by hand or by the task in the background, and waits until the
/// store has seen alice later than before.
async fn touched(instance: &Instance, before: OffsetDateTime) {
    let seen = async || {
        instance.sessions.write_touches().await.unwrap();
        last_seen(instance).await > before
    };
    assert!(eventually(LIMIT, seen).await, "it was never touched");
}
