//! The server's own clock and expiry, without a hand on them.

use std::time::{Duration, Instant};

use cloakroom::Sessions;
use cloakroom_testkit::{RedisServer, eventually};

use crate::web::support::{Browser, LIMIT, app};

const IDLE: Duration = Duration::from_secs(2);
const ABSOLUTE: Duration = Duration::from_secs(5);

/// When each of two sessions was first found ended.
struct Ends {
    unused: Duration,
    used: Duration,
    /// The longest time between two uses: a busy machine may leave the test alone for long.
    pause: Duration,
}

async fn watch(sessions: &Sessions) -> Ends {
    let app = app::router(sessions);
    let (mut used, mut unused) = (Browser::new(), Browser::new());
    let begin = Instant::now();
    used.log_in(&app, "used").await;
    unused.log_in(&app, "unused").await;
    let (mut unused_ended, mut last, mut pause) = (None, begin, Duration::ZERO);
    while used.user(&app).await.is_some() {
        pause = pause.max(last.elapsed());
        last = Instant::now();
        if sessions.list("unused").await.unwrap().is_empty() {
            unused_ended.get_or_insert(begin.elapsed());
        }
        assert!(begin.elapsed() < LIMIT, "it never ends");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ends {
        unused: unused_ended.unwrap_or(begin.elapsed()),
        used: begin.elapsed(),
        pause: pause.max(last.elapsed()),
    }
}

/// Both limits, on a server that ends sessions by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_ends_what_is_not_used_and_what_is_too_old() {
    let server = RedisServer::start().await;
    let store = cloakroom::redis::store(server.url()).command_timeout(time::Duration::MINUTE);
    let sessions = Sessions::builder(store.connect().await.unwrap())
        .max_staleness(time::Duration::ZERO)
        .idle_timeout(IDLE.try_into().unwrap())
        .absolute_timeout(ABSOLUTE.try_into().unwrap());
    let sessions = sessions.build().await.unwrap();
    let ends = watch(&sessions).await;
    println!(
        "idle limit {IDLE:?}: ended after {:?}; absolute limit {ABSOLUTE:?}: ended after {:?}",
        ends.unused, ends.used
    );
    assert!(ends.unused >= IDLE);
    // With a touch every twentieth of the idle window, this is often enough.
    if ends.pause < IDLE / 2 {
        assert!(
            ends.used >= ABSOLUTE,
            "ended though it was used, after {:?}",
            ends.used
        );
        assert!(sessions.stats().touches > 10);
    }
    let cleared = eventually(LIMIT, async || server.dbsize().await == 1);
    assert!(cleared.await, "the server keeps nothing but the settings");
}
