//! Changes and reads of a key that cross each other in every way, from several instances.

use super::{
    history::{Change, History, Read},
    instance::{BOUND, By, LIMIT, connected, store},
};
use cloakroom_cache::{Cache, Load, Tag};
use cloakroom_redis::ChannelRules;
use cloakroom_testkit::{Link, RedisServer};
use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use tokio::time::sleep;

const INSTANCES: usize = 3;
/// Races that are run before the bound is waited for.
const AT_ONCE: u64 = 500;
/// They begin within this time.
const SPREAD: Duration = Duration::from_millis(1200);

/// How a change is made known.
#[derive(Debug, Clone, Copy)]
enum How {
    Key,
    Tag,
    Insert,
    Write,
    /// Not at all, by a broken application.
    Forgotten,
}

/// One key, what it is loaded from, and what happened to it.
struct Race {
    key: u64,
    version: AtomicU64,
    /// Who changes it and says so is alone: or an insert might put an older version over a newer one.
    writer: tokio::sync::Mutex<()>,
    history: Mutex<History>,
}

impl Race {
    fn tag(&self) -> Tag {
        Tag::of(&("race", self.key))
    }

    fn change(&self) -> u64 {
        self.version.fetch_add(1, SeqCst) + 1
    }

    async fn write(&self, instance: usize, cache: &Cache<u64, u64>, how: How, pause: Duration) {
        let _alone = self.writer.lock().await;
        let version = match how {
            How::Write => {
                let change = || async {
                    sleep(pause).await;
                    Ok::<_, Infallible>(self.change())
                };
                cache.write(&self.key, change).await.unwrap()
            }
            _ => self.change(),
        };
        match how {
            How::Key => cache.invalidate(&self.key).await.unwrap(),
            How::Tag => cache.invalidate_tag(self.tag()).await.unwrap(),
            How::Insert => {
                let value = Load::new(version).tag(self.tag());
                cache.insert(&self.key, value).await.unwrap();
            }
            How::Write | How::Forgotten => {}
        }
        let returned = Instant::now();
        self.history.lock().unwrap().changes.push(Change {
            version,
            instance,
            returned,
        });
    }

    async fn read(self: &Arc<Self>, instance: usize, cache: &Cache<u64, u64>, takes: Duration) {
        let (race, began) = (Arc::clone(self), Instant::now());
        let load = move || async move {
            // What was read, and then comes late.
            let version = race.version.load(SeqCst);
            sleep(takes).await;
            Ok::<_, Infallible>(Load::new(version).tag(race.tag()))
        };
        let version = *cache.get_or_load(&self.key, load).await.unwrap();
        self.history.lock().unwrap().reads.push(Read {
            version,
            instance,
            began,
        });
    }
}

/// What races are made of.
#[derive(Debug, Clone, Copy)]
struct Kind {
    hows: &'static [How],
    /// Changes come within so many microseconds, reads within half as many more.
    within: u64,
}

