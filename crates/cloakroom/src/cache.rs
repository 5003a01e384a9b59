//! Cached values, and responses, on the store of sessions.

pub use cloakroom_cache::*;

/// A cache of HTTP responses, as a tower layer: `cloakroom_cache::http`, and what ties it to sessions.
#[cfg(feature = "http-cache")]
pub mod http {
    use crate::LazySession;
    use ::http::request::Parts;
    pub use cloakroom_cache::http::*;
    use std::future::Future;

    /// The user of a request's session, as the principal of its response: for
    /// [`ResponseCacheLayer::principal`], inside the sessions' layer. Reads the session, which costs
    /// nothing with a near copy.
    ///
    /// Nobody is logged in, or the session can't be read: no principal. Then what is made of the
    /// session is not stored, so that visitors don't see each other's carts.
    ///
    /// ```
    /// use axum::{Router, body::Body, http::Request, routing::{get, post}};
    /// use cloakroom::{MemoryStore, Session, Sessions, cache::http::{ResponseCache, by_user}};
    /// use std::sync::Arc;
    /// use tower::ServiceExt as _;
    ///
    /// async fn me(session: Session) -> ([(&'static str, &'static str); 1], String) {
    ///     let user = session.user().map_or("nobody".into(), |user| user.to_string());
    ///     ([("cache-control", "private, max-age=60")], user)
    /// }
    /// # async fn login(session: Session) { session.log_in("alice").await.unwrap(); }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = Arc::new(MemoryStore::new());
    /// let sessions = Sessions::builder(Arc::clone(&store)).build().await?;
    /// let pages = ResponseCache::builder("pages", store).build()?;
    /// let app: Router = Router::new()
    ///     .route("/me", get(me))
    ///     .layer(pages.layer().principal(by_user))
    ///     .route("/login", post(login))
    ///     .layer(sessions.layer());
    /// # let login = Request::post("/login").body(Body::empty())?;
    /// # let login = app.clone().oneshot(login).await?;
    /// # let cookie = login.headers()["set-cookie"].to_str()?.split(';').next().unwrap().to_owned();
    ///
    /// for says in ["cloakroom; fwd=uri-miss; stored", "cloakroom; hit; ttl="] {
    ///     let request = Request::get("/me").header("cookie", &cookie).body(Body::empty())?;
    ///     let response = app.clone().oneshot(request).await?;
    ///     assert!(response.headers()["cache-status"].to_str()?.starts_with(says));
    /// }
    /// let stranger = app.oneshot(Request::get("/me").body(Body::empty())?).await?;
    /// assert_eq!(stranger.headers()["cache-status"], "cloakroom; fwd=uri-miss; detail=session");
    /// # Ok(()) }
    /// ```
    ///
    /// All of a user's sessions share what it stores: each browser that the user is logged in with, one
    /// that was stolen, and one that hasn't proven itself lately. Pages that differ between them, by a
    /// token in a form, a cart, or by how long ago somebody logged in, are for [`by_session`].
    ///
    /// # Consistency
    ///
    /// As of [`LazySession::load`]: whose session was ended longer ago than the sessions'
    /// `max_staleness` is nobody.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub fn by_user(parts: &Parts) -> impl Future<Output = Option<String>> + Send + use<> {
        let session = parts.extensions.get::<LazySession>().cloned();
        async move {
            let session = session?.load().await.ok()?;
            session.user().map(|user| user.to_string())
        }
    }

    /// A request's session, as the principal of its response, as [`by_user`] for its user: by the
    /// session's [handle](crate::Session::handle), and by who is logged in. For pages that differ
    /// between one user's sessions, and for visitors who aren't logged in but have a session.
    ///
    /// There is no session, or it can't be read: no principal.
    ///
    /// ```
    /// use cloakroom::{MemoryStore, cache::http::{ResponseCache, by_session}};
    /// use std::sync::Arc;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pages = ResponseCache::builder("pages", Arc::new(MemoryStore::new())).build()?;
    /// let forms = pages.layer().principal(by_session);
    /// # drop(forms); Ok(()) }
    /// ```
    ///
    /// # Consistency
    ///
    /// As of [`LazySession::load`]: a session that was ended longer ago than the sessions'
    /// `max_staleness` is nobody's. What else changes in a session is not a part of the key.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub fn by_session(parts: &Parts) -> impl Future<Output = Option<String>> + Send + use<> {
        let session = parts.extensions.get::<LazySession>().cloned();
        async move {
            let session = session?.load().await.ok()?;
            let handle = session.handle()?;
            let user = session.user().map(|user| user.to_string());
            Some(format!("{handle} {}", user.unwrap_or_default()))
        }
    }
}
