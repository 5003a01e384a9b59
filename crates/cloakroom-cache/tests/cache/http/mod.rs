//! The cache of HTTP responses.

mod bodies;
mod conditional;
mod instances;
mod rules;
mod sessions;
mod sharing;
mod stale;

use axum::body::Body;
use bytes::Bytes;
use cloakroom_cache::http::{CacheBody, ResponseCache, ResponseCacheLayer, ResponseCacheService};
use cloakroom_core::MemoryStore;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

pub(crate) const MOMENT: Duration = Duration::from_millis(50);

/// What came back, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn of(response: Response<CacheBody<Body>>) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub(crate) fn says(&self) -> &str {
        self.header("cache-status")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn is_hit(&self) {
        assert!(self.says().starts_with("cloakroom; hit"), "{self:?}");
    }
}

pub(crate) type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A service behind the cache that counts its calls.
#[derive(Clone)]
pub(crate) struct Handler {
    calls: Arc<AtomicUsize>,
    answer: Arc<dyn Fn(Request<Body>, usize) -> Answering + Send + Sync>,
}

impl Handler {
    pub(crate) fn new<F, Fut>(answer: F) -> Self
    where
        F: Fn(Request<Body>, usize) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Response<Body>> + Send + 'static,
    {
        Self {
            calls: Arc::default(),
            answer: Arc::new(move |request, call| Box::pin(answer(request, call))),
        }
    }

    /// Answers with these headers, and the number of the call.
    pub(crate) fn fixed(headers: &'static [(&'static str, &'static str)]) -> Self {
        Self::new(move |_, call| async move { page(headers, call.to_string()) })
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(SeqCst)
    }

    pub(crate) fn service(
        &self,
    ) -> impl Service<
        Request<Body>,
        Response = Response<Body>,
        Error = Infallible,
        Future: Send + 'static,
    >
    + Clone
    + Send
    + Sync
    + 'static
    + use<> {
        let this = self.clone();
        service_fn(move |request: Request<Body>| {
            let call = this.calls.fetch_add(1, SeqCst) + 1;
            let answer = (this.answer)(request, call);
            async move { Ok::<_, Infallible>(answer.await) }
        })
    }

    /// Behind a layer.
    pub(crate) fn behind(
        &self,
        layer: &ResponseCacheLayer,
    ) -> ResponseCacheService<
        impl Service<
            Request<Body>,
            Response = Response<Body>,
            Error = Infallible,
            Future: Send + 'static,
        >
        + Clone
        + Send
        + Sync
        + 'static
        + use<>,
    > {
        layer.layer(self.service())
    }
}

pub(crate) fn page(
    headers: &[(&'static str, &'static str)],
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    for (name, value) in headers {
        match *name {
            ":status" => *response.status_mut() = value.parse().unwrap(),
            name => {
                response.headers_mut().append(name, value.parse().unwrap());
            }
        }
    }
    response
}

pub(crate) fn in_memory() -> ResponseCache {
    let store = Arc::new(MemoryStore::new());
    let pages = ResponseCache::builder("pages", store);
    // So that tests run the handler when they say so.
    pages.early(0.0).jitter(0.0).build().unwrap()
}

pub(crate) fn request(
    method: Method,
    uri: &str,
    headers: &[(&'static str, &'static str)],
) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method;
    *request.uri_mut() = uri.parse().unwrap();
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request
}

pub(crate) async fn send<S>(service: &S, request: Request<Body>) -> Answer
where
    S: Service<Request<Body>, Response = Response<CacheBody<Body>>, Error = Infallible> + Clone,
{
    let Ok(response) = service.clone().oneshot(request).await;
    Answer::of(response).await
}

pub(crate) async fn get<S>(
    service: &S,
    uri: &str,
    headers: &[(&'static str, &'static str)],
) -> Answer
where
    S: Service<Request<Body>, Response = Response<CacheBody<Body>>, Error = Infallible> + Clone,
{
    send(service, request(Method::GET, uri, headers)).await
}

/// A body of parts, each after a pause; then it ends, breaks off, or goes on for ever.
pub(crate) fn stream(
    parts: Vec<Result<&'static str, std::io::Error>>,
    pause: Duration,
    for_ever: bool,
) -> Body {
    let parts = parts.into_iter().map(|part| part.map(Bytes::from));
    let rest = for_ever.then(|| std::iter::repeat_with(|| Ok(Bytes::from_static(b"more"))));
    let all = parts.chain(rest.into_iter().flatten());
    Body::from_stream(futures_util::stream::unfold(
        all,
        move |mut all| async move {
            let part = all.next()?;
            tokio::time::sleep(pause).await;
            Some((part, all))
        },
    ))
}
