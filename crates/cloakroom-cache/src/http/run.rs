//! A run of the handler, in a task of its own: for whoever waits, and for the cache.

use super::{
    Settings,
    asking::Asking,
    body::{CacheBody, Collected, collect},
    call,
    entry::{Entry, Kind, Page, Parts, stored_headers},
    layer::Shared,
    reason::Reason,
    rules::{Circumstances, Times, Verdict},
    tags::{CacheTags, ForPrincipal},
    vary,
    way::CONDITIONS,
};
use crate::Load;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response, StatusCode, header, response};
use http_body::Body;
use std::{
    any::Any,
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};
use time::{Duration, OffsetDateTime};
use tokio::sync::oneshot;
use tower_service::Service;
use tracing::Instrument as _;

/// A request, the service that is ready for it, and where what comes of it is told; taken by whoever
/// carries it out first.
pub(crate) struct Errand<S, R, O>(Mutex<Option<(S, Request<R>, O)>>);

impl<S, R, O> Errand<S, R, O> {
    pub(crate) fn new(service: S, request: Request<R>, owner: O) -> Self {
        Self(Mutex::new(Some((service, request, owner))))
    }

    pub(crate) fn take(&self) -> Option<(S, Request<R>, O)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn is_taken(&self) -> bool {
        let errand = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        errand.is_none()
    }
}

/// Where the request learns what came of its errand.
pub(crate) type Owner<B, E> = oneshot::Sender<Own<B, E>>;

/// What a run brings to the request that it was made for.
pub(crate) enum Own<B: Body, E> {
    /// A response for nobody else, because of this.
    Through(Response<CacheBody<B>>, Reason),
    /// One that is stored, or was to be.
    Kept(Entry),
    Failed(Failure<B, E>),
}

/// How a handler fails.
pub(crate) enum Failure<B: Body, E> {
    /// With a response that says so.
    Response(Response<CacheBody<B>>),
    Error(E),
    Panic(Box<dyn Any + Send>),
}

/// What it brings to the cache.
pub(crate) type Report = Result<Load<Entry>, NotMade>;

/// There is no response to share. Which error there was, the handler's own request is told.
#[derive(Debug)]
pub(crate) struct NotMade;

impl fmt::Display for NotMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the handler made no response that can be shared")
    }
}

impl std::error::Error for NotMade {}

/// One run.
pub(crate) struct Run {
    pub(crate) shared: Arc<Shared>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) asking: Arc<Asking>,
    /// Its name.
    pub(crate) id: u64,
}

impl Run {
    /// Carries an errand out. The run ends in its own time, whoever stops waiting for it.
    pub(crate) async fn carry_out<S, R, B>(
        self,
        errand: Arc<Errand<S, R, Owner<B, S::Error>>>,
        span: tracing::Span,
    ) -> Report
    where
        S: Service<Request<R>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        R: Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Send + 'static,
    {
        let (service, request, owner) = errand.take().ok_or(NotMade)?;
        let (reporter, report) = oneshot::channel();
        let work = async move {
            let made = AssertUnwindSafe(self.make(service, request)).catch_unwind();
            let panicked = |panic| (Own::Failed(Failure::Panic(panic)), Err(NotMade));
            let (own, report) = made.await.unwrap_or_else(panicked);
            let _ = owner.send(own);
            let _ = reporter.send(report);
        };
        tokio::spawn(work.instrument(span));
        // The address's tag is asked for only when there is something to store: no client makes tags by
        // asking for what isn't there.
        report.await.unwrap_or(Err(NotMade))
    }

    async fn make<S, R, B>(self, service: S, mut request: Request<R>) -> Made<B, S::Error>
    where
        S: Service<Request<R>, Response = Response<B>>,
        B: Body<Data = Bytes>,
    {
        for name in CONDITIONS {
            // The response is for others, too, who don't have what this client has.
            request.headers_mut().remove(name);
        }
        let (mut head, body) = match call(service, request).await {
            Ok(response) => response.into_parts(),
            Err(error) => return (Own::Failed(Failure::Error(error)), Err(NotMade)),
        };
        let tags = head.extensions.remove::<CacheTags>().unwrap_or_default();
        let came = self.shared.now();
        if head.status.is_server_error() {
            let response = Response::from_parts(head, CacheBody::handler(body));
            return (Own::Failed(Failure::Response(response)), Err(NotMade));
        }
        match self.judge(&head, &tags, came) {
            Verdict::Pass(reason) => self.pass(head, CacheBody::handler(body), reason),
            Verdict::Keep(times) => self.keep(head, body, &tags, times, came).await,
        }
    }

