//! From the request's header to the handler.

use super::{TokenFuture, TokenLayer};
use crate::{Refusal, Verified, Verifier, bearer};
use http::{Request, Response};
use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;

/// The service that [`TokenLayer`] makes.
#[derive(Debug, Clone)]
pub struct TokenService<S> {
    inner: S,
    verifier: Verifier,
    scope: Option<Arc<str>>,
}

impl<S> TokenService<S> {
    pub(super) fn new(inner: S, layer: &TokenLayer) -> Self {
        Self {
            inner,
            verifier: layer.verifier.clone(),
            scope: layer.scope.clone(),
        }
    }

    /// All that can be said without waiting; `None` beside the token if revocation must be asked for.
    fn look<B>(&self, request: &Request<B>) -> Result<(Verified, Option<()>), Refusal> {
        let token = bearer::token(request.headers(), request.uri())?;
        let token = self.verifier.verify_ignoring_revocation(token)?;
        let known = self.verifier.known(&token).transpose()?;
        if let (Some(()), Some(scope)) = (known, &self.scope) {
            token.require_scope(scope)?;
        }
        Ok((token, known))
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for TokenService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = TokenFuture<S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let (token, known) = match self.look(&request) {
            Ok(found) => found,
            Err(refusal) => return TokenFuture::refused(refusal),
        };
        request.extensions_mut().insert(token.clone());
        if known.is_some() {
            return TokenFuture::passed(self.inner.call(request));
        }
        // The service that was made ready goes with the request; its clone is to be made ready anew.
        let clone = self.inner.clone();
        let ready = mem::replace(&mut self.inner, clone);
        let (verifier, scope) = (self.verifier.clone(), self.scope.clone());
        let ask = async move {
            verifier.ask(&token).await?;
            scope.map_or(Ok(()), |scope| token.require_scope(&scope))
        };
        TokenFuture::asked(Box::pin(ask), ready, request)
    }
}
