//! Cloakroom under tower-sessions and axum-login.
//!
//! Two ways, each a line to change; applications use them by the `cloakroom` crate's feature
//! `tower-sessions`.
//!
//! | | [`SharedStore`] | [`TowerSessions`] |
//! |---|---|---|
//! | the layer is | tower-sessions' | Cloakroom's |
//! | handlers and axum-login | as they are | as they are |
//! | overlapping writes of different attributes | both kept | both kept |
//! | a write that overlaps a logout | nothing is written | nothing is written |
//! | a client reads its own writes elsewhere | within `max_staleness` | at once |
//! | a request with the old id that overlaps a login | sees an empty session; if it writes, the old cookie comes back | sees an empty session; its writes answer 409 |
//! | the store is away | 500, as tower-sessions answers | 503, `Retry-After`, the cookie kept |
//! | a use slides the idle window | if something is written, or with `always_save` | yes |
//! | `cycle_id` in a request that then fails | the session is gone | it is as it was |
//!
//! # Users
//!
//! With [`Users`], sessions are listed, limited and revoked by user. Both find the user in an
//! attribute. Under Cloakroom's layer, a user who is new to the session is logged in, under a new
//! id. Under tower-sessions' own, an id is made before anybody can be asked, so the application must
//! call `cycle_id` at login, as axum-login does; a save that brings a user to an id that was known
//! before is refused with an error. (axum-login doesn't call it where somebody logs in while
//! somebody else is logged in: log out first. The session ends with that error, so the next attempt
//! succeeds.)

mod bridge;
mod entry;
mod store;
mod users;
mod version;

pub use bridge::TowerSessions;
pub use store::{Migration, SharedStore, TheirId};
pub use users::Users;
#[cfg(feature = "v0_14")]
use version::v0_14;
#[cfg(feature = "v0_15")]
use version::v0_15;
