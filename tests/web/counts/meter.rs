//! Counts commands at the server, and round trips at the driver.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use cloakroom::Sessions;
use cloakroom::redis::{RedisDriver, RedisStore};
use cloakroom_core::{BoxFuture, ManualClock};
use cloakroom_redis::{Command, Connection, Driver, DriverError, Endpoint, EventSink, Reply};
use cloakroom_testkit::RedisServer;

use crate::web::support::app;

/// An instance on a server of its own.
#[derive(Debug)]
pub(super) struct Meter {
    server: RedisServer,
    trips: Arc<AtomicU64>,
    clock: ManualClock,
    pub(super) sessions: Sessions,
    pub(super) app: Router,
}

/// What was counted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cost {
    /// How often each command was sent; what scripts call is not counted.
    pub(super) sent: BTreeMap<String, u64>,
    /// How often somebody waited for the server.
    pub(super) trips: u64,
}

impl Cost {
    /// So many of each of these commands and no others, in so many round trips.
    #[track_caller]
    pub(super) fn is(&self, sent: &[(&str, u64)], trips: u64) {
        let sent = sent
            .iter()
            .map(|(name, calls)| ((*name).to_owned(), *calls));
        let expected = Self {
            sent: sent.collect(),
            trips,
        };
        assert_eq!(self, &expected);
        println!("{self:?}");
    }
}

impl Meter {
    pub(super) async fn start() -> Self {
        let server = RedisServer::start().await;
        let trips = Arc::new(AtomicU64::new(0));
        let store = RedisStore::builder(Counted(Arc::clone(&trips)), server.url())
            .command_timeout(time::Duration::seconds(30))
            .connect();
        let clock = ManualClock::default();
        let builder = Sessions::builder(store.await.unwrap())
            .clock(clock.clone())
            // What each operation costs; copies save reads.
            .max_staleness(time::Duration::ZERO);
        let sessions = builder.build().await.unwrap();
        let app = app::router(&sessions);
        Self {
            server,
            trips,
            clock,
            sessions,
            app,
        }
    }

    /// Counts what the work costs, twice: by `MONITOR` and by `INFO commandstats`.
    pub(super) async fn cost(&self, work: impl Future<Output = ()>) -> Cost {
        self.server.reset_stats().await;
        let monitor = self.server.monitor().await;
        self.trips.store(0, Ordering::SeqCst);
        work.await;
        let trips = self.trips.load(Ordering::SeqCst);
        let sent = commands(&monitor.finish().await);
        let stats = self.server.command_stats().await;
        for (name, calls) in &sent {
            // The statistics count besides what scripts call.
            assert!(stats[name] >= *calls, "{name}: {sent:?} {stats:?}");
        }
        assert_eq!(stats.get("evalsha"), sent.get("evalsha"));
        assert!(!sent.is_empty() || stats.is_empty(), "{stats:?}");
        Cost { sent, trips }
    }

    /// Only instances' clocks move, and so touches come due.
    pub(super) fn advance(&self, by: time::Duration) {
        self.clock.advance(by);
    }
}

/// The commands that clients sent, from what `MONITOR` wrote.
fn commands(monitor: &[u8]) -> BTreeMap<String, u64> {
    let mut sent = BTreeMap::new();
    let text = String::from_utf8_lossy(monitor);
    for line in text.lines().filter(|line| !line.contains(" lua] ")) {
        let name = line.split('"').nth(1).unwrap().to_lowercase();
        // The testkit's own connections.
        if !["info", "config", "hello", "client"].contains(&name.as_str()) {
            *sent.entry(name).or_default() += 1;
        }
    }
    sent
}

/// The driver, with every wait for the server counted.
#[derive(Debug)]
struct Counted(Arc<AtomicU64>);

struct CountedConnection(Box<dyn Connection>, Arc<AtomicU64>);

impl fmt::Debug for CountedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountedConnection")
    }
}

impl Driver for Counted {
    fn connect<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        events: EventSink,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, DriverError>> {
        Box::pin(async move {
            let connection = RedisDriver.connect(endpoint, events).await?;
            let counted = CountedConnection(connection, Arc::clone(&self.0));
            Ok(Box::new(counted) as Box<dyn Connection>)
        })
    }
}

impl Connection for CountedConnection {
    fn call(&self, command: Command) -> BoxFuture<'_, Result<Reply, DriverError>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.call(command)
    }

    fn pipeline(&self, commands: Vec<Command>) -> BoxFuture<'_, Result<Vec<Reply>, DriverError>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.pipeline(commands)
    }
}
