//! The suite that every [`SessionStore`] must pass: one suite, every backend, one entry.
//!
//! A backend brings a function that makes a [`Fixture`] from a case's name: several stores over
//! the same data, empty at first, and a [`Backing`] that lets time pass. Then
//! [`session_store_conformance!`](crate::session_store_conformance) makes each case a
//! `#[tokio::test]` of its own:
//!
//! ```
//! mod memory {
//!     use cloakroom_testkit::conformance::Fixture;
//!
//!     async fn fixture(_case: &str) -> Fixture {
//!         Fixture::memory()
//!     }
//!
//!     cloakroom_testkit::session_store_conformance!(fixture);
//! }
//! # fn main() {}
//! ```
//!
//! # What the cases hold a store to
//!
//! The contract in [`SessionStore`]'s documentation, and nothing beyond it: how a store keeps its
//! data is for the backend's own tests. Where two operations run beside each other, a case allows
//! every outcome that some order of the two has, and no other.
//!
//! # How time passes
//!
//! By [`Backing::pass`] alone, never by sleeping, so that no case depends on how fast the machine
//! is. It may move the store's clock, or the sessions against the clock; so a case compares no two
//! instants that it read before and after.

#[macro_use]
mod cases;

mod commit;
mod copies;
mod create;
pub mod draft;
mod end;
mod expect;
mod expiry;
mod fixture;
mod instance;
mod limit;
mod list;
mod login;
mod parallel;
mod retire;
mod revoke;
mod revoke_races;
mod rotate;
mod rotate_races;
mod size;
mod tasks;
mod touch;

pub use fixture::{Backing, Fixture};
pub use instance::Instance;

#[cfg(doc)]
use cloakroom_core::SessionStore;

macro_rules! dispatcher {
    ($($group:ident { $($case:ident,)+ })+) => {
        /// Runs one case: the suite's one entry.
        ///
        /// # Panics
        ///
        /// If the store fails the case, or if there is no case of this name.
        pub async fn check(case: &str, fixture: &Fixture) {
            let run = match case {
                $($(concat!(stringify!($group), ".", stringify!($case)) => {
                    tasks::boxed($group::$case(fixture))
                })+)+
                unknown => panic!("there is no case {unknown:?}"),
            };
            tasks::in_time(case, run).await;
        }
    };
}

session_store_cases! { [dispatcher] }
