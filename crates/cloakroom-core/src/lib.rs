//! The ground that Cloakroom stands on: what a session *is*, wherever it is kept.
//!
//! Ids and digests ([`SessionId`], [`Digest`], [`Handle`]), buckets and their tags
//! ([`Buckets`]), the record and what changes it ([`Record`], [`Change`]), the contract that
//! every store keeps ([`SessionStore`]), and the embedded store ([`MemoryStore`]).
//!
//! There is no runtime, no HTTP and no Redis in this crate. Applications use the `cloakroom`
//! crate, which exports what they need of it.
//!
//! # One vocabulary
//!
//! | word | means |
//! |---|---|
//! | [`SessionId`] | the secret that the client holds |
//! | [`Digest`] | what a store sees of it |
//! | [`Record`] | what is stored |
//! | *revision* | the record's version; every write raises it |
//! | *commit* | the write at the end of a request |
//! | *touch* | slide the idle window |
//! | *rotate* | new id, same record |
//! | *retire* | end an id because a newer one took its place |
//! | *revoke* | end a session everywhere |

mod bucket;
mod cache;
mod change;
mod channel;
mod clock;
mod digest;
mod entropy;
mod error;
mod handle;
mod id;
mod invalidation;
mod key;
mod memory;
mod record;
mod revocations;
mod session_use;
mod store;
mod touch;
mod user;

pub use bucket::{Bucket, Buckets, key_slot};
pub use cache::{
    CacheStore, Fetch, Fetched, LoadLease, NewValue, Put, Slot, Store, Stored, TagVersion, Want,
};
pub use change::{Attributes, Change};
pub use channel::{Channel, Lease, Listener, Term};
pub use clock::{Clock, ManualClock, Moment, SystemClock};
pub use digest::{Address, Digest};
pub use entropy::{Entropy, OsEntropy};
pub use error::{Error, ErrorKind, Result};
pub use handle::Handle;
pub use id::SessionId;
pub use invalidation::{Invalidation, Stale};
pub use key::Key;
pub use memory::MemoryStore;
pub use record::{Lifetime, Login, Record};
pub use revocations::{RevocationStore, Revocations, Standing};
pub use session_use::SessionUse;
pub use store::{
    BoxFuture, Committed, Created, Ended, Freshness, Health, Limit, Listed, Loaded, MARKED_FOR,
    NewLogin, NewSession, OnLimit, Replaced, Retired, Rotated, SessionStore, Which,
};
pub use touch::{Touch, TouchQueue};
pub use user::{User, UserHasher};
