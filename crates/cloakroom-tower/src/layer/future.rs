//! The second half of a request's way: from the handler's response to the client.

use super::response::respond;
use crate::{
    detach,
    visit::{Farewell, Visit},
};
use http::Response;
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

pin_project! {
    /// The response of [`SessionsService`](crate::SessionsService): the handler's, then the commit.
    ///
    /// A commit that has begun is carried to its end though this is dropped.
    pub struct ResponseFuture<F: Future> {
        #[pin]
        handler: F,
        visit: Arc<Visit>,
        commit: Option<(F::Output, Commit)>,
    }
}

type Commit = Pin<Box<dyn Future<Output = Farewell> + Send>>;

impl<F: Future> ResponseFuture<F> {
    pub(super) fn new(handler: F, visit: Arc<Visit>) -> Self {
        Self {
            handler,
            visit,
            commit: None,
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.commit.is_none() {
            let response = ready!(this.handler.poll(cx))?;
            let plan = this.visit.decide(response.status());
            if let Some(farewell) = this.visit.apply_now(plan) {
                return Poll::Ready(Ok(respond(response, &this.visit.sessions, farewell)));
            }
            let visit = Arc::clone(this.visit);
            let apply = detach(async move { visit.apply(plan).await });
            *this.commit = Some((Ok(response), Box::pin(apply)));
        }
        let Some((_, commit)) = this.commit else {
            return Poll::Pending;
        };
        let farewell = ready!(commit.as_mut().poll(cx));
        let sessions = &this.visit.sessions;
        match this.commit.take() {
            Some((response, _)) => {
                Poll::Ready(response.map(|response| respond(response, sessions, farewell)))
            }
            None => Poll::Pending,
        }
    }
}

impl<F: Future> std::fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
