//! Ctrl-C and SIGTERM end the program cleanly, whatever is open.

use cloakroom_testkit::{Process, RedisServer};

use crate::fleet::support::{Browser, Events, Fleet, NodeSpec};

/// Ends a program by one of the two signals, and checks that it ended well.
async fn ends_well(program: &Process, by_interrupt: bool) {
    let status = if by_interrupt {
        program.interrupt().await
    } else {
        program.terminate().await
    };
    assert_eq!(status.code(), Some(0), "{}", program.output());
    let output = program.output();
    assert!(!output.contains("panicked"), "{output}");
    assert!(!output.contains("still open"), "{output}");
}

/// A logged-in browser with its event stream open.
async fn with_events(url: &str) -> (Browser, Events) {
    let browser = Browser::new(url);
    browser.log_in("alice").await;
    let mut events = Events::open(&browser).await;
    assert_eq!(events.next().await.unwrap().0, "session");
    (browser, events)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_signals_end_the_main_job() {
    for by_interrupt in [true, false] {
        let fleet = Fleet::start().await;
        Browser::new(&fleet.url).get("/anon").await.is(200);
        ends_well(&fleet.process, by_interrupt).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_signals_end_the_main_job_though_a_stream_is_open() {
    for by_interrupt in [true, false] {
        let fleet = Fleet::start().await;
        let (_browser, mut events) = with_events(&fleet.url).await;
        ends_well(&fleet.process, by_interrupt).await;
        assert_eq!(
            events.next().await,
            None,
            "no revocation: the browser asks again"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_signals_end_a_node_though_a_stream_is_open() {
    let redis = RedisServer::start().await;
    for by_interrupt in [true, false] {
        let node = NodeSpec::new("v1", &redis.url()).start().await;
        let (_browser, mut events) = with_events(&node.url).await;
        ends_well(&node.process, by_interrupt).await;
        assert_eq!(
            events.next().await,
            None,
            "no revocation: the browser asks again"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_ends_though_redis_is_gone() {
    let redis = RedisServer::start().await;
    let node = NodeSpec::new("v1", &redis.url()).start().await;
    let (_browser, mut events) = with_events(&node.url).await;
    redis.kill();
    ends_well(&node.process, false).await;
    assert_eq!(events.next().await, None, "an outage revokes nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_ends_though_redis_hangs() {
    let redis = RedisServer::start().await;
    let node = NodeSpec::new("v1", &redis.url()).start().await;
    let (_browser, mut events) = with_events(&node.url).await;
    redis.pause();
    ends_well(&node.process, true).await;
    assert_eq!(events.next().await, None, "an outage revokes nothing");
    redis.resume();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_main_job_ends_though_an_instance_is_paused_and_another_stopped() {
    let fleet = Fleet::start().await;
    let browser = Browser::without_jar(&fleet.url);
    browser.post("/admin/instances/0/pause", &[]).await.is(200);
    browser.post("/admin/instances/1/stop", &[]).await.is(200);
    ends_well(&fleet.process, true).await;
}
