//! Cache-aside on Cloakroom's ground: values are loaded once across all instances, kept near and in
//! the shared store, and never served once they were invalidated.
//!
//! A [`Cache`] is a typed handle for an application's state. What it can't find it loads by a function
//! that the caller brings; however many callers in however many instances want the same value at
//! once, it is loaded once.
//!
//! ```
//! use cloakroom_cache::{Cache, Load};
//! use cloakroom_core::MemoryStore;
//! use std::sync::Arc;
//! use time::Duration;
//!
//! # #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)] struct Product { name: String }
//! # async fn query(id: u32) -> std::io::Result<Option<Product>> { Ok((id == 7).then(|| Product { name: "tea".into() })) }
//! # async fn rename(_: u32, _: &str) -> std::io::Result<()> { Ok(()) }
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Arc::new(MemoryStore::new());        // or cloakroom::open("redis://…")
//! let products: Cache<u32, Product> = Cache::builder("products", store)
//!     .fresh_for(Duration::minutes(5))
//!     .stale_on_error(Duration::HOUR)
//!     .build()?;
//!
//! let tea = products.find_or_load(&7, || query(7)).await?;             // loads
//! assert_eq!(tea, products.find_or_load(&7, || query(7)).await?);      // doesn't
//! assert_eq!(products.find_or_load(&8, || query(8)).await?, None);     // remembered, too
//!
//! products.write(&7, || rename(7, "green tea")).await?;                // everywhere
//! assert_eq!(products.stats().loads, 2);
//! # Ok(()) }
//! ```
//!
//! # How it stays true
//!
//! Near copies are those of `cloakroom-near`, by the same rules as sessions': what was invalidated
//! longer ago than [`max_staleness`](CacheBuilder::max_staleness) is served nowhere, also when
//! messages are lost. A load holds a lease in the store. Whatever says that the value is wrong takes
//! the lease away, so a value that was read before can't be put in place after; so does the time, if
//! the instance that loads dies.

mod builder;
mod cache;
mod codec;
mod copy;
mod envelope;
mod error;
mod failures;
mod flights;
#[cfg(feature = "http")]
pub mod http;
mod inner;
mod key;
mod load;
mod many;
mod pending;
mod policy;
mod stats;
mod tags;
mod trip;

pub use builder::CacheBuilder;
pub use cache::Cache;
pub use cloakroom_near::NearStats;
pub use codec::{Codec, Json};
#[doc(hidden)]
pub use envelope::Envelope;
pub use error::{Error, ErrorKind, Result, WriteError};
pub use key::{CacheKey, KeyWriter, Tag};
pub use load::Load;
pub use policy::{OnAbandoned, OnUnavailable};
pub use stats::CacheStats;
