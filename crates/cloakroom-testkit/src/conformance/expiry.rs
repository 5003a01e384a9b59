//! How sessions end by themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cloakroom_core::{Address, Change, Committed, Ended, Lifetime, Loaded, Rotated, Which};
use time::Duration;

use super::draft::{ABSOLUTE, Also, Draft, IDLE, set};
use super::fixture::beside;
use super::{Fixture, Instance};

pub(super) async fn an_unused_session_expires(f: &Fixture) {
    let at = f.create(f.login("alice").with("a", "1")).await.at;
    f.pass(IDLE - Duration::MINUTE).await;
    f.record(at).await;
    f.pass(Duration::MINUTE).await;
    f.assert_absent(at).await;
    let second = f.second();
    assert_eq!(second.commit(at, &set("a", "2")).await, Committed::Gone);
    let to = beside(at);
    assert_eq!(second.rotate(at, to.digest).await, Rotated::Gone);
    assert_eq!(second.end(at).await, Ended::Absent);
    assert_eq!(second.list(&f.user("alice")).await, []);
    assert_eq!(f.sessions().await, 0);
}

pub(super) async fn reading_is_no_use(f: &Fixture) {
    let at = f.create(f.login("alice")).await.at;
    for _ in 0..3 {
        f.pass(Duration::minutes(10)).await;
        f.second().list(&f.user("alice")).await;
        f.first().load(at).await;
    }
    f.assert_absent(at).await;
}

pub(super) async fn use_does_not_outlive_the_absolute_deadline(f: &Fixture) {
    let at = f.create(f.login("alice")).await.at;
    let step = Duration::minutes(20);
    for n in 1..36 {
        f.pass(step).await;
        if n % 2 == 0 {
            f.first().touch(at, Duration::ZERO).await;
        } else {
            let committed = f.second().commit(at, &set("n", n.to_string())).await;
            assert!(matches!(committed, Committed::Done { .. }), "{committed:?}");
        }
        f.record(at).await;
    }
    assert_eq!(step * 36, ABSOLUTE);
    f.pass(step).await;
    f.assert_absent(at).await;
    assert_eq!(f.first().list(&f.user("alice")).await, []);
    assert_eq!(f.sessions().await, 0);
}

pub(super) async fn a_remembered_session_has_its_own_lifetime(f: &Fixture) {
    let (idle, absolute) = (Duration::days(14), Duration::days(30));
    let mut unused = f.login("alice").living(idle, absolute);
    unused.lifetime.remembered = true;
    let used = f.create(unused.clone()).await.at;
    unused.at = beside(unused.at);
    let unused = f.create(unused).await.at;
    let plain = f.create(f.login("alice")).await.at;
    for day in 1..30 {
        f.pass(Duration::DAY).await;
        f.first().touch(used, Duration::ZERO).await;
        assert!(f.record(used).await.remembered);
        assert_eq!(f.is_live(unused).await, day < 14, "day {day}");
        f.assert_absent(plain).await;
    }
    f.pass(Duration::DAY).await;
    f.assert_absent(used).await;
    assert_eq!(f.sessions().await, 0);
}

/// A change that gives a session other limits of time.
fn living(idle: Duration, absolute: Duration) -> Change {
    let mut change = Change::default();
    change.live(Lifetime {
        idle,
        absolute,
        remembered: true,
    });
    change
}

