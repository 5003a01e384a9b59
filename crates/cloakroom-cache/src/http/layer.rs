//! What an application holds, and the layers that it makes.

use super::{
    ResponseCacheBuilder, ResponseCacheService, Settings,
    asking::{path_of, tag_of_path},
    entry::Entry,
    settings::Hook,
};
use crate::{Cache, CacheStats, Error, ErrorKind, Result, Tag};
use bytes::Bytes;
use cloakroom_core::{CacheStore, Clock};
use cloakroom_near::NearStats;
use http::{HeaderName, Uri, request::Parts};
use std::{fmt, future::Future, sync::Arc};
use time::{Duration, OffsetDateTime};
use tower_layer::Layer;

/// A cache of HTTP responses: near in this process, and in the store for all.
///
/// Cheap to clone; clones are the same cache. Made by [`ResponseCache::builder`].
///
/// ```
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use cloakroom_cache::http::ResponseCache;
/// use cloakroom_core::MemoryStore;
/// use std::sync::Arc;
/// use tower::ServiceExt as _;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pages = ResponseCache::builder("pages", Arc::new(MemoryStore::new())).build()?;
/// let app: Router = Router::new()
///     .route("/tea", get(async || ([("cache-control", "max-age=60")], "green")))
///     .layer(pages.layer());
///
/// let get = || Request::get("/tea").body(Body::empty()).unwrap();
/// let first = app.clone().oneshot(get()).await?;
/// assert_eq!(first.headers()["cache-status"], "cloakroom; fwd=uri-miss; stored");
/// let second = app.clone().oneshot(get()).await?;
/// assert!(second.headers()["cache-status"].to_str()?.starts_with("cloakroom; hit; ttl="));
///
/// pages.invalidate("/tea").await?;                 // everywhere
/// let third = app.oneshot(get()).await?;
/// assert_eq!(third.headers()["cache-status"], "cloakroom; fwd=uri-miss; stored");
/// # Ok(()) }
/// ```
///
/// # Consistency
///
/// As of a [`Cache`]: what was invalidated longer ago than
/// [`max_staleness`](ResponseCacheBuilder::max_staleness) is served nowhere, usually for milliseconds
/// only; a response that was begun before is never stored after.
#[derive(Clone)]
pub struct ResponseCache(pub(super) Arc<Shared>);

/// What all layers of a cache share.
pub(crate) struct Shared {
    pub(super) name: Arc<str>,
    pub(crate) cache: Cache<Bytes, Entry>,
    /// What it is called in `Cache-Status`.
    pub(crate) says: String,
    pub(crate) max_body: usize,
    pub(crate) body_timeout: Duration,
    pub(crate) pass_for: Duration,
    pub(crate) clock: Arc<dyn Clock>,
}

impl ResponseCache {
    /// Begins a cache. All caches of a deployment that share a name share their responses.
    pub fn builder(name: impl Into<String>, store: Arc<dyn CacheStore>) -> ResponseCacheBuilder {
        ResponseCacheBuilder::new(name.into(), store)
    }

    /// A layer that answers from this cache.
    pub fn layer(&self) -> ResponseCacheLayer {
        ResponseCacheLayer {
            shared: Arc::clone(&self.0),
            settings: Settings::default(),
        }
    }

    /// Says that all responses of an address are wrong: of each host, principal and variant. A path and
    /// its query, like `/products?page=2`; more of a whole address is not looked at. One round trip.
    /// Addresses share 65,536 tags, so that clients can't fill the store with them: one other response
    /// in so many goes, too.
    ///
    /// # Consistency
    ///
    /// When it has returned, no response that was begun before is stored anywhere, and no instance
    /// serves an old one for longer than
    /// [`max_staleness`](ResponseCacheBuilder::max_staleness); usually for milliseconds.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if it is no address.
    /// [`Unavailable`](ErrorKind::Unavailable): other instances may serve old responses until the store
    /// was told. It is told again and again, for as long as the cache lives.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves it open whether it has happened.
    pub async fn invalidate(&self, address: &str) -> Result<()> {
        let uri: Uri = address.parse().map_err(|error: http::uri::InvalidUri| {
            let message =
                "responses are invalidated by a path and its query, like /products?page=2";
            Error::new(ErrorKind::Config, message).because(error)
        })?;
        let tag = tag_of_path(&self.0.name, &path_of(&uri));
        self.0.cache.invalidate_tag(tag).await
    }

    /// Says that all responses that bear a tag are wrong, and all values of the store's other caches
    /// that do. One round trip, whatever their number.
    ///
    /// # Consistency
    ///
    /// As of [`invalidate`](Self::invalidate).
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable), as of [`invalidate`](Self::invalidate).
    ///
    /// # Cancel safety
    ///
    /// As of [`invalidate`](Self::invalidate).
    pub async fn invalidate_tag(&self, tag: impl Into<Tag>) -> Result<()> {
        self.0.cache.invalidate_tag(tag).await
    }

    /// What this process has done with it. Loads are runs of handlers.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.0.cache.stats()
    }

    /// What the near copies have done, and what they hold.
    #[must_use]
    pub fn near_stats(&self) -> NearStats {
        self.0.cache.near_stats()
    }

    /// What it was named when it was built.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

