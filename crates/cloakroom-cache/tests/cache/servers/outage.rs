//! A store that is away, slow, and back.

use super::instance::{BOUND, By, Database, LIMIT, connected, settings, store};
use cloakroom_cache::{Cache, OnUnavailable};
use cloakroom_testkit::{Direction, Link, RedisServer, eventually};
use std::time::{Duration, Instant};

type Strings = Cache<String, String>;

const NOW: Duration = Duration::ZERO;
const INSTANCES: usize = 3;
const KEYS: usize = 20;
const COMMAND: Duration = Duration::from_millis(300);
/// Beyond what must be waited for: a busy machine.
const SLACK: Duration = Duration::from_millis(300);
const LONG: time::Duration = time::Duration::HOUR;

/// Some instances behind one link.
struct Fleet {
    server: RedisServer,
    link: Link,
    caches: Vec<Strings>,
    data: Database,
}

/// What a while of reading brought.
#[derive(Debug, Default)]
struct Reads {
    answers: usize,
    errors: usize,
    old: usize,
    loads: u64,
    longest: Duration,
    time: Duration,
}

impl Fleet {
    async fn new(policy: OnUnavailable) -> Self {
        let server = RedisServer::start().await;
        let link = Link::to(server.port());
        let mut caches = Vec::new();
        for _ in 0..INSTANCES {
            let store = store(By::Redis, &link.url());
            let store = connected(store.command_timeout(COMMAND.try_into().unwrap())).await;
            let cache = settings(&store).on_unavailable(policy).fresh_for(LONG);
            caches.push(cache.build().unwrap());
        }
        let fleet = Self {
            server,
            link,
            caches,
            data: Database::default(),
        };
        let warm = fleet.read_for(NOW, 0).await;
        assert_eq!(warm.loads, KEYS as u64, "{warm:?}");
        fleet
    }

