//! What the store tells the operator: a line for what to change, and one for each transition.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use cloakroom_core::{Health, SessionStore};
use cloakroom_testkit::{RedisServer, eventually};
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing::{Dispatch, Level};

use crate::store::support::{LIMIT, builder};

/// What is logged on this thread, from information upwards.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Begins to write; ends with the guard.
    fn begin(&self) -> DefaultGuard {
        // With one subscriber alone, a place in the code that is first reached on another thread,
        // which has none, is silenced for all; with two, each is asked.
        static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));
        LazyLock::force(&SECOND);
        let log = self.clone();
        let lines = tracing_subscriber::fmt()
            .with_max_level(Level::INFO)
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(lines)
    }

    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_server_that_would_evict_sessions_is_warned_of() {
    let server = RedisServer::start().await;
    let (log, set) = (Log::default(), async |name, value| {
        server.command(&["CONFIG", "SET", name, value]).await
    });
    let _writing = log.begin();
    // No limit, or nothing evicted at it: nothing to say.
    set("maxmemory-policy", "volatile-lru").await;
    builder(&server).connect().await.unwrap();
    set("maxmemory-policy", "noeviction").await;
    set("maxmemory", "100mb").await;
    builder(&server).connect().await.unwrap();
    assert_eq!(log.lines(), Vec::<String>::new());
    for policy in ["allkeys-lru", "volatile-ttl"] {
        set("maxmemory-policy", policy).await;
        builder(&server).connect().await.unwrap();
        let lines = log.lines();
        let last = lines.last().unwrap();
        for part in ["WARN", policy, "set maxmemory-policy to noeviction"] {
            assert!(last.contains(part), "{last}");
        }
    }
    assert_eq!(log.lines().len(), 2);
}

#[tokio::test]
async fn an_outage_is_two_lines_however_many_ask() {
    let (server, log) = (RedisServer::start().await, Log::default());
    let store = builder(&server).connect().await.unwrap();
    let _writing = log.begin();
    for outage in 1..=2 {
        server.kill();
        let down = || async { log.lines().len() == 2 * outage - 1 };
        assert!(eventually(LIMIT, down).await, "{:?}", log.lines());
        for _ in 0..100 {
            assert!(store.list(&store.user("alice").unwrap()).await.is_err());
        }
        server.restart().await;
        let up = || async { store.health() == Health::Up };
        assert!(eventually(LIMIT, up).await);
        let lines = log.lines();
        assert_eq!(lines.len(), 2 * outage, "{lines:?}");
        let (lost, back) = (&lines[lines.len() - 2], &lines[lines.len() - 1]);
        assert!(
            lost.contains("WARN") && lost.contains("unreachable"),
            "{lost}"
        );
        assert!(
            back.contains("INFO") && back.contains("reachable again"),
            "{back}"
        );
        assert!(lost.contains("127.0.0.1"), "{lost}");
    }
}