impl Shared {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The time of day, as exactly as it is stored.
    pub(crate) fn now(&self) -> OffsetDateTime {
        let now = self.clock.now();
        now.replace_microsecond(now.microsecond()).unwrap_or(now)
    }

    /// Whether this process has a copy of an entry that answers reads.
    pub(crate) fn holds(&self, key: &Bytes) -> bool {
        self.cache.inner().answers(self.cache.place(key))
    }

    /// What it has of an entry that may be served if no other can be made.
    pub(crate) fn in_need(&self, key: &Bytes) -> Option<Arc<Entry>> {
        let kept = self.cache.inner().in_need(self.cache.place(key))?;
        kept.value.value.clone()
    }

    /// Whether it has one that is stale, or about to be.
    pub(crate) fn holds_stale(&self, key: &Bytes) -> bool {
        self.cache.inner().in_need(self.cache.place(key)).is_some()
    }
}

impl fmt::Debug for ResponseCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseCache")
            .field("name", &self.0.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Answers requests from a [`ResponseCache`], over any service.
///
/// Several layers of one cache may differ in these settings. Where they stand within each other, the
/// outermost that has to do with a request answers it, and those inside keep out. The handler runs in a task of its own, so
/// what is local to the request's task is not there.
#[derive(Debug, Clone)]
#[must_use]
pub struct ResponseCacheLayer {
    shared: Arc<Shared>,
    settings: Settings,
}

impl ResponseCacheLayer {
    /// Makes whom a request is from a part of the key, so that what is made for one principal may be
    /// stored, and is served to that one alone. `None` is nobody: what depends on somebody is not
    /// stored then.
    ///
    /// The function must prove who it is, by the session or by a signature, and never believe a header.
    /// It runs for each request that may be answered from the cache, so it should cost little. The
    /// facade has `by_user` for sessions.
    ///
    /// ```
    /// use axum::{Router, body::Body, http::{Request, request::Parts}, routing::get};
    /// use cloakroom_cache::http::ResponseCache;
    /// use cloakroom_core::MemoryStore;
    /// use std::sync::Arc;
    /// use tower::ServiceExt as _;
    ///
    /// # fn verified(bearer: &str) -> Option<String> { bearer.strip_prefix("Bearer ").map(str::to_owned) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pages = ResponseCache::builder("pages", Arc::new(MemoryStore::new())).build()?;
    /// let by_token = |parts: &Parts| {
    ///     let bearer = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    ///     std::future::ready(bearer.and_then(verified))
    /// };
    /// let app: Router = Router::new()
    ///     .route("/me", get(async || ([("cache-control", "private, max-age=60")], "…")))
    ///     .layer(pages.layer().principal(by_token));
    ///
    /// let get = |token| {
    ///     let request = Request::get("/me").header("authorization", format!("Bearer {token}"));
    ///     app.clone().oneshot(request.body(Body::empty()).unwrap())
    /// };
    /// for (token, begins) in [("a", "cloakroom; fwd"), ("a", "cloakroom; hit"), ("b", "cloakroom; fwd")] {
    ///     let status = get(token).await?.headers()["cache-status"].to_str()?.to_owned();
    ///     assert!(status.starts_with(begins), "{status}");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn principal<F, Fut>(mut self, of: F) -> Self
    where
        F: Fn(&Parts) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<String>> + Send + 'static,
    {
        self.settings.principal = Some(Hook::new(of));
        self
    }

    /// Requests that bear this header count as those with `Authorization` do: for keys of an API.
    pub fn credentials(mut self, header: HeaderName) -> Self {
        self.settings.credentials.push(header);
        self
    }

    /// Responses that say nothing of how long they are fresh are for this long, in whole seconds. Zero
    /// by default: what doesn't say that it may be stored isn't.
    pub fn fresh_for(mut self, time: Duration) -> Self {
        self.settings.fresh_for = time;
        self
    }

    /// Responses that say nothing of it may be served for this long after their fresh time while they
    /// are made anew. Zero by default.
    pub fn stale_while_revalidate(mut self, time: Duration) -> Self {
        self.settings.stale_while_revalidate = time;
        self
    }

    /// Responses that say nothing of it may be served for this long after their fresh time if the
    /// handler fails: if it answers 5xx, an error, or panics. Zero by default.
    pub fn stale_if_error(mut self, time: Duration) -> Self {
        self.settings.stale_if_error = time;
        self
    }

    /// Whether stored responses get an `ETag` if their handler gave none: yes by default. A weak one,
    /// the hash of the body: layers around the cache may compress it.
    pub fn etags(mut self, wanted: bool) -> Self {
        self.settings.etags = wanted;
        self
    }

    /// Answers clients that want a response made anew from the cache all the same, as servers' own
    /// caches often do. By default a client that reloads a page has it made anew, for all; while it is
    /// made, and if the handler fails, others get the one that there was.
    pub fn ignore_request_directives(mut self) -> Self {
        self.settings.ignores_requests = true;
        self
    }
}

impl<S> Layer<S> for ResponseCacheLayer {
    type Service = ResponseCacheService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ResponseCacheService {
            inner,
            shared: Arc::clone(&self.shared),
            settings: Arc::new(self.settings.clone()),
        }
    }
}