    /// All instances read all keys, again and again, for so long; at least once.
    async fn read_for(&self, long: Duration, version: u64) -> Reads {
        let (began, loads) = (Instant::now(), self.data.loads());
        let one = |cache: Strings, key: usize| async move {
            let mut reads = Reads::default();
            loop {
                let asked = Instant::now();
                let read = self.data.read(&cache, &key.to_string(), NOW).await;
                reads.longest = reads.longest.max(asked.elapsed());
                match read {
                    Ok(shown) => {
                        reads.answers += 1;
                        reads.old += usize::from(shown < version);
                    }
                    Err(error) => {
                        assert!(error.is_unavailable(), "{error}");
                        reads.errors += 1;
                    }
                }
                if began.elapsed() >= long {
                    return reads;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let each = self.caches.iter();
        let each = each.flat_map(|cache| (0..KEYS).map(|key| one(cache.clone(), key)));
        let all = futures_util::future::join_all(each).await;
        let mut sum = Reads::default();
        for reads in all {
            sum.answers += reads.answers;
            sum.errors += reads.errors;
            sum.old += reads.old;
            sum.longest = sum.longest.max(reads.longest);
        }
        sum.loads = self.data.loads() - loads;
        sum.time = began.elapsed();
        sum
    }

    /// Each instance loads each key once in the bound at most.
    fn most_loads(reads: &Reads) -> u64 {
        let rounds = reads.time.as_millis().div_ceil(BOUND.as_millis()) + 1;
        (INSTANCES * KEYS) as u64 * u64::try_from(rounds).unwrap()
    }

    /// Waits until every instance reaches the store, and no copy from before is good any more.
    async fn is_back(&self) {
        for cache in &self.caches {
            let reached = || async { cache.invalidate("none").await.is_ok() };
            assert!(eventually(LIMIT, reached).await);
        }
        tokio::time::sleep(BOUND).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_away_each_instance_loads_once_in_the_bound() {
    let fleet = Fleet::new(OnUnavailable::Load).await;
    fleet.server.kill();
    let version = fleet.data.change();
    let down = fleet.read_for(BOUND, 0).await;
    let later = fleet.read_for(BOUND * 3, version).await;
    println!("Load, away: first {down:?}; then {later:?}");
    assert_eq!((down.errors, later.errors, later.old), (0, 0, 0));
    assert!(down.longest < COMMAND + SLACK, "{down:?}");
    assert!(later.longest < SLACK, "{later:?}");
    assert!(later.loads <= Fleet::most_loads(&later), "{later:?}");

    fleet.server.restart().await;
    fleet.is_back().await;
    let back = fleet.read_for(BOUND * 2, version).await;
    println!("Load, back and empty: {back:?}");
    assert_eq!((back.errors, back.old), (0, 0));
    assert_eq!(back.loads, KEYS as u64, "no herd: {back:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_slow_nobody_waits_longer_than_a_command_may_take() {
    let fleet = Fleet::new(OnUnavailable::Load).await;
    fleet.link.delay(Direction::ToClient, COMMAND * 4);
    let version = fleet.data.change();
    let slow = fleet.read_for(BOUND * 2, 0).await;
    let later = fleet.read_for(BOUND * 3, version).await;
    println!("Load, slow: first {slow:?}; then {later:?}");
    assert_eq!((slow.errors, later.errors, later.old), (0, 0, 0));
    assert!(slow.longest < COMMAND + SLACK, "{slow:?}");
    assert!(later.longest < COMMAND + SLACK, "{later:?}");
    assert!(later.loads <= Fleet::most_loads(&later), "{later:?}");

    fleet.link.heal();
    fleet.is_back().await;
    for key in 0..KEYS {
        fleet.caches[0].invalidate(&key.to_string()).await.unwrap();
    }
    let back = fleet.read_for(BOUND * 2, 0).await;
    println!("Load, back: {back:?}");
    assert_eq!(back.errors, 0);
    assert!(back.loads <= KEYS as u64, "no herd: {back:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stale_copies_are_served_for_as_long_as_the_application_allows() {
    let allowed = time::Duration::seconds(2);
    let fleet = Fleet::new(OnUnavailable::Stale(allowed)).await;
    fleet.server.kill();
    let down = fleet.read_for(Duration::from_millis(1500), 0).await;
    println!("Stale, away: {down:?}");
    assert_eq!((down.errors, down.loads), (0, 0), "{down:?}");
    assert!(down.longest < COMMAND + SLACK, "{down:?}");
    tokio::time::sleep(Duration::from_millis(700)).await;
    let version = fleet.data.change();
    let after = fleet.read_for(BOUND, version).await;
    println!("Stale, away for longer: {after:?}");
    assert_eq!((after.errors, after.old), (0, 0), "loaded: {after:?}");
    assert!(after.loads <= Fleet::most_loads(&after), "{after:?}");
}

/// What this process itself invalidated by a tag is not served in need either.
#[tokio::test]
async fn a_stale_copy_whose_tag_was_invalidated_is_not_served() {
    let server = RedisServer::start().await;
    let store = connected(store(By::Redis, &server.url())).await;
    let policy = OnUnavailable::Stale(LONG);
    let cache = settings(&store).on_unavailable(policy).build().unwrap();
    let read = async |value: &'static str| {
        let load = move || async move {
            let load = cloakroom_cache::Load::new(value.to_owned()).tag("t");
            Ok::<_, std::convert::Infallible>(load)
        };
        cache.get_or_load("k", load).await.unwrap().to_string()
    };
    // The tag is there before: the first load of it might be refused for that alone.
    read("first").await;
    cache.invalidate("k").await.unwrap();
    read("old").await;
    cache.invalidate_tag("t").await.unwrap();
    server.kill();
    assert_eq!(read("new").await, "new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_chose_to_fail_is_told_at_once() {
    let fleet = Fleet::new(OnUnavailable::Fail).await;
    fleet.server.kill();
    tokio::time::sleep(BOUND).await;
    let version = fleet.data.change();
    let down = fleet.read_for(BOUND * 2, version).await;
    println!("Fail, away: {down:?}");
    assert_eq!((down.answers, down.loads), (0, 0), "{down:?}");
    assert!(down.longest < COMMAND + SLACK, "{down:?}");
    fleet.server.restart().await;
    fleet.is_back().await;
    let back = fleet.read_for(BOUND, version).await;
    println!("Fail, back and empty: {back:?}");
    assert_eq!((back.errors, back.old, back.loads), (0, 0, KEYS as u64));
}
