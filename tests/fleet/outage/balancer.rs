//! The main job's own balancer over a Redis that goes away: it passes on what instances say, and
//! turns none of them out.

use cloakroom_testkit::{RedisServer, eventually};

use crate::fleet::support::{Browser, Fleet, LIMIT};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_balancer_passes_on_what_an_outage_means() {
    let redis = RedisServer::builder()
        .arg("--appendonly", "yes")
        .arg("--appendfsync", "always")
        .start()
        .await;
    let fleet = Fleet::start_with(&["--redis", &redis.url()]).await;
    let (alice, stranger) = (Browser::new(&fleet.url), Browser::new(&fleet.url));
    alice.log_in("alice").await;
    let id = alice.id();
    redis.kill();
    store_is(&stranger, "down").await;
    for _ in 0..8 {
        let refused = alice.get("/me").await.is(503);
        assert!(refused.header("retry-after").is_some(), "{refused:?}");
        assert_eq!(refused.header("set-cookie"), None);
        stranger.get("/cart").await.is(200);
        stranger.get("/").await.is(200);
    }
    assert_eq!(alice.id(), id);
    redis.restart().await;
    store_is(&stranger, "up").await;
    // Each instance has a connection of its own.
    let back = || async {
        let mut alive = true;
        for _ in 0..4 {
            alive &= alice.get("/me").await.status == 200;
        }
        alive
    };
    assert!(
        eventually(LIMIT, back).await,
        "an instance does not come back"
    );
    assert_eq!(alice.id(), id);
}

/// Waits until the balancer's state says so; all instances stay in the rotation.
async fn store_is(browser: &Browser, health: &str) {
    let told = || async {
        let state = browser.get("/admin/state").await.is(200).json();
        let mut instances = state["instances"].as_array().unwrap().iter();
        assert!(
            instances.all(|instance| instance["ready"] == true),
            "{state}"
        );
        state["store"]["health"] == health
    };
    assert!(eventually(LIMIT, told).await, "the store is never {health}");
}
