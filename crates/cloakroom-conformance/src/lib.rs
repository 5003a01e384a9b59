//! What a session store owes, as a suite that any [tower-sessions] store can be run against.
//!
//! The trait of a session store says how its four methods are called. What its users rely on is
//! said nowhere: that a logout is not undone by a request that was under way, that two requests of
//! one session don't lose each other's writes, that a store which is down does not log everybody
//! out. This crate writes it down as 56 cases, and tries them.
//!
//! ```
//! # use tower_sessions_core_015 as tower_sessions_core;
//! use std::collections::HashMap;
//! use std::sync::{Arc, Mutex};
//!
//! use async_trait::async_trait;
//! use cloakroom_conformance::{Suite, v0_15};
//! use time::OffsetDateTime;
//! use tower_sessions_core::SessionStore;
//! use tower_sessions_core::session::{Id, Record};
//! use tower_sessions_core::session_store::Result;
//!
//! #[derive(Clone, Debug, Default)]
//! struct Shelf(Arc<Mutex<HashMap<Id, Record>>>);
//!
//! fn is_live(record: &Record) -> bool {
//!     record.expiry_date > OffsetDateTime::now_utc()
//! }
//!
//! #[async_trait]
//! impl SessionStore for Shelf {
//!     async fn create(&self, record: &mut Record) -> Result<()> {
//!         let mut records = self.0.lock().unwrap();
//!         while records.contains_key(&record.id) {
//!             record.id = Id::default();
//!         }
//!         records.insert(record.id, record.clone());
//!         Ok(())
//!     }
//!
//!     async fn save(&self, record: &Record) -> Result<()> {
//!         let mut records = self.0.lock().unwrap();
//!         // What is gone stays gone.
//!         if let Some(kept) = records.get_mut(&record.id).filter(|kept| is_live(kept)) {
//!             *kept = record.clone();
//!         }
//!         Ok(())
//!     }
//!
//!     async fn load(&self, id: &Id) -> Result<Option<Record>> {
//!         let records = self.0.lock().unwrap();
//!         Ok(records.get(id).filter(|record| is_live(record)).cloned())
//!     }
//!
//!     async fn delete(&self, id: &Id) -> Result<()> {
//!         self.0.lock().unwrap().remove(id);
//!         Ok(())
//!     }
//! }
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! // In a test of your own: `#[tokio::test(flavor = "multi_thread")]`.
//! let store = Shelf::default();
//! let suite = Suite::new(move || {
//!     let store = store.clone();
//!     async move { v0_15::instance(store) }
//! });
//! let report = suite.run().await;
//! println!("{report}");
//!
//! // This store writes whole records, so requests that overlap undo each other's changes.
//! assert!(!report.conforms());
//! assert_eq!(report.broken().count(), 5);
//! assert!(report.broken().all(|case| case.group() == "overlap"));
//! # });
//! ```
//!
//! A store that is as it should be says [`assert`](Suite::assert) instead of `run`. One that knows
//! what it can't do says so with [`leave_out`](Suite::leave_out).
//!
//! # What is owed, and why
//!
//! | group | what it is about | what happens without it |
//! |---|---|---|
//! | `basics` | create, load, save, delete | the session is not what a handler left |
//! | `create` | an id that is taken | one visitor gets another's session |
//! | `values` | JSON of every kind, text of every script | a value comes back as another, or not at all |
//! | `gone` | a save that comes after the end | a logout is undone by a request that was under way |
//! | `overlap` | saves that run beside each other | what one request wrote, another takes away |
//! | `whole` | operations that are seen, or given up, half-way | a client that goes away leaves half a session |
//! | `instances` | several processes on the same data | a logout holds on one of them only |
//! | `expiry` | sessions that end by themselves | sessions live too long, or end in mid-use |
//! | `rotation` | a new id, as at a login | an id that was fixed before the login still works |
//! | `forged` | ids that nobody was given | whoever invents an id may choose a session's |
//! | `odd` | unlikely ids, names and values | two sessions become one; a write fails |
//! | `outage` | data that can't be reached | requests hang; everybody is logged out |
//!
//! Each case has a sentence, [`Case::owed`], which the report prints where it is broken. All of them
//! are in [`owed`].
//!
//! # What is not owed
//!
//! - An id that the caller chose. `create` may give every session another; the suite goes on with
//!   the one that comes back.
//! - A success of `create` under an id that is taken: failing is as good.
//! - Fractions of a second in an expiry.
//! - That a request sees what another instance has changed at once: a store may keep copies if it
//!   says for how long they may be used, with [`staleness`](Suite::staleness).
//! - To serve as the front of a `CachingSessionStore`, which calls `save` to make sessions there
//!   that the front does not know. A front has to do what the group `gone` forbids to a store.
//!
//! # How a store can keep the writes of both
//!
//! A save hands over the whole record and does not say what was changed. A store that writes it
//! as it is takes away what another request has written since. So it must know what this holder
//! was given: keep a mark in the record's `data` when a record is loaded or created, under a name
//! that no application uses, such as one that begins with a NUL. The mark leads to what the record
//! was, in the store or in the mark itself; what differs is what the holder changed, and the rest
//! is left alone. A record that comes without a mark was cleared by its holder. A holder may save
//! again, with the same mark: it means what has changed since its last save.
//!
//! The suite's names never begin with a NUL; it ignores attributes that it did not set, and hands
//! them back in later saves. The store of its own tests, in
//! `tests/suite/store.rs`, does the above in about a hundred lines.
//!
//! # Versions
//!
//! The modules `v0_14` and `v0_15`, each behind the feature of its name, make instances of
//! stores for tower-sessions-core 0.14 and 0.15. On by default is `v0_15`. A case's group and name
//! stay; new ones may come with a minor version of this crate, and what a store must do for the
//! old ones does not grow without a major one.
//!
//! [tower-sessions]: https://docs.rs/tower-sessions

mod adapter;
mod cases;
mod draft;
mod ground;
mod guard;
mod outage;
mod report;
mod subject;
mod suite;
mod tasks;
mod verdict;

#[cfg(feature = "v0_14")]
pub use adapter::v0_14;
#[cfg(feature = "v0_15")]
pub use adapter::v0_15;
pub use cases::owed;
pub use report::{Case, Outcome, Report};
pub use subject::{BoxFuture, Entry, Failure, Subject};
pub use suite::Suite;
