//! What is served while messages can't be heard, and afterwards.

use super::instance::{BOUND, By, Database, LIMIT, connected, instance, settings, store, until};
use cloakroom_cache::Cache;
use cloakroom_core::Digest;
use cloakroom_testkit::{Direction, Link, RedisServer, eventually};
use std::time::{Duration, Instant};

const NOW: Duration = Duration::ZERO;
const KEYS: usize = 50;

/// Two instances with near copies of all keys: A behind a link, B beside it.
struct Scene {
    server: RedisServer,
    link: Link,
    a: Cache<String, String>,
    b: Cache<String, String>,
    data: Database,
}

fn keys() -> impl Iterator<Item = String> {
    (0..KEYS).map(|key| key.to_string())
}

impl Scene {
    async fn new() -> Self {
        let server = RedisServer::start().await;
        let link = Link::to(server.port());
        let a = connected(store(By::Redis, &link.url())).await;
        let a = settings(&a).build().unwrap();
        let b = instance(&server.url()).await;
        let data = Database::default();
        let scene = Self {
            server,
            link,
            a,
            b,
            data,
        };
        for key in keys() {
            scene.data.read(&scene.a, &key, NOW).await.unwrap();
        }
        scene
    }

    /// Everything changes, and B says so.
    async fn change(&self) -> u64 {
        let version = self.data.change();
        for key in keys() {
            self.b.invalidate(&key).await.unwrap();
        }
        version
    }

    /// Reads at A for as long as this: whatever is older than the bound must show.
    async fn a_is_within_the_bound_of(&self, version: u64, changed: Instant, long: Duration) {
        let (mut stale, began) = (Duration::ZERO, Instant::now());
        while began.elapsed() < long {
            for key in keys() {
                let asked = Instant::now();
                if self.data.read(&self.a, &key, NOW).await.unwrap() < version {
                    stale = stale.max(asked.duration_since(changed));
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        println!("stale for {stale:?} at most, of {BOUND:?}");
        assert!(stale < BOUND, "{stale:?}");
    }

    async fn a_shows(&self, version: u64) {
        for key in keys() {
            let read = self.data.read(&self.a, &key, NOW).await.unwrap();
            assert_eq!(read, version, "{key}");
        }
    }

    /// After a while A hears again, and copies are used again.
    async fn a_hears_again(&self) {
        let hits = || async {
            let before = self.a.stats().near_hits;
            self.data.read(&self.a, "0", NOW).await.unwrap();
            tokio::time::sleep(BOUND).await;
            self.data.read(&self.a, "0", NOW).await.unwrap();
            self.a.stats().near_hits > before
        };
        assert!(eventually(LIMIT, hits).await);
    }
}

#[tokio::test]
async fn a_killed_subscriber_costs_no_freshness() {
    let scene = Scene::new().await;
    for _ in 0..3 {
        assert!(scene.server.kill_subscribers().await > 0);
        let version = scene.change().await;
        let now = Instant::now();
        scene
            .a_is_within_the_bound_of(version, now, BOUND * 2)
            .await;
        scene.a_shows(version).await;
    }
    scene.a_hears_again().await;
}

#[tokio::test]
async fn connections_that_are_cut_cost_no_freshness() {
    let scene = Scene::new().await;
    for _ in 0..3 {
        scene.link.cut_now(10);
        let version = scene.change().await;
        let now = Instant::now();
        scene
            .a_is_within_the_bound_of(version, now, BOUND * 2)
            .await;
        scene.a_shows(version).await;
    }
    scene.a_hears_again().await;
}

/// The commands' answers pass, the messages are lost in silence.
#[tokio::test]
async fn lost_messages_cost_no_freshness() {
    let scene = Scene::new().await;
    scene.link.withhold_pushes(true);
    for _ in 0..3 {
        let version = scene.change().await;
        let now = Instant::now();
        scene
            .a_is_within_the_bound_of(version, now, BOUND * 2)
            .await;
        scene.link.drop_withheld();
    }
    scene.link.heal();
    scene.a_hears_again().await;
}

/// Nothing comes from the server any more, and nobody says so: A's copies end by themselves, and it
/// loads what it needs.
#[tokio::test]
async fn a_half_open_connection_ends_near_copies_within_the_bound() {
    let scene = Scene::new().await;
    scene.link.swallow(Direction::ToClient);
    let version = scene.change().await;
    let now = Instant::now();
    scene
        .a_is_within_the_bound_of(version, now, BOUND * 3)
        .await;
    scene.link.heal();
    scene.a_hears_again().await;
    scene.a_shows(version).await;
}

#[tokio::test]
async fn near_copies_of_an_emptied_server_end_within_the_bound() {
    let scene = Scene::new().await;
    let version = scene.data.change();
    scene.server.command(&["FLUSHALL"]).await;
    let now = Instant::now();
    scene
        .a_is_within_the_bound_of(version, now, BOUND * 2)
        .await;
    scene.a_hears_again().await;
}

#[tokio::test]
async fn near_copies_of_a_server_that_came_back_empty_end_within_the_bound() {
    let scene = Scene::new().await;
    let version = scene.data.change();
    scene.server.kill();
    scene.server.restart().await;
    let now = Instant::now();
    scene
        .a_is_within_the_bound_of(version, now, BOUND * 2)
        .await;
    scene.a_hears_again().await;
    let again = scene.data.change();
    let told = || async { scene.b.invalidate("0").await.is_ok() };
    assert!(eventually(LIMIT, told).await);
    let seen = || async { scene.data.read(&scene.a, "0", NOW).await.unwrap() == again };
    assert!(eventually(LIMIT, seen).await);
}

/// 10,000 at once, and A has copies of all: it hears of each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_10000_invalidations_is_heard_whole() {
    const MANY: usize = 10_000;
    let server = RedisServer::start().await;
    // The bound is no help: an hour.
    let long = |store| settings(store).max_staleness(time::Duration::HOUR);
    let patient = store(By::Redis, &server.url()).command_timeout(time::Duration::seconds(20));
    let (a, b) = (connected(patient.clone()).await, connected(patient).await);
    let (a, b) = (long(&a).build().unwrap(), long(&b).build().unwrap());
    let all: Vec<_> = (0..MANY).map(|key| key.to_string()).collect();
    for keys in all.chunks(500) {
        let insert = keys.iter().map(|key| a.insert(key, key.clone()));
        futures_util::future::try_join_all(insert).await.unwrap();
    }
    assert_eq!(a.near_stats().copies, MANY as u64);
    let began = Instant::now();
    let burst = all.iter().map(|key| b.invalidate(key));
    futures_util::future::try_join_all(burst).await.unwrap();
    let said = began.elapsed();
    until("all are heard", || a.near_stats().copies == 0).await;
    println!(
        "{MANY} invalidations: said in {said:?}, heard after {:?}",
        began.elapsed()
    );
}

/// Of a tag that an emptied server knows nothing of, nobody can say that it has not changed lately.
#[tokio::test]
async fn a_tag_of_an_emptied_server_may_have_changed_since_anything_was_heard() {
    let server = RedisServer::start().await;
    let store = connected(store(By::Redis, &server.url())).await;
    let at = store.place(Digest::from_bytes([7; 16]));
    store.change_tag(at).await.unwrap();
    let before = store.tag(at).await.unwrap();
    let heard = || store.news().lease(at.bucket).number();
    until("it is heard", || heard() >= Some(before.number)).await;
    let heard = heard().unwrap();
    server.command(&["FLUSHALL"]).await;
    let after = store.tag(at).await.unwrap();
    assert!(after.number > heard, "{after:?} {heard}");
    assert_ne!(after.version, before.version);
}
