//! The first steps of a request's way: what is to be done with it, and for whom.

use super::{
    Settings,
    asking::{Address, Asking},
    body::CacheBody,
    call,
    journey::Journey,
    layer::Shared,
    reason::Reason,
    status::{Status, Why},
    tags::CacheTags,
    unsafe_method::Invalidating,
    way::{Lookup, Way, is_authorized},
};
use bytes::Bytes;
use cloakroom_core::SessionUse;
use http::{Method, Request, Response, request::Parts};
use http_body::Body;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;

/// The service that [`ResponseCacheLayer`](super::ResponseCacheLayer) makes.
#[derive(Debug, Clone)]
pub struct ResponseCacheService<S> {
    pub(super) inner: S,
    pub(super) shared: Arc<Shared>,
    pub(super) settings: Arc<Settings>,
}

type Answer<B, E> = Result<Response<CacheBody<B>>, E>;

impl<S, R, B> Service<Request<R>> for ResponseCacheService<S>
where
    S: Service<Request<R>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Body + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Send + 'static,
{
    type Response = Response<CacheBody<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Answer<B, S::Error>> + Send>>;

    /// Always: what is stored needs no handler. The one within is waited for when it is asked.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        Box::pin(self.clone().serve(request))
    }
}

impl<S> ResponseCacheService<S> {
    async fn serve<R, B>(self, request: Request<R>) -> Answer<B, S::Error>
    where
        S: Service<Request<R>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        R: Body + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Send + 'static,
    {
        let has_body =
            !request.body().is_end_stream() && request.body().size_hint().exact() != Some(0);
        let (mut parts, body) = request.into_parts();
        let lookup = match Way::of(&parts, has_body) {
            Way::Lookup(lookup) => lookup,
            Way::Method => return self.ask(parts, body, Status::forwarded(Why::Method)).await,
            Way::Bypass(reason) => {
                let status = Status::because(Why::Bypass, reason);
                return self.ask(parts, body, status).await;
            }
            Way::Unsafe => return self.change(parts, body).await,
        };
        let asking = match Inside::is_noted(&self.shared, &parts) {
            false => asking(&self.shared, &self.settings, &mut parts).await,
            true => Err(Reason::Nested),
        };
        let asking = match asking {
            Ok(asking) => asking,
            Err(reason) => {
                let status = Status::because(Why::Bypass, reason);
                return self.ask(parts, body, status).await;
            }
        };
        Inside::note(&self.shared, &mut parts);
        let is_head = parts.method == Method::HEAD;
        let request = Request::from_parts(parts, body);
        let mut journey = Journey::new(self.shared, self.settings, asking, self.inner, request);
        match lookup {
            Lookup::Get => journey.get().await,
            Lookup::Head => match journey.stored(true).await {
                Some(response) => Ok(response),
                None => journey.ask(Status::forwarded(Why::UriMiss)).await,
            },
            Lookup::OnlyStored => {
                let stored = journey.stored(is_head).await;
                Ok(stored.unwrap_or_else(|| journey.not_stored()))
            }
        }
    }

    /// Leaves the request to its handler.
    async fn ask<R, B>(self, parts: Parts, body: R, status: Status) -> Answer<B, S::Error>
    where
        S: Service<Request<R>, Response = Response<B>>,
        B: Body<Data = Bytes>,
    {
        let request = Request::from_parts(parts, body);
        let mut response = call(self.inner, request).await?.map(CacheBody::handler);
        response.extensions_mut().remove::<CacheTags>();
        status.append(&self.shared.says, response.headers_mut());
        Ok(response)
    }

    /// The same for one that may change what is stored.
    async fn change<R, B>(self, parts: Parts, body: R) -> Answer<B, S::Error>
    where
        S: Service<Request<R>, Response = Response<B>>,
        B: Body<Data = Bytes>,
    {
        let invalidating = Invalidating::new(&self.shared, Address::called(&parts));
        let response = self.ask(parts, body, Status::forwarded(Why::Method)).await;
        match &response {
            Ok(response) => {
                let (status, headers) = (response.status(), response.headers());
                invalidating.after(status, headers).await;
            }
            Err(_) => drop(invalidating),
        }
        response
    }
}

/// In a request's extensions: the caches whose layers it has gone through on its way in. One of the
/// same cache inside would wait for the answer that it is to make itself.
#[derive(Debug, Clone, Default)]
struct Inside(Vec<Arc<str>>);

impl Inside {
    fn is_noted(shared: &Shared, parts: &Parts) -> bool {
        let inside = parts.extensions.get::<Self>();
        inside.is_some_and(|Self(names)| names.contains(&shared.name))
    }

    fn note(shared: &Shared, parts: &mut Parts) {
        let Self(names) = parts.extensions.get_or_insert_default();
        names.push(Arc::clone(&shared.name));
    }
}

/// What the request asks for, and for whom; or why it may not be answered by what is stored.
async fn asking(shared: &Shared, settings: &Settings, parts: &mut Parts) -> Result<Asking, Reason> {
    let used = parts
        .extensions
        .get_or_insert_default::<SessionUse>()
        .clone();
    let was_read = used.was_read();
    let principal = match &settings.principal {
        Some(hook) => (hook.0)(parts).await,
        None => None,
    };
    // Counted and not taken off the note: a layer around this one must see what the hook has read.
    let reads = used.reads();
    let address = Address::of(parts).ok_or(Reason::Host)?;
    match principal.is_some() {
        false if was_read => return Err(Reason::Session),
        false if is_authorized(&parts.headers, &settings.credentials) => {
            return Err(Reason::Authorization);
        }
        _ => {}
    }
    Ok(Asking {
        headers: parts.headers.clone(),
        address,
        principal,
        used,
        reads,
        began: shared.now(),
    })
}
