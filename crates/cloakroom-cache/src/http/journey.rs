//! The way of a request that may be answered by what is stored.
//!
//! ```text
//! key → entry          Cache::find_or_load; the handler is its loader    obtain
//! entry → page         none to share: the handler; meant for another:
//!                      the key of the one that is meant, and again       get
//! page → response      age, 304, length                                  answer.rs
//! ```

use super::{
    Settings,
    answer::{answer, conditioned, ttl},
    asking::Asking,
    body::CacheBody,
    call,
    entry::{Entry, Kind, Page},
    layer::Shared,
    reason::Reason,
    rules::{satisfies, times},
    run::{Errand, Failure, Own, Owner, Run},
    status::{Status, Why},
    tags::{CacheTags, ForPrincipal},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body::Body;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};
use time::Duration;
use tokio::sync::oneshot;
use tower_service::Service;

/// Responses of one address that each vary by more than the one before.
const DEPTH: usize = 4;

pub(crate) struct Journey<S, R, B: Body>
where
    S: Service<Request<R>, Response = Response<B>>,
{
    pub(crate) shared: Arc<Shared>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) asking: Arc<Asking>,
    errand: Arc<Errand<S, R, Owner<B, S::Error>>>,
    /// What a run of the handler brings that has this request's errand.
    own: Bringing<B, S::Error>,
    /// The name of such a run.
    run: u64,
    /// There was a response that had become stale when it began.
    was_stale: Arc<AtomicBool>,
}

/// What a run of the handler brings to the request that it was made for.
enum Bringing<B: Body, E> {
    Later(oneshot::Receiver<Own<B, E>>),
    Now(Own<B, E>),
    /// It was taken, or never will come.
    Nothing,
}

/// What there is for a request.
enum Found<B: Body, E> {
    Entry(Entry, Origin),
    Through(Response<CacheBody<B>>, Reason),
    Failed(Failure<B, E>),
    /// Nobody's: the handler is to be asked.
    Nothing,
}

/// Where an entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// This request's own run of the handler.
    Own {
        /// There was one that had become stale.
        was_stale: bool,
    },
    Cache,
}

type Answer<B, E> = Result<Response<CacheBody<B>>, E>;

