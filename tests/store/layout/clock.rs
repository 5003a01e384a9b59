//! What the server's own clock says of its keys.

use std::ops::RangeInclusive;

use cloakroom_core::{Created, NewSession};
use cloakroom_testkit::RedisServer;
use cloakroom_testkit::conformance::Instance;
use time::Duration;

use crate::store::support::ask;

/// The server's time, in microseconds.
pub(crate) async fn micros(server: &RedisServer) -> u64 {
    let (seconds, micros): (u64, u64) = ask(server, &["TIME"]).await;
    seconds * 1_000_000 + micros
}

/// Makes a session, and tells within which milliseconds of the server.
pub(crate) async fn create(
    server: &RedisServer,
    instance: &Instance,
    new: &NewSession,
) -> RangeInclusive<u64> {
    let before = micros(server).await;
    let created = instance.create(new).await;
    assert!(matches!(created, Created::Done { .. }), "{created:?}");
    before / 1000..=micros(server).await / 1000
}

/// These milliseconds, and as long after.
pub(crate) fn after(made: &RangeInclusive<u64>, span: Duration) -> RangeInclusive<u64> {
    let span = u64::try_from(span.whole_milliseconds()).unwrap();
    made.start() + span..=made.end() + span
}

/// Fails unless the key expires in this time, as far as it can be told: the server's clock goes on
/// while it is asked, and while a script runs that has read it.
pub(crate) async fn assert_expires(server: &RedisServer, key: &str, within: RangeInclusive<u64>) {
    let before = micros(server).await / 1000;
    let left: u64 = ask(server, &["PTTL", key]).await;
    let after = micros(server).await / 1000;
    let (earliest, latest) = (before + left, after + left);
    assert!(
        *within.start() <= latest && earliest <= within.end() + 20_000,
        "{key} expires in {earliest}..={latest}, not in {within:?}"
    );
}