    fn judge(&self, head: &response::Parts, tags: &CacheTags, came: OffsetDateTime) -> Verdict {
        let circumstances = Circumstances {
            principal: self.asking.principal.is_some(),
            session_read: self.asking.read_session(),
            session_changed: self.asking.used.was_changed(),
            inner_principal: head.extensions.get::<ForPrincipal>().is_some(),
            tags: tags.len(),
            settings: &self.settings,
        };
        circumstances.judge(head.status, &head.headers, came.into())
    }

    async fn keep<B, E>(
        &self,
        head: response::Parts,
        body: B,
        tags: &CacheTags,
        times: Times,
        came: OffsetDateTime,
    ) -> Made<B, E>
    where
        B: Body<Data = Bytes>,
    {
        let most = self.shared.max_body;
        let length = declared_length(&head).unwrap_or_default();
        if length.max(body.size_hint().lower()) > most as u64 {
            return self.pass(head, CacheBody::handler(body), Reason::TooLarge);
        }
        let until = crate::inner::later(self.shared.body_timeout);
        let bytes = match collect(body, most, until).await {
            Collected::Whole(bytes) => bytes,
            Collected::Partly(body, reason) => return self.pass(head, body, reason),
        };
        if declared_length(&head).is_some_and(|length| length != bytes.len() as u64) {
            return self.pass(head, CacheBody::whole(bytes), Reason::Broken);
        }
        // Whoever made the body may have read the session while doing so.
        if let Verdict::Pass(reason) = self.judge(&head, tags, came) {
            return self.pass(head, CacheBody::whole(bytes), reason);
        }
        let entry = self.entry(&head, bytes, times, came);
        // The body took its time.
        let fresh = times.fresh - (self.shared.now() - came);
        let load = Load::new(entry.clone())
            .fresh_for(fresh.max(Duration::MILLISECOND))
            .stale_while_loading(times.while_loading)
            .stale_on_error(times.on_error)
            .tag(self.asking.address.tag(self.shared.name()));
        (Own::Kept(entry), Ok(tags.iter().fold(load, Load::tag)))
    }

    fn entry(
        &self,
        head: &response::Parts,
        body: Bytes,
        times: Times,
        came: OffsetDateTime,
    ) -> Entry {
        let asking = &self.asking;
        let tagged = self.settings.etags && head.status == StatusCode::OK;
        let vary = vary::names(&head.headers).unwrap_or_default();
        let page = Page::new(Parts {
            status: head.status,
            headers: stored_headers(&head.headers, came, tagged.then_some(&body[..])),
            body,
            chosen_by: vary::values(&vary, &asking.headers),
            vary,
            shared: asking.principal.is_none(),
            assumed: times.assumed,
            came,
        });
        let kind = Kind::Page(Arc::new(page));
        let run = self.id;
        Entry { run, came, kind }
    }

    /// A response for its own request alone. That the address has none to share is remembered for a
    /// while, so that requests don't wait for each other in vain.
    fn pass<B: Body, E>(
        &self,
        head: response::Parts,
        body: CacheBody<B>,
        reason: Reason,
    ) -> Made<B, E> {
        let entry = Entry {
            run: self.id,
            came: self.shared.now(),
            kind: Kind::Pass(reason),
        };
        let load = Load::new(entry).stale_while_loading(Duration::ZERO);
        let load = load.stale_on_error(Duration::ZERO);
        let load = match self.shared.pass_for {
            none if none <= Duration::ZERO => load.not_kept(),
            time => load.fresh_for(time),
        };
        let response = Response::from_parts(head, body);
        (Own::Through(response, reason), Ok(load))
    }
}

type Made<B, E> = (Own<B, E>, Report);

fn declared_length(head: &response::Parts) -> Option<u64> {
    let length = head.headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}
