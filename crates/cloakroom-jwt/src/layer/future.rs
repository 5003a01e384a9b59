//! The way of a request through the layer.

use crate::Refusal;
use cloakroom_core::BoxFuture;
use http::{Request, Response};
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower_service::Service;

pin_project! {
    /// The response of [`TokenService`](crate::TokenService): the handler's, or the refusal's.
    pub struct TokenFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, S::Future, B>,
    }
}

pin_project! {
    #[project = Now]
    enum State<S, F, B> {
        Refused { refusal: Option<Refusal> },
        Asked {
            answer: BoxFuture<'static, Result<(), Refusal>>,
            // With the service that is ready for it; gone once it was called.
            call: Option<(S, Request<B>)>,
        },
        Passed { #[pin] handler: F },
    }
}

impl<S: Service<Request<B>>, B> TokenFuture<S, B> {
    pub(super) fn refused(refusal: Refusal) -> Self {
        let refusal = Some(refusal);
        let state = State::Refused { refusal };
        Self { state }
    }

    pub(super) fn asked(
        answer: BoxFuture<'static, Result<(), Refusal>>,
        service: S,
        request: Request<B>,
    ) -> Self {
        let call = Some((service, request));
        let state = State::Asked { answer, call };
        Self { state }
    }

    pub(super) fn passed(handler: S::Future) -> Self {
        let state = State::Passed { handler };
        Self { state }
    }
}

impl<S, B, R> Future for TokenFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                Now::Passed { handler } => return handler.poll(cx),
                Now::Refused { refusal } => match refusal.take() {
                    Some(refusal) => return Poll::Ready(Ok(refusal.response())),
                    None => return Poll::Pending,
                },
                Now::Asked { answer, call } => {
                    match (ready!(answer.as_mut().poll(cx)), call.take()) {
                        (Ok(()), Some((mut service, request))) => {
                            let handler = service.call(request);
                            State::Passed { handler }
                        }
                        (Err(refusal), _) => State::Refused {
                            refusal: Some(refusal),
                        },
                        (Ok(()), None) => return Poll::Pending,
                    }
                }
            };
            state.set(next);
        }
    }
}

impl<S: Service<Request<B>>, B> std::fmt::Debug for TokenFuture<S, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenFuture").finish_non_exhaustive()
    }
}
