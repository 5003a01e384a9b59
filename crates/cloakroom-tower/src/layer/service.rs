//! The first half of a request's way: from the cookie to the handler.

use super::{ResponseFuture, SessionsLayer};
use crate::{LazySession, Sessions, bridge::Bridge, stats, transport::Presented, visit::Visit};
use cloakroom_core::SessionUse;
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
    bridges: Arc<[Arc<dyn Bridge>]>,
}

impl<S> SessionsService<S> {
    pub(super) fn new(inner: S, layer: &SessionsLayer) -> Self {
        Self {
            inner,
            sessions: layer.sessions.clone(),
            max_staleness: layer.max_staleness,
            bridges: Arc::clone(&layer.bridges),
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
            .read(request.headers_mut(), |text| inner.parse(text));
        if presented == Presented::Rejected {
            stats::count(&inner.counters.rejected_ids);
            tracing::debug!("a malformed or ambiguous session id was ignored");
        }
        let within = self.max_staleness.unwrap_or(inner.policy.max_staleness);
        let extensions = request.extensions_mut();
        let used = extensions.get_or_insert_default::<SessionUse>().clone();
        let visit = match presented {
            Presented::Id(id) => {
                let need = inner.policy.freshness(within);
                Visit::new(self.sessions.clone(), id, seen, need, used)
            }
            Presented::Nothing | Presented::Rejected => {
                Visit::anonymous(self.sessions.clone(), used)
            }
        };
        let session = LazySession::new(Arc::clone(&visit));
        let enter = |bridge: &Arc<dyn Bridge>| bridge.enter(&session, extensions);
        let crossings = self.bridges.iter().flat_map(enter).collect();
        extensions.insert(session);
        ResponseFuture::new(self.inner.call(request), visit, crossings)
    }
}
