//! Copies in each process: fast without being wrong.
//!
//! A read that finds a copy costs no round trip, and still shows all that happened longer ago than
//! the [`Freshness`] it asks for. Four rules make it so:
//!
//! 1. **True as of.** A copy was true when its load was sent, and stays true for as long as the
//!    store's [`Channel`] has proven that nothing was missed and nothing was heard of it. It is used
//!    only if that moment is less than `within` ago.
//! 2. **Terms.** What the channel proves in one term says nothing of copies that were read in
//!    another: in between, something may have been missed.
//! 3. **Fence.** What is announced of a key while a value of it is on its way keeps older values
//!    out: the announcement came first.
//! 4. **No late joining.** Many who miss at once share one load, but nobody joins a load that began
//!    before something was announced of its key, or longer ago than `within`.
//!
//! A load belongs to no caller: one that goes away leaves it to the others. Copies are bounded in
//! number and bytes.
//!
//! ```
//! use cloakroom_core::{Freshness, MemoryStore, SessionStore};
//! use cloakroom_near::{Limits, NearStore};
//! use std::sync::Arc;
//! use time::Duration;
//!
//! # use cloakroom_core::{Address, Loaded, OsEntropy, SessionId};
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> cloakroom_core::Result<()> {
//! let store: Arc<dyn SessionStore> = Arc::new(MemoryStore::new());
//! let near = NearStore::new(store, Limits::default());
//! # let bucket = near.buckets().get(0).unwrap();
//! # let at = Address { bucket, digest: SessionId::generate(bucket, &OsEntropy)?.digest() };
//! let need = Freshness { within: Duration::SECOND, ..Freshness::NOW };
//! assert_eq!(near.load(at, need).await?, Loaded::Absent); // asks the store
//! assert_eq!(near.load(at, need).await?, Loaded::Absent); // doesn't
//! assert_eq!((near.stats().misses, near.stats().hits), (1, 1));
//! # Ok(()) }
//! ```
//!
//! [`Channel`]: cloakroom_core::Channel
//! [`Freshness`]: cloakroom_core::Freshness

mod flight;
mod hash;
mod near;
mod rules;
mod shard;
mod stats;
mod store;

pub use near::{Fill, Kept, Near, OwnWrite};
#[doc(hidden)]
pub use rules::Rules;
pub use shard::{Copied, Limits};
pub use stats::NearStats;
pub use store::NearStore;
