//! What the tests of this binary share beside the server.

use std::collections::BTreeSet;
use std::sync::Arc;

use cloakroom::redis::RedisDriver;
use cloakroom_core::{Address, Created, Error, Health, Loaded, NewSession, Result, SessionStore};
use cloakroom_redis::{Driver, RedisStore, RedisStoreBuilder};
use cloakroom_testkit::conformance::Instance;
use cloakroom_testkit::conformance::draft::{self, Draft};
use cloakroom_testkit::redis::{FromRedisValue, from_redis_value};
use cloakroom_testkit::{RedisServer, eventually};
use time::{Duration, OffsetDateTime};

/// Long enough for a machine that is busy with others: for tests that are not about deadlines.
pub(crate) const PATIENCE: Duration = Duration::seconds(30);

/// The same for waits that are not the store's own.
pub(crate) const LIMIT: std::time::Duration = std::time::Duration::from_secs(30);

/// A store to connect to this server, with patience.
pub(crate) fn builder(server: &RedisServer) -> RedisStoreBuilder {
    builder_with(RedisDriver, server)
}

/// The same through this driver.
pub(crate) fn builder_with(driver: impl Driver, server: &RedisServer) -> RedisStoreBuilder {
    builder_of(driver, server.url())
}

/// The same, for whatever a URL names.
pub(crate) fn builder_at(url: impl Into<String>) -> RedisStoreBuilder {
    builder_of(RedisDriver, url)
}

/// The same through this driver.
pub(crate) fn builder_of(driver: impl Driver, url: impl Into<String>) -> RedisStoreBuilder {
    cloakroom::redis::store_with(driver, url)
        .command_timeout(PATIENCE)
        .connect_timeout(PATIENCE)
}

/// Connects to a server, with patience.
pub(crate) async fn connect(server: &RedisServer, prefix: &str) -> RedisStore {
    builder(server).prefix(prefix).connect().await.unwrap()
}

/// The same, with what a case needs at hand.
pub(crate) async fn instance(server: &RedisServer, prefix: &str) -> Instance {
    Instance::new(Arc::new(connect(server, prefix).await))
}

/// Asks the server itself.
pub(crate) async fn ask<T: FromRedisValue>(server: &RedisServer, command: &[&str]) -> T {
    let answer = server.command(command).await;
    from_redis_value(answer).unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// An anonymous session to make.
pub(crate) fn anonymous(instance: &Instance) -> NewSession {
    draft::anonymous(instance.store().buckets().get(7).unwrap())
}

/// A login to make.
pub(crate) fn login(instance: &Instance, user: &str) -> NewSession {
    draft::login(&instance.user(user))
}

/// When the store last saw a session used.
pub(crate) async fn last_seen(instance: &Instance, at: Address) -> OffsetDateTime {
    match instance.load(at).await {
        Loaded::Found { record, .. } => record.last_seen,
        other => panic!("{at:?} should be alive, but it is {other:?}"),
    }
}

/// Waits until the server's clock shows a later millisecond than at the session's last use.
pub(crate) async fn tick(instance: &Instance, at: Address) {
    let seen = last_seen(instance, at).await;
    let later = || async {
        let created = instance.create(&anonymous(instance)).await;
        matches!(created, Created::Done { at, .. } if at > seen)
    };
    assert!(
        eventually(LIMIT, later).await,
        "the server's clock stands still"
    );
}

/// The key of a record, as documented.
pub(crate) fn record_key(instance: &Instance, prefix: &str, at: Address) -> String {
    let tag = instance.store().buckets().tag(at.bucket);
    format!("{prefix}cr1:{{{tag}}}:s:{}", at.digest.to_hex())
}

/// Waits until the store says that it is up, which nobody has to ask for.
pub(crate) async fn is_up(store: &RedisStore) -> bool {
    let up = || async { store.health() == Health::Up };
    eventually(LIMIT, up).await
}

/// Waits until the store says that it is down.
pub(crate) async fn is_down(store: &RedisStore) -> bool {
    let down = || async { store.health() == Health::Down };
    eventually(LIMIT, down).await
}

/// Fails unless the store could not say; answers the error.
pub(crate) fn assert_unavailable<T: std::fmt::Debug>(result: Result<T>) -> Error {
    let error = result.unwrap_err();
    assert!(error.is_unavailable() && error.is_retryable(), "{error}");
    error
}

/// Makes an anonymous session of one attribute and tells where it is.
pub(crate) async fn session(store: &RedisStore) -> Address {
    let new = draft::anonymous(store.buckets().get(3).unwrap()).with("a", "1");
    store.create(&new).await.unwrap();
    new.at
}

/// The ids of the server's connections, without the asker's.
pub(crate) async fn connections(server: &RedisServer) -> BTreeSet<String> {
    let list: String = ask(server, &["CLIENT", "LIST"]).await;
    let others = list.lines().filter(|line| !line.contains("cmd=client"));
    others
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect()
}

/// Makes two tests of each of these functions, which take a driver.
macro_rules! with_each_driver {
    ($(#[$test:meta] $name:ident,)+) => {
        mod redis {
            $(#[$test]
            async fn $name() {
                super::$name(cloakroom::redis::RedisDriver).await;
            })+
        }

        mod fred {
            $(#[$test]
            async fn $name() {
                super::$name(cloakroom::redis::FredDriver).await;
            })+
        }
    };
}
pub(crate) use with_each_driver;