/// What happens in one race, by its seed.
async fn run(race: Arc<Race>, caches: Arc<Vec<Cache<u64, u64>>>, kind: Kind) {
    let Kind { hows, within } = kind;
    let mut random = fastrand::Rng::with_seed(race.key);
    let mut tasks = Vec::new();
    let mut random_pause = move |most: u64| Duration::from_micros(random.u64(0..most));
    let mut dice = fastrand::Rng::with_seed(!race.key);
    sleep(SPREAD.mul_f64(dice.f64())).await;
    for _ in 0..dice.usize(1..4) {
        let (race, caches) = (Arc::clone(&race), Arc::clone(&caches));
        let (instance, how) = (dice.usize(0..INSTANCES), dice.usize(0..hows.len()));
        let (wait, pause) = (random_pause(within), random_pause(3_000));
        tasks.push(tokio::spawn(async move {
            sleep(wait).await;
            race.write(instance, &caches[instance], hows[how], pause)
                .await;
        }));
    }
    for _ in 0..dice.usize(3..8) {
        let (race, caches) = (Arc::clone(&race), Arc::clone(&caches));
        let instance = dice.usize(0..INSTANCES);
        let (wait, takes) = (random_pause(within + within / 2), random_pause(5_000));
        tasks.push(tokio::spawn(async move {
            sleep(wait).await;
            race.read(instance, &caches[instance], takes).await;
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

/// What came of all races.
#[derive(Debug, Default)]
struct Outcome {
    reads: usize,
    changes: usize,
    stale: usize,
    worst: Duration,
}

/// Runs races in batches; after each, when the bound is over, every instance must show the last version.
async fn race_all(name: &str, races: u64, caches: Vec<Cache<u64, u64>>, kind: Kind) -> Outcome {
    let caches = Arc::new(caches);
    let (mut outcome, began) = (Outcome::default(), Instant::now());
    for first in (0..races).step_by(usize::try_from(AT_ONCE).unwrap()) {
        let race = |key| {
            Arc::new(Race {
                key,
                version: AtomicU64::new(0),
                writer: tokio::sync::Mutex::default(),
                history: Mutex::default(),
            })
        };
        let batch: Vec<_> = (first..races.min(first + AT_ONCE)).map(race).collect();
        let running = batch
            .iter()
            .map(|race| tokio::spawn(run(Arc::clone(race), Arc::clone(&caches), kind)));
        let all = futures_util::future::try_join_all(running);
        tokio::time::timeout(3 * LIMIT, all).await.unwrap().unwrap();
        // Half at once: what the same instance changed shows already.
        finally(&batch, &caches).await;
        sleep(BOUND + Duration::from_millis(20)).await;
        finally(&batch, &caches).await;
        for race in batch {
            let history = race.history.lock().unwrap();
            outcome.reads += history.reads.len();
            outcome.changes += history.changes.len();
            outcome.worst = outcome.worst.max(history.worst());
            let stale = history.stale(BOUND);
            if !stale.is_empty() && outcome.stale == 0 {
                println!("{name}: seed {}: {stale:?}", race.key);
            }
            outcome.stale += stale.len();
        }
    }
    let sum = |of: fn(&Cache<u64, u64>) -> u64| caches.iter().map(of).sum::<u64>();
    println!(
        "{name}: {races} races in {:.1?}: {outcome:?}; {} near hits, {} store hits, {} loads, {} refused, \
         {} takeovers, {} fenced",
        began.elapsed(),
        sum(|c| c.stats().near_hits),
        sum(|c| c.stats().store_hits),
        sum(|c| c.stats().loads),
        sum(|c| c.stats().refused),
        sum(|c| c.stats().takeovers),
        sum(|c| c.near_stats().fenced),
    );
    outcome
}

async fn finally(batch: &[Arc<Race>], caches: &[Cache<u64, u64>]) {
    let reads = batch.iter().flat_map(|race| {
        let all = caches.iter().enumerate();
        all.map(move |(instance, cache)| race.read(instance, cache, Duration::ZERO))
    });
    futures_util::future::join_all(reads).await;
}

fn races(default: u64) -> u64 {
    let races = std::env::var("CLOAKROOM_CACHE_RACES").ok();
    races.map_or(default, |races| races.parse().unwrap())
}

async fn cache(url: &str, lease: u64, rules: ChannelRules) -> Cache<u64, u64> {
    // Longer than a busy machine takes.
    let store = store(By::Redis, url).command_timeout(time::Duration::seconds(10));
    let store = connected(store.rules(rules)).await;
    Cache::builder("races", store as _)
        .lease(time::Duration::milliseconds(lease.try_into().unwrap()))
        .max_staleness(BOUND.try_into().unwrap())
        .build()
        .unwrap()
}

const CLOSE: Kind = Kind {
    hows: &[How::Key, How::Tag, How::Insert, How::Write],
    within: 10_000,
};
/// Time enough for copies to be used, and to be doubted.
const WIDE: Kind = Kind {
    within: 1_000_000,
    ..CLOSE
};
const FORGOTTEN: Kind = Kind {
    hows: &[How::Forgotten],
    ..CLOSE
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_race_of_changes_and_reads_shows_what_was_changed_before() {
    let server = RedisServer::start().await;
    let mut caches = Vec::new();
    for _ in 0..INSTANCES {
        caches.push(cache(&server.url(), 3000, ChannelRules::ALL).await);
    }
    let outcome = race_all("healthy", races(600), caches, CLOSE).await;
    assert_eq!(outcome.stale, 0, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_race_does_when_leases_end_under_their_holders() {
    let server = RedisServer::start().await;
    let mut caches = Vec::new();
    for _ in 0..INSTANCES {
        caches.push(cache(&server.url(), 2, ChannelRules::ALL).await);
    }
    let outcome = race_all("leases of 2 ms", races(300), caches, CLOSE).await;
    assert_eq!(outcome.stale, 0, "{outcome:?}");
}

/// Messages are held back from all but the first instance, and then come, or are lost.
async fn with_messages_lost(name: &str, races: u64, rules: ChannelRules) -> Outcome {
    let server = RedisServer::start().await;
    let links: Vec<_> = (1..INSTANCES).map(|_| Link::to(server.port())).collect();
    let mut caches = vec![cache(&server.url(), 3000, rules).await];
    for link in &links {
        caches.push(cache(&link.url(), 3000, rules).await);
    }
    let meddling = tokio::spawn(async move {
        let mut random = fastrand::Rng::with_seed(11);
        loop {
            for link in &links {
                link.withhold_pushes(random.bool());
                if random.bool() {
                    link.drop_withheld();
                }
            }
            sleep(Duration::from_millis(random.u64(1..400))).await;
        }
    });
    let outcome = race_all(name, races, caches, WIDE).await;
    meddling.abort();
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_race_is_stale_beyond_the_bound_when_messages_are_held_back_and_lost() {
    let outcome = with_messages_lost("messages lost", races(300), ChannelRules::ALL).await;
    assert_eq!(outcome.stale, 0, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_find_a_channel_that_does_not_count_its_messages() {
    let broken = ChannelRules {
        numbers: false,
        ..ChannelRules::ALL
    };
    let outcome = with_messages_lost("a broken rule", 200, broken).await;
    assert!(outcome.stale > 0, "the check finds nothing: {outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_find_an_application_that_forgets_to_invalidate() {
    let server = RedisServer::start().await;
    let mut caches = Vec::new();
    for _ in 0..INSTANCES {
        caches.push(cache(&server.url(), 3000, ChannelRules::ALL).await);
    }
    let outcome = race_all("a broken application", 100, caches, FORGOTTEN).await;
    assert!(outcome.stale > 0, "the check finds nothing: {outcome:?}");
}