pub(super) async fn other_limits_of_time_begin_with_the_write(f: &Fixture) {
    let (short, long) = (Duration::minutes(5), Duration::days(20));
    let shortened = f.create(f.login("alice").with("a", "1")).await.at;
    let lengthened = f.create(f.anonymous()).await.at;
    f.pass(Duration::minutes(4)).await;
    for (at, idle) in [(shortened, short), (lengthened, long)] {
        let change = living(idle, long).and_set("b", "2");
        let committed = f.first().commit(at, &change).await;
        assert_eq!(committed, Committed::Done { revision: 2 });
        let record = f.record(at).await;
        assert_eq!((record.idle, record.remembered), (idle, true));
        assert_eq!(record.absolute_deadline - record.last_seen, long);
        assert_eq!(record.attributes.raw("b").unwrap(), "2");
    }
    f.pass(short).await;
    f.assert_absent(shortened).await;
    f.pass(long - Duration::minutes(6)).await;
    f.record(lengthened).await;
    f.first().touch(lengthened, Duration::ZERO).await;
    f.pass(Duration::MINUTE).await;
    f.assert_absent(lengthened).await;
}

/// A session that was made to live longer is found and revoked for as long as it lives.
pub(super) async fn a_longer_life_is_known_to_the_index(f: &Fixture) {
    let (idle, absolute) = (Duration::days(15), Duration::days(20));
    let at = f.create(f.login("alice")).await.at;
    let committed = f.first().commit(at, &living(idle, absolute)).await;
    assert_eq!(committed, Committed::Done { revision: 2 });
    f.pass(Duration::days(14)).await;
    assert_eq!(f.second().list(&f.user("alice")).await.len(), 1);
    assert_eq!(f.second().revoke(&f.user("alice"), Which::All).await, 1);
    f.assert_absent(at).await;
}

pub(super) async fn the_window_of_one_instance_holds_on_another(f: &Fixture) {
    // During a deployment two versions may be configured for different windows: the session's
    // own counts.
    let (short, long) = (Duration::minutes(5), Duration::hours(2));
    let one = f.create(f.anonymous().living(short, ABSOLUTE)).await.at;
    let other = f.create(f.anonymous().living(long, ABSOLUTE)).await.at;
    f.pass(Duration::minutes(4)).await;
    for at in [one, other] {
        f.second().commit(at, &set("a", "1")).await;
        f.second().touch(at, Duration::ZERO).await;
    }
    assert_eq!(f.record(one).await.idle, short);
    assert_eq!(f.record(other).await.idle, long);
    f.pass(short).await;
    f.assert_absent(one).await;
    f.pass(long - short - Duration::MINUTE).await;
    f.record(other).await;
    f.pass(Duration::MINUTE).await;
    f.assert_absent(other).await;
}

/// Touches that arrive as the window closes: the session lives on for all or is dead for all, and
/// who has seen it dead never sees it alive again.
pub(super) async fn at_the_edge_a_session_dies_once(f: &Fixture) {
    for round in 0..40 {
        let at = f.create(f.anonymous()).await.at;
        let stop = Arc::new(AtomicBool::new(false));
        let toucher = tokio::spawn(touch_on(f.first().clone(), at, stop.clone()));
        let watchers: Vec<_> = (1..4)
            .map(|n| tokio::spawn(watch(f.instance(n), at, stop.clone())))
            .collect();
        // The touches that get in between decide; every other round there is no time for one.
        f.pass(IDLE / 2).await;
        f.pass(if round % 2 == 0 { IDLE / 2 } else { IDLE }).await;
        let alive = f.is_live(at).await;
        assert!(!alive || round % 2 == 0, "a whole window has passed");
        stop.store(true, Ordering::SeqCst);
        toucher.await.expect("touching goes well");
        for watcher in watchers {
            watcher.await.expect("nothing came back");
        }
        assert_eq!(f.is_live(at).await, alive);
    }
}

async fn touch_on(instance: Instance, at: Address, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::SeqCst) {
        instance.touch(at, Duration::ZERO).await;
        tokio::task::yield_now().await;
    }
}

async fn watch(instance: Instance, at: Address, stop: Arc<AtomicBool>) {
    let mut dead = false;
    while !stop.load(Ordering::SeqCst) {
        let found = matches!(instance.load(at).await, Loaded::Found { .. });
        assert!(!(dead && found), "it was dead and is alive again");
        dead = !found;
        tokio::task::yield_now().await;
    }
}
