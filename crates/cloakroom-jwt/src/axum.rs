//! The extractor and responses for axum.

use crate::{Jwks, Refusal, Registered, Verified, Verifier, bearer};
use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header, request::Parts};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny},
};

/// The token of a request, with the application's own claims as `C`.
///
/// From a route inside [`Verifier::layer`], or inside `Extension(verifier)`, where routes that don't
/// ask for a token are open to everybody. `Option<AccessToken>` is `None` for a request without a
/// token; one with a token that is not accepted is still refused.
///
/// ```
/// use axum::{Extension, Router, routing::get};
/// use cloakroom_jwt::{AccessToken, KeyRing, Refusal, SigningKey, Tokens};
/// # #[derive(serde::Serialize, serde::Deserialize)] struct Plan { seats: u32 }
///
/// async fn seats(token: AccessToken<Plan>) -> Result<String, Refusal> {
///     token.require_scope("seats:read")?;           // or 403
///     Ok(format!("{} has {}", token.registered().subject, token.app.seats))
/// }
///
/// let ring = KeyRing::new(SigningKey::generate()?);
/// let tokens = Tokens::builder(ring, "https://login.example").audience("shop").build()?;
/// let app: Router = Router::new()
///     .route("/seats", get(seats))
///     .layer(Extension(tokens.verifier()));
/// # let _ = app;
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # let answer = tower::ServiceExt::oneshot(app, http::Request::get("/seats").body(axum::body::Body::empty()).unwrap());
/// # assert_eq!(runtime.block_on(answer).unwrap().status(), 401);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AccessToken<C = AnyClaims> {
    /// The application's own claims.
    pub app: C,
    token: Verified,
}

impl<C> AccessToken<C> {
    /// The claims of fixed meaning.
    #[must_use]
    pub fn registered(&self) -> &Registered {
        self.token.registered()
    }

    /// Refuses if the token lacks this scope.
    ///
    /// # Errors
    ///
    /// [`Refusal::Scope`], which answers 403 and names the scope.
    pub fn require_scope(&self, scope: &str) -> Result<(), Refusal> {
        self.token.require_scope(scope)
    }
}

/// The application's claims for a handler that doesn't read them: whatever there is, or nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AnyClaims;

impl<'de> Deserialize<'de> for AnyClaims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// What the layer has put there, or what the verifier that is there accepts.
async fn verified(parts: &mut Parts) -> Result<Verified, Refusal> {
    if let Some(token) = parts.extensions.get::<Verified>() {
        return Ok(token.clone());
    }
    let verifier = parts.extensions.get::<Verifier>().cloned();
    let verifier = verifier.ok_or(Refusal::MissingLayer)?;
    let token = bearer::token(&parts.headers, &parts.uri)?;
    let token = verifier.verify(token).await?;
    // For the request's next extractor.
    parts.extensions.insert(token.clone());
    Ok(token)
}

impl<S: Send + Sync, C: DeserializeOwned> FromRequestParts<S> for AccessToken<C> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let token = verified(parts).await?;
        let app = token.app()?;
        Ok(Self { app, token })
    }
}

impl<S: Send + Sync, C: DeserializeOwned> OptionalFromRequestParts<S> for AccessToken<C> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Refusal> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(token) => Ok(Some(token)),
            Err(Refusal::Missing) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.response()
    }
}

impl IntoResponse for Jwks {
    fn into_response(self) -> Response {
        let mut response = self.to_string().into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/jwk-set+json");
        headers.insert(header::CONTENT_TYPE, json);
        let age = HeaderValue::try_from(format!("public, max-age={}", Self::MAX_AGE));
        if let Ok(age) = age {
            headers.insert(header::CACHE_CONTROL, age);
        }
        response
    }
}
