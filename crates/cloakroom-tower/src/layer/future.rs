//! The second half of a request's way: from the handler's response to the client.

use super::response::respond;
use crate::{
    bridge::{self, Crossing},
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
    pub struct ResponseFuture<F, B> {
        #[pin]
        handler: F,
        visit: Arc<Visit>,
        crossings: Vec<Box<dyn Crossing>>,
        commit: Option<(Response<B>, Commit)>,
    }
}

type Commit = Pin<Box<dyn Future<Output = Farewell> + Send>>;

impl<F, B> ResponseFuture<F, B> {
    pub(super) fn new(handler: F, visit: Arc<Visit>, crossings: Vec<Box<dyn Crossing>>) -> Self {
        Self {
            handler,
            visit,
            crossings,
            commit: None,
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (response, mut commit) = match this.commit.take() {
            Some(under_way) => under_way,
            None => {
                let response = ready!(this.handler.poll(cx))?;
                let (visit, status) = (Arc::clone(this.visit), response.status());
                if let Some(brought) = bridge::leave(this.crossings, status) {
                    let land = async move {
                        match brought.await {
                            Ok(()) => visit.apply(visit.decide(status)).await,
                            Err(error) => visit.refuse(error).await,
                        }
                    };
                    (response, Box::pin(detach(land)) as Commit)
                } else {
                    let plan = visit.decide(status);
                    if let Some(farewell) = visit.apply_now(plan) {
                        return Poll::Ready(Ok(respond(response, &visit.sessions, farewell)));
                    }
                    let apply = async move { visit.apply(plan).await };
                    (response, Box::pin(detach(apply)) as Commit)
                }
            }
        };
        match commit.as_mut().poll(cx) {
            Poll::Ready(farewell) => {
                Poll::Ready(Ok(respond(response, &this.visit.sessions, farewell)))
            }
            Poll::Pending => {
                *this.commit = Some((response, commit));
                Poll::Pending
            }
        }
    }
}

impl<F, B> std::fmt::Debug for ResponseFuture<F, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
