//! The first half of a request's way: from the cookie to the handler.

use super::ResponseFuture;
use crate::{LazySession, Sessions, stats, transport::Presented, visit::Visit};
use http::{Request, Response};
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use time::Duration;
use tower_service::Service;

/// The service that [`SessionsLayer`](crate::SessionsLayer) makes.
#[derive(Debug, Clone)]
pub struct SessionsService<S> {
    inner: S,
    sessions: Sessions,
    max_staleness: Option<Duration>,
}

impl<S> SessionsService<S> {
    pub(super) fn new(inner: S, sessions: Sessions, max_staleness: Option<Duration>) -> Self {
        Self {
            inner,
            sessions,
            max_staleness,
        }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for SessionsService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let inner = &self.sessions.0;
        let (presented, seen) = inner
            .transport
            .read(request.headers_mut(), inner.store.buckets());
        if presented == Presented::Rejected {
            stats::count(&inner.counters.rejected_ids);
            tracing::debug!("a malformed or ambiguous session id was ignored");
        }
        let within = self.max_staleness.unwrap_or(inner.policy.max_staleness);
        let visit = match presented {
            Presented::Id(id) => {
                let need = inner.policy.freshness(within);
                Visit::new(self.sessions.clone(), id, seen, need)
            }
            Presented::Nothing | Presented::Rejected => Visit::anonymous(self.sessions.clone()),
        };
        request
            .extensions_mut()
            .insert(LazySession::new(Arc::clone(&visit)));
        ResponseFuture::new(self.inner.call(request), visit)
    }
}
