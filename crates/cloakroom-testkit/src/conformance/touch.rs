//! Sliding idle windows.

use cloakroom_core::Touch;
use time::Duration;

use super::Fixture;
use super::draft::{Draft, IDLE, set};
use super::fixture::beside;

pub(super) async fn it_slides_the_idle_window(f: &Fixture) {
    let at = f.create(f.login("alice")).await.at;
    for _ in 0..4 {
        f.pass(IDLE - Duration::MINUTE).await;
        f.second().touch(at, Duration::ZERO).await;
        f.record(at).await;
    }
    f.pass(IDLE).await;
    f.assert_absent(at).await;
}

pub(super) async fn it_never_passes_the_absolute_deadline(f: &Fixture) {
    let new = f.anonymous().living(IDLE, Duration::minutes(80));
    let at = f.create(new).await.at;
    for _ in 0..3 {
        f.pass(Duration::minutes(20)).await;
        let before = f.record(at).await;
        f.first().touch(at, Duration::ZERO).await;
        let after = f.record(at).await;
        assert_eq!(after.absolute_deadline, before.absolute_deadline);
    }
    f.pass(Duration::minutes(20)).await;
    f.first().touch(at, Duration::ZERO).await;
    f.assert_absent(at).await;
}

pub(super) async fn it_changes_nothing_else(f: &Fixture) {
    let new = f.login("alice").on_device("phone").with("~t", "1");
    let at = f.create(new.with("a", "1")).await.at;
    f.first().commit(at, &set("a", "2")).await;
    f.pass(Duration::MINUTE).await;
    let before = f.record(at).await;
    f.second().touch(at, Duration::ZERO).await;
    let after = f.record(at).await;
    assert!(after.last_seen > before.last_seen);
    let mut expected = (*before).clone();
    expected.last_seen = after.last_seen;
    assert_eq!(*after, expected);
    assert_eq!(after.revision, 2, "no copy of it is stale");
    let listed = f.first().list(&f.user("alice")).await;
    assert_eq!(listed[0].last_seen, after.last_seen);
}

pub(super) async fn it_counts_from_the_use(f: &Fixture) {
    let at = f.create(f.anonymous()).await.at;
    f.pass(Duration::minutes(20)).await;
    let ago = Duration::minutes(5);
    let before = f.now().await;
    f.first().touch(at, ago).await;
    let after = f.now().await;
    let seen = f.record(at).await.last_seen + ago;
    let rounding = Duration::MILLISECOND;
    assert!(before - rounding <= seen && seen <= after, "{seen}");
    f.pass(IDLE - ago).await;
    f.assert_absent(at).await;
}

pub(super) async fn older_uses_are_ignored(f: &Fixture) {
    let at = f.create(f.anonymous()).await.at;
    f.pass(Duration::minutes(10)).await;
    f.first().touch(at, Duration::minutes(2)).await;
    let before = f.record(at).await;
    // Tidings of instances that are slow, in any order, and one twice.
    for minutes in [3, 9, 60, 3] {
        f.second().touch(at, Duration::minutes(minutes)).await;
        assert_eq!(f.record(at).await, before);
    }
    f.first().touch(at, Duration::MINUTE).await;
    assert!(f.record(at).await.last_seen > before.last_seen);
}

pub(super) async fn impossible_times_do_no_harm(f: &Fixture) {
    let at = f.create(f.anonymous()).await.at;
    f.pass(Duration::MINUTE).await;
    let before = f.record(at).await;
    f.first().touch(at, Duration::MAX).await;
    assert_eq!(f.record(at).await, before);
    // A use in the future counts as one now; `record` checks that nothing is seen later than now.
    for ago in [-Duration::HOUR, Duration::MIN] {
        f.first().touch(at, ago).await;
        assert!(f.record(at).await.last_seen > before.last_seen);
    }
    f.pass(IDLE).await;
    f.assert_absent(at).await;
}

pub(super) async fn what_is_gone_stays_gone(f: &Fixture) {
    let unknown = f.anonymous().at;
    let ended = f.create(f.login("alice")).await.at;
    f.first().end(ended).await;
    let expired = f.create(f.login("alice")).await.at;
    f.pass(IDLE).await;
    for gone in [unknown, ended, expired] {
        f.second().touch(gone, Duration::ZERO).await;
        assert!(!f.is_live(gone).await);
    }
    let old = f.create(f.anonymous()).await.at;
    let to = beside(old);
    f.first().rotate(old, to.digest).await;
    f.second().touch(old, Duration::ZERO).await;
    f.assert_superseded(old).await;
    assert_eq!(f.sessions().await, 1);
}

pub(super) async fn many_go_in_one_call(f: &Fixture) {
    let mut sessions = Vec::new();
    for n in 0..300 {
        let new = if n % 2 == 0 {
            f.anonymous()
        } else {
            f.login("alice")
        };
        sessions.push(f.create(new).await.at);
    }
    for dead in sessions.iter().step_by(3) {
        f.first().end(*dead).await;
    }
    f.pass(IDLE - Duration::MINUTE).await;
    let uses = sessions.iter().flat_map(|at| {
        // Two uses of each, the older one last.
        [1, 2].map(|minutes| Touch {
            at: *at,
            ago: Duration::minutes(minutes),
        })
    });
    f.second().touch_all(&uses.collect::<Vec<_>>()).await;
    f.second().touch_all(&[]).await;
    f.pass(IDLE - Duration::minutes(2)).await;
    for (n, at) in sessions.iter().enumerate() {
        assert_eq!(f.is_live(*at).await, n % 3 != 0, "session {n}");
    }
    assert_eq!(f.sessions().await, 200);
}
