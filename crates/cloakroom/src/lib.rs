//! Shared, coherent, revocable sessions for axum and tower: **one session, every server**.
//!
//! Sessions are kept in shared Redis or Valkey, or in memory for a single process, so that all
//! instances of an application, old and new version, see one login state.
//!
//! ```
//! use axum::{Router, routing::post};
//! use cloakroom::{Key, Result, Session, Sessions};
//!
//! const CART: Key<Vec<String>> = Key::new("cart");
//!
//! async fn login(session: Session) -> Result<()> {
//!     session.log_in("alice").device("laptop").await   // a new id, in the user's bucket
//! }
//!
//! async fn add(session: Session, item: String) -> Result<String> {
//!     let cart = session.update(CART, |cart| cart.push(item.clone())).await?;   // atomic
//!     Ok(format!("{} items", cart.len()))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
//! let store = cloakroom::open("memory:").await?;   // or redis://host:port
//! let sessions = Sessions::builder(store).max_sessions_per_user(5).build().await?;
//! let app: Router = Router::new()
//!     .route("/login", post(login))
//!     .route("/cart", post(add))
//!     .layer(sessions.layer());
//!
//! sessions.revoke_user("alice").await?;            // everywhere
//! assert!(sessions.list("alice").await?.is_empty());
//! # let _ = app; Ok(()) }
//! ```
//!
//! # Where to go on
//!
//! - [`Session`]: what a handler holds. [`LazySession`]: the same, before it is read.
//! - [`Sessions`]: listing and revoking; [`SessionsBuilder`]: limits of time and number, cookies,
//!   what happens when the store is away.
//! - [`manual`]: how it works and how to run it.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `axum` | yes | extractors, and errors as responses |
//! | `cache` | yes | [`cache`]: values that are loaded once across all instances, on the same store |
//! | `http-cache` | yes | [`cache::http`]: responses, as a tower layer, made once across all instances |
//! | `redis` | yes | the store on Redis and Valkey, through the `redis` crate |
//! | `fred` | no | the same through the `fred` crate, by `redis::store_with(FredDriver, …)` |
//! | `jwt` | no | `jwt`: access tokens, short-lived and signed by keys that rotate |
//! | `tls` | no | `rediss://` addresses |
//! | `tower-sessions` | no | a store for tower-sessions 0.14 and 0.15, their `Session` under our layer, axum-login |

#[cfg(all(
    doctest,
    feature = "axum",
    feature = "jwt",
    feature = "redis",
    feature = "tower-sessions"
))]
#[doc = include_str!("../../../README.md")]
mod readme {}

#[cfg(feature = "cache")]
pub mod cache;
pub mod manual;
mod open;
#[cfg(any(feature = "redis", feature = "fred"))]
pub mod redis;

#[cfg(feature = "jwt")]
pub use cloakroom_jwt as jwt;
#[cfg(feature = "tower-sessions")]
pub use cloakroom_tower_sessions as tower_sessions;

pub use cloakroom_core::{
    CacheStore, Clock, Entropy, Error as StoreError, ManualClock, OsEntropy, Store, SystemClock,
};
pub use cloakroom_tower::bridge;
pub use cloakroom_tower::{
    Cookie, Device, Error, ErrorKind, Handle, Header, Health, Key, LazySession, LogIn, MemoryStore,
    NearStats, OnLimit, OnUnavailable, Over, ResponseFuture, Result, SameSite, Session,
    SessionFailure, SessionStore, SessionUse, Sessions, SessionsBuilder, SessionsLayer,
    SessionsService, Stats, Transport,
};
#[cfg(feature = "axum")]
pub use cloakroom_tower::{SessionRejection, Strict};
pub use open::open;
pub use time;
