//! Where a case happens: one deployment with as many instances as it wants, in memory or on Redis.

use std::sync::Arc;

use axum::Router;
use cloakroom::{MemoryStore, Sessions, SessionsBuilder};
use cloakroom_core::ManualClock;
use cloakroom_testkit::RedisServer;
use cloakroom_testkit::redis::{FromRedisValue, from_redis_value};
use time::Duration;

use super::{Watched, app};
use crate::shared::{self, PASS};

/// Longer than any busy machine needs: for cases that are not about deadlines.
const PATIENCE: Duration = Duration::seconds(30);

/// One deployment. Its time is the test's: see [`pass`](World::pass).
#[derive(Debug)]
pub(crate) struct World {
    backing: Backing,
    pub(crate) clock: ManualClock,
}

#[derive(Debug)]
enum Backing {
    Memory(MemoryStore),
    Redis(Arc<RedisServer>, String),
}

/// One instance of the application.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) sessions: Sessions,
    pub(crate) store: Watched,
    /// The routes of [`app`].
    pub(crate) app: Router,
}

impl World {
    pub(crate) fn memory() -> Self {
        let clock = ManualClock::default();
        let store = MemoryStore::with_clock(Arc::new(clock.clone()));
        let backing = Backing::Memory(store);
        Self { backing, clock }
    }

    /// On the server that the binary's cases share, under a prefix of its own.
    pub(crate) async fn redis(case: &str) -> Self {
        Self::redis_on(shared::server().await, case)
    }

    /// On a server of the case's own.
    pub(crate) fn redis_on(server: Arc<RedisServer>, case: &str) -> Self {
        let backing = Backing::Redis(server, format!("{case}:"));
        let clock = ManualClock::default();
        Self { backing, clock }
    }

    /// An instance with all defaults.
    pub(crate) async fn instance(&self) -> Instance {
        self.configured(|builder| builder).await
    }

    /// Several of them.
    pub(crate) async fn instances<const N: usize>(&self) -> [Instance; N] {
        let mut instances = Vec::new();
        for _ in 0..N {
            instances.push(self.instance().await);
        }
        instances.try_into().unwrap()
    }

    /// An instance with settings of its own.
    pub(crate) async fn configured(
        &self,
        with: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
    ) -> Instance {
        let store = self.store().await;
        // Without copies: these cases are about the store and what is around it.
        let builder = Sessions::builder(store.clone())
            .clock(self.clock.clone())
            .max_staleness(Duration::ZERO);
        let sessions = with(builder).build().await.unwrap();
        let app = app::router(&sessions);
        Instance {
            sessions,
            store,
            app,
        }
    }

    /// One more connection to what all instances share.
    pub(crate) async fn store(&self) -> Watched {
        match &self.backing {
            Backing::Memory(store) => Watched::new(Arc::new(store.clone())),
            Backing::Redis(server, prefix) => {
                let store = cloakroom::redis::store(server.url())
                    .prefix(prefix)
                    .command_timeout(PATIENCE)
                    .connect_timeout(PATIENCE);
                Watched::new(Arc::new(store.connect().await.unwrap()))
            }
        }
    }

    /// Lets time go by, for all clocks.
    pub(crate) async fn pass(&self, by: Duration) {
        if let Backing::Redis(server, prefix) = &self.backing {
            let milliseconds = by.whole_milliseconds().to_string();
            run::<()>(server, PASS, &[prefix, &milliseconds]).await;
        }
        self.clock.advance(by);
    }

    /// How many sessions are alive.
    pub(crate) async fn live(&self) -> usize {
        match &self.backing {
            Backing::Memory(store) => store.len(),
            Backing::Redis(server, prefix) => run(server, LIVE, &[prefix]).await,
        }
    }
}

/// Counts whole records; marks of superseded ids are none.
const LIVE: &str = "
local live = 0
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  if string.find(key, '}:s:', 1, true) and redis.call('HEXISTS', key, '~r') == 1 then
    live = live + 1
  end
end
return live
";

async fn run<T: FromRedisValue>(server: &RedisServer, script: &str, arguments: &[&str]) -> T {
    let command = [&["EVAL", script, "0"], arguments].concat();
    from_redis_value(server.command(&command).await).expect("the script's answer")
}
