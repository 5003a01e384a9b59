//! Cloakroom's way of a request: cookie, session, commit.
//!
//! A tower layer over any service and body, with extractors for axum. Applications use the
//! `cloakroom` crate, which exports all of this.
//!
//! # The life of a request
//!
//! **Read the cookie.** The id is checked for length, alphabet and bucket; anything that this
//! deployment can't have issued counts as none and asks nobody. Two different ids count as none.
//!
//! **Hold the session.** The request gets a [`LazySession`]. Nothing is asked before it is used.
//!
//! **Load.** The [`Session`] extractor, or [`LazySession::load`], reads the record once: from a
//! near copy that is fresh enough, or from the store.
//!
//! **Handle.** The handler gets, inserts and removes; [`Session::update`], [`Session::log_in`],
//! [`Session::rotate`] and [`Session::log_out`] happen at once.
//!
//! **Decide.** When the response is there, its status and the changes make a plan:
//!
//! | the request's session | what changed | status | plan |
//! |---|---|---|---|
//! | any | nothing | any | nothing |
//! | any | anything | 5xx | discard |
//! | none | something was set | other | create one |
//! | none | only removals | other | nothing |
//! | known | anything | other | commit |
//! | ended or unreachable | anything | other | discard |
//! | superseded | anything | other | refuse |
//!
//! **Apply.** The plan costs one round trip at most, before the response head goes out. A store
//! that fails here answers 503 and keeps the client's id; changes that are refused answer 409.
//!
//! **Tell.** A new id is set; a write tells its revision; an id is removed by the request that
//! logged out and by no other: whoever finds a session ended can't know whether the client has a
//! newer id by now, which a removal would hit. `Set-Cookie` comes with `Cache-Control: no-store`,
//! and a response that used the session with `Vary: Cookie`. What was done with it stands on the
//! request's [`SessionUse`], for layers around this one, or between it and the handler.

#[cfg(feature = "axum")]
mod axum;
pub mod bridge;
mod decide;
mod error;
mod layer;
mod session;
mod sessions;
mod stats;
mod transport;
mod visit;

#[cfg(feature = "axum")]
pub use crate::axum::{SessionRejection, Strict};
pub use crate::{
    error::{Error, ErrorKind, Result},
    layer::{ResponseFuture, SessionFailure, SessionsLayer, SessionsService},
    session::{LazySession, LogIn, Session},
    sessions::{Device, OnUnavailable, Sessions, SessionsBuilder},
    stats::Stats,
    transport::{Cookie, Header, SameSite, Transport},
    visit::Over,
};
pub use cloakroom_core::{Handle, Health, Key, MemoryStore, OnLimit, SessionStore, SessionUse};
pub use cloakroom_near::NearStats;

use std::future::Future;
use tracing::Instrument as _;

/// A longer life is no limit at all, and beyond what dates can tell.
const LONGEST_LIFE: time::Duration = time::Duration::days(36_525);

/// Carries work to its end though its caller goes away.
pub(crate) async fn detach<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work.in_current_span()).await {
        Ok(done) => done,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down; nobody waits for an answer any more.
            Err(_) => std::future::pending().await,
        },
    }
}
