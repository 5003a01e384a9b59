//! The store on Redis and Valkey.

#[cfg(feature = "fred")]
pub use cloakroom_driver_fred::FredDriver;
#[cfg(feature = "redis")]
pub use cloakroom_driver_redis::RedisDriver;
pub use cloakroom_redis::{Driver, Durability, RedisStore, RedisStoreBuilder};

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
#[cfg(feature = "redis")]
pub fn store(url: impl Into<String>) -> RedisStoreBuilder {
    store_with(RedisDriver, url)
}

/// Begins a store on the server at `url`, through this driver: `RedisDriver`, `FredDriver` with the
/// feature `fred`, or one of your own.
///
#[cfg_attr(feature = "fred", doc = "```no_run")]
#[cfg_attr(not(feature = "fred"), doc = "```ignore")]
/// use cloakroom::redis::{FredDriver, store_with};
///
/// # async fn f() -> cloakroom::Result<()> {
/// let store = store_with(FredDriver, "redis://cache.internal").connect().await?;
/// # Ok(()) }
/// ```
pub fn store_with(driver: impl Driver, url: impl Into<String>) -> RedisStoreBuilder {
    RedisStore::builder(driver, url)
}
