//! A store by its URL.

use crate::{MemoryStore, Result, Store};
use std::sync::Arc;

/// Opens the store that a URL names, of sessions and of cached values, with all defaults.
///
/// | URL | store |
/// |---|---|
/// | `memory:` | this process's memory |
/// | `redis://[user:password@]host[:port][/database]` | one Redis or Valkey server |
/// | `redis-sentinel://[user:password@]host[:port],…[/database]?master=name` | the master of this name that the Sentinels at these hosts watch |
/// | `redis-cluster://[user:password@]host[:port],…` | a cluster of Redis 7.0 or Valkey, found by any of these nodes |
/// | `rediss://…`, `rediss-sentinel://…`, `rediss-cluster://…` | the same over TLS, with the feature `tls` |
///
/// User and password are for the servers that hold the data, all of them. Sentinels that ask for
/// their own take `sentinel_username` and `sentinel_password` as further parameters.
///
/// Over TLS the authorities are trusted that the system trusts, or those in the file that the
/// variable `SSL_CERT_FILE` names.
///
/// For other settings, like a key prefix, another command timeout or certificates, use `redis::store`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cloakroom::Result<()> {
/// let store = cloakroom::open("memory:").await?;
/// assert_eq!(store.health(), cloakroom::Health::Up);
///
/// let error = cloakroom::open("mysql://localhost").await.unwrap_err();
/// assert_eq!(error.kind(), cloakroom::ErrorKind::Config);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`Config`](crate::ErrorKind::Config) if the URL is none of these, if the server is too old or
/// refuses the login, or if this instance is configured otherwise than its deployment;
/// [`Unavailable`](crate::ErrorKind::Unavailable) if the server can't be reached within a second.
///
/// # Cancel safety
///
/// Dropping the future gives up.
pub async fn open(url: &str) -> Result<Arc<dyn Store>> {
    if url == "memory:" {
        return Ok(Arc::new(MemoryStore::new()));
    }
    connect(url).await
}

#[cfg(feature = "redis")]
async fn connect(url: &str) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(crate::redis::store(url).connect().await?))
}

#[cfg(not(feature = "redis"))]
async fn connect(_: &str) -> Result<Arc<dyn Store>> {
    Err(cloakroom_core::Error::new(
        crate::ErrorKind::Config,
        "only memory: can be opened: the feature `redis` was not compiled in",
    )
    .into())
}