impl<S, R, B> Journey<S, R, B>
where
    S: Service<Request<R>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Send + 'static,
{
    pub(crate) fn new(
        shared: Arc<Shared>,
        settings: Arc<Settings>,
        asking: Asking,
        service: S,
        request: Request<R>,
    ) -> Self {
        let (owner, own) = oneshot::channel();
        Self {
            shared,
            settings,
            asking: Arc::new(asking),
            errand: Arc::new(Errand::new(service, request, owner)),
            own: Bringing::Later(own),
            run: fastrand::u64(..),
            was_stale: Arc::default(),
        }
    }

    /// Answers a `GET`.
    pub(crate) async fn get(mut self) -> Answer<B, S::Error> {
        let mut key = self.asking.key();
        let mut why = Why::UriMiss;
        let mut anew = false;
        for _ in 0..=DEPTH {
            let (entry, origin) = match self.obtain(&key, anew).await {
                Found::Entry(entry, origin) => (entry, origin),
                Found::Through(response, reason) => {
                    if anew && self.shared.pass_for <= Duration::ZERO {
                        // Nothing takes the place of what was stored.
                        self.forget(&key).await;
                    }
                    return Ok(self.through(response, why, reason));
                }
                Found::Failed(failure) => {
                    return match self.instead(&key).filter(|_| anew) {
                        Some(response) => Ok(response),
                        None => self.failed(failure, why),
                    };
                }
                Found::Nothing => return self.ask(Status::forwarded(why)).await,
            };
            let page = match &entry.kind {
                Kind::Pass(reason) => return self.ask(Status::because(why, *reason)).await,
                Kind::Page(page) => page,
            };
            if !page.is_meant_by(&self.asking.headers) {
                key = self.asking.key_beside(page);
                if why != Why::Request {
                    why = Why::VaryMiss;
                }
            } else if origin == Origin::Cache && !anew && !self.will_do(&entry, page) {
                (why, anew) = (Why::Request, true);
            } else {
                let stored = self.shared.holds(&key);
                let status = self.status(&entry, page, origin, why, stored);
                return Ok(self.answer(&entry, page, false, status));
            }
        }
        self.ask(Status::because(why, Reason::Depth)).await
    }

    /// Answers a `HEAD`, or whatever wants no handler to be asked: by what is stored, or not at all.
    pub(crate) async fn stored(&mut self, is_head: bool) -> Option<Response<CacheBody<B>>> {
        let mut key = self.asking.key();
        for _ in 0..=DEPTH {
            let entry = self.shared.cache.get(&key).await.ok()??;
            let page = entry.page()?;
            if page.is_meant_by(&self.asking.headers) {
                let status = self.status(&entry, page, Origin::Cache, Why::UriMiss, true);
                let will_do = self.will_do(&entry, page);
                return will_do.then(|| self.answer(&entry, page, is_head, status));
            }
            key = self.asking.key_beside(page);
        }
        None
    }

    /// Asks the handler, for this request alone.
    pub(crate) async fn ask(mut self, status: Status) -> Answer<B, S::Error> {
        let Some((service, request, _)) = self.errand.take() else {
            return match self.brought().await {
                Found::Entry(entry, _) => match &entry.kind {
                    Kind::Page(page) => Ok(self.answer(&entry, page, false, status)),
                    Kind::Pass(_) => std::future::pending().await,
                },
                Found::Through(response, reason) => {
                    Ok(self.through(response, Why::UriMiss, reason))
                }
                Found::Failed(failure) => self.failed(failure, Why::UriMiss),
                Found::Nothing => std::future::pending().await,
            };
        };
        let mut response = call(service, request).await?.map(CacheBody::handler);
        response.extensions_mut().remove::<CacheTags>();
        self.say(status, &mut response);
        Ok(response)
    }

    /// Nothing is stored, and nobody is to be asked.
    pub(crate) fn not_stored(&self) -> Response<CacheBody<B>> {
        let mut response = Response::new(CacheBody::default());
        *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
        self.say(Status::NotStored, &mut response);
        response
    }

    /// The entry of a key: what is stored, what others wait for, or what this request's own run makes.
    async fn obtain(&mut self, key: &Bytes, anew: bool) -> Found<B, S::Error> {
        if self.errand.is_taken() {
            // A run for this request is under way, beside a stale response that was not meant.
            let stored = self.shared.cache.get(key).await.ok().flatten();
            return match stored.filter(|_| !anew) {
                Some(entry) => Found::Entry((*entry).clone(), Origin::Cache),
                None => self.brought().await,
            };
        }
        let (cache, loader) = (Arc::clone(&self.shared), self.loader(key));
        let found = async {
            match anew {
                true => cache.cache.reload(key, loader).await,
                false => cache.cache.find_or_load(key, loader).await,
            }
        };
        tokio::pin!(found);
        let result = loop {
            tokio::select! {
                biased;
                () = self.own.comes() => {
                    if matches!(self.own, Bringing::Now(Own::Through(..))) {
                        // At once: nobody else has to do with it.
                        return self.brought().await;
                    }
                }
                result = &mut found => break result,
            }
        };
        match result {
            Ok(Some(entry)) if entry.run == self.run => {
                let was_stale = self.was_stale.load(SeqCst);
                Found::Entry((*entry).clone(), Origin::Own { was_stale })
            }
            Ok(Some(entry)) => Found::Entry((*entry).clone(), Origin::Cache),
            Ok(None) | Err(_) if self.errand.is_taken() => self.brought().await,
            Ok(None) | Err(_) => Found::Nothing,
        }
    }

    /// The loader of an entry: this request's errand.
    fn loader(
        &self,
        key: &Bytes,
    ) -> impl FnOnce() -> super::Loading + Send + 'static + use<S, R, B> {
        let run = Run {
            shared: Arc::clone(&self.shared),
            settings: Arc::clone(&self.settings),
            asking: Arc::clone(&self.asking),
            id: self.run,
        };
        let (errand, key) = (Arc::clone(&self.errand), key.clone());
        let (was_stale, span) = (Arc::clone(&self.was_stale), tracing::Span::current());
        move || {
            was_stale.fetch_or(run.shared.holds_stale(&key), SeqCst);
            Box::pin(run.carry_out(errand, span))
        }
    }

    /// What the run brings that has this request's errand.
    async fn brought(&mut self) -> Found<B, S::Error> {
        if matches!(self.own, Bringing::Later(_)) {
            self.own.comes().await;
        }
        match std::mem::replace(&mut self.own, Bringing::Nothing) {
            Bringing::Now(own) => own.into(),
            // The runtime is shutting down; nobody waits for an answer any more.
            Bringing::Later(_) | Bringing::Nothing => std::future::pending().await,
        }
    }

    /// Whether a stored response is what the client wants, as far as it says so.
    fn will_do(&self, entry: &Entry, page: &Page) -> bool {
        let headers = &self.asking.headers;
        let asks = [header::CACHE_CONTROL, header::PRAGMA];
        let asks = asks.iter().any(|name| headers.contains_key(name));
        let now = self.shared.now().max(entry.came);
        !asks
            || self.settings.ignores_requests
            || self.asking.waited_for(entry)
            || satisfies(&page.policy, headers, now.into())
    }

    async fn forget(&mut self, key: &Bytes) {
        if let Err(error) = self.shared.cache.invalidate(key).await {
            tracing::debug!(%error, "a response is not to be stored any more, and the store was not told");
        }
    }

    /// What the client wanted anew, where that may be served if the handler fails.
    fn instead(&self, key: &Bytes) -> Option<Response<CacheBody<B>>> {
        let entry = self.shared.in_need(key)?;
        let page = entry.page()?;
        let came = entry.came.into();
        let times = times(
            &self.settings,
            page.shared,
            page.status,
            &page.headers,
            came,
        );
        let ttl = ttl(&entry, page, self.shared.now());
        let may_be = times.on_error > Duration::ZERO && ttl + times.on_error > Duration::ZERO;
        (may_be && page.is_meant_by(&self.asking.headers))
            .then(|| self.answer(&entry, page, false, Status::Hit { ttl }))
    }

    fn status(&self, entry: &Entry, page: &Page, origin: Origin, why: Why, stored: bool) -> Status {
        match origin {
            Origin::Own { was_stale } => Status::Forwarded {
                why: if was_stale && why == Why::UriMiss {
                    Why::Stale
                } else {
                    why
                },
                stored,
                collapsed: false,
                detail: None,
            },
            Origin::Cache if self.asking.waited_for(entry) => Status::Forwarded {
                why,
                stored: false,
                collapsed: true,
                detail: None,
            },
            Origin::Cache => {
                let ttl = ttl(entry, page, self.shared.now());
                Status::Hit { ttl }
            }
        }
    }

    fn answer(
        &self,
        entry: &Entry,
        page: &Page,
        is_head: bool,
        status: Status,
    ) -> Response<CacheBody<B>> {
        let now = self.shared.now();
        let mut response = answer((entry, page), &self.asking, is_head, now, status);
        self.say(status, &mut response);
        response
    }

    fn through(
        &self,
        response: Response<CacheBody<B>>,
        why: Why,
        reason: Reason,
    ) -> Response<CacheBody<B>> {
        let mut response = conditioned(response, &self.asking.headers);
        self.say(Status::because(why, reason), &mut response);
        response
    }

    fn failed(&self, failure: Failure<B, S::Error>, why: Why) -> Answer<B, S::Error> {
        match failure {
            Failure::Response(mut response) => {
                self.say(Status::because(why, Reason::Failed), &mut response);
                Ok(response)
            }
            Failure::Error(error) => Err(error),
            Failure::Panic(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn say(&self, status: Status, response: &mut Response<CacheBody<B>>) {
        if self.asking.principal.is_some() {
            response.extensions_mut().insert(ForPrincipal);
        }
        status.append(&self.shared.says, response.headers_mut());
    }
}

impl<B: Body, E> From<Own<B, E>> for Found<B, E> {
    fn from(own: Own<B, E>) -> Self {
        match own {
            Own::Through(response, reason) => Self::Through(response, reason),
            Own::Kept(entry) => Self::Entry(entry, Origin::Own { was_stale: false }),
            Own::Failed(failure) => Self::Failed(failure),
        }
    }
}

impl<B: Body, E> Bringing<B, E> {
    /// Returns when it has come, once.
    async fn comes(&mut self) {
        *self = match self {
            Self::Later(own) => own.await.map_or(Self::Nothing, Self::Now),
            Self::Now(_) | Self::Nothing => std::future::pending().await,
        };
    }
}
