//! The store on Redis and Valkey.

pub use cloakroom_driver_redis::RedisDriver;
pub use cloakroom_redis::{Driver, RedisStore, RedisStoreBuilder};

/// Begins a store on the server at `url`, through the `redis` crate.
///
/// ```no_run
///
/// # async fn f() -> cloakroom::Result<()> {
/// let store = cloakroom::redis::store("redis://cache.internal")
///     .prefix("shop:")
///     .command_timeout(time::Duration::milliseconds(500))
///     .connect()
///     .await?;
/// # Ok(()) }
/// ```
pub fn store(url: impl Into<String>) -> RedisStoreBuilder {
    RedisStore::builder(RedisDriver, url)
}
