//! The tower layer: no request passes without a token.

mod future;
mod service;

pub use future::TokenFuture;
pub use service::TokenService;

use crate::Verifier;
use std::sync::Arc;
use tower_layer::Layer;

/// Lets requests with a good token pass, and answers all others as RFC 6750 says, over any service
/// and any body. Made by [`Verifier::layer`].
///
/// The [`Verified`](crate::Verified) token is in the request's extensions; with the feature `axum`,
/// `AccessToken` takes it from there.
///
/// ```
/// use cloakroom_jwt::{Grant, KeyRing, SigningKey, Tokens, Verified};
/// use http::{Request, Response};
/// use tower::{Layer as _, ServiceExt as _, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let ring = KeyRing::new(SigningKey::generate()?);
/// let tokens = Tokens::builder(ring, "https://login.example").audience("shop").build()?;
/// let service = tokens.verifier().layer().layer(service_fn(async |request: Request<()>| {
///     let token = request.extensions().get::<Verified>().expect("the layer is there");
///     Ok::<_, std::io::Error>(Response::new(token.registered().subject.clone()))
/// }));
///
/// let bearer = format!("Bearer {}", tokens.issue(&Grant::new("alice"))?.token());
/// let request = Request::builder().header("authorization", bearer).body(())?;
/// assert_eq!(service.clone().oneshot(request).await?.body(), "alice");
/// assert_eq!(service.oneshot(Request::new(())).await?.status(), 401);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct TokenLayer {
    verifier: Verifier,
    scope: Option<Arc<str>>,
}

impl TokenLayer {
    pub(crate) fn new(verifier: Verifier) -> Self {
        Self {
            verifier,
            scope: None,
        }
    }

    /// Lets only tokens with this scope pass; others are answered with 403.
    #[must_use]
    pub fn require_scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.into());
        self
    }
}

impl<S> Layer<S> for TokenLayer {
    type Service = TokenService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TokenService::new(inner, self)
    }
}
