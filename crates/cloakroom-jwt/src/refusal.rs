//! Why a token is not accepted, and what the client is told.

use http::{HeaderValue, Response, StatusCode, header};

/// Why a request's token is not accepted. No refusal holds anything of the token.
///
/// Refused tokens are expected; this is a value to answer with, and to count. By RFC 6750:
///
/// | refusal | status | `WWW-Authenticate: Bearer` … |
/// |---|---|---|
/// | [`Missing`](Self::Missing) | 401 | |
/// | [`Request`](Self::Request) | 400 | `error="invalid_request"` |
/// | [`Scope`](Self::Scope) | 403 | `error="insufficient_scope", scope="…"` |
/// | [`Unavailable`](Self::Unavailable) | 503 | none, but `Retry-After` |
/// | [`MissingLayer`](Self::MissingLayer) | 500 | none |
/// | all others | 401 | `error="invalid_token"` |
///
/// ```
/// use cloakroom_jwt::Refusal;
///
/// let response = Refusal::Expired.response::<String>();
/// assert_eq!(response.status(), 401);
/// assert_eq!(
///     response.headers()["www-authenticate"],
///     r#"Bearer error="invalid_token", error_description="the token has expired""#,
/// );
/// assert!(matches!(response.extensions().get(), Some(Refusal::Expired)));   // for logs
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Refusal {
    /// The request bears no token.
    Missing,
    /// The request bears a token in a malformed header, in several, or in its query as well.
    Request,
    /// Longer than [`MAX_TOKEN`](crate::MAX_TOKEN).
    TooLong,
    /// Not three segments.
    Segments,
    /// A segment is not base64url, unpadded, in its one canonical spelling.
    Encoding,
    /// The header or the payload is no JSON object, nests too deeply, or names a member twice.
    Json,
    /// Not signed by `EdDSA`.
    Algorithm,
    /// Not of the type `at+jwt`.
    Type,
    /// The header demands an extension.
    Critical,
    /// The header names no key of the ring.
    UnknownKey,
    /// The key's time is over.
    RetiredKey,
    /// The key has not signed this.
    Signature,
    /// This claim is missing, or not of its type.
    Claim(&'static str),
    /// Expired.
    Expired,
    /// Not valid yet, or issued in the future.
    NotYet,
    /// Would live for longer than [`MAX_LIFE`](crate::MAX_LIFE).
    LongLived,
    /// From another issuer.
    Issuer,
    /// For another service.
    Audience,
    /// Revoked since it was issued.
    Revoked,
    /// The token is good, and this scope is missing.
    Scope(Box<str>),
    /// Whether it was revoked can't be found out now.
    Unavailable(cloakroom_core::Error),
    /// The route has no verifier: a fault of the application.
    MissingLayer,
}

impl Refusal {
    /// The status to answer with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Request => StatusCode::BAD_REQUEST,
            Self::Scope(_) => StatusCode::FORBIDDEN,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::MissingLayer => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    /// What `WWW-Authenticate` says, if anything.
    #[must_use]
    pub fn challenge(&self) -> Option<HeaderValue> {
        Some(match self {
            Self::Unavailable(_) | Self::MissingLayer => return None,
            Self::Missing => HeaderValue::from_static("Bearer"),
            Self::Request => HeaderValue::from_static(r#"Bearer error="invalid_request""#),
            Self::Scope(scope) => insufficient(scope),
            Self::Expired => HeaderValue::from_static(
                r#"Bearer error="invalid_token", error_description="the token has expired""#,
            ),
            Self::Revoked => HeaderValue::from_static(
                r#"Bearer error="invalid_token", error_description="the token was revoked""#,
            ),
            _ => HeaderValue::from_static(r#"Bearer error="invalid_token""#),
        })
    }

    /// The whole answer: an empty body that no cache keeps, with the refusal in its extensions.
    #[must_use]
    pub fn response<B: Default>(self) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge() {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if matches!(self, Self::Unavailable(_)) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        self.log();
        response.extensions_mut().insert(self);
        response
    }

    fn log(&self) {
        match self {
            Self::MissingLayer => tracing::error!("{self}"),
            Self::Unavailable(error) => tracing::warn!(%error, "{self}"),
            _ => tracing::debug!("a request was refused: {self}"),
        }
    }
}

/// A scope that can't stand in the header is left out.
fn insufficient(scope: &str) -> HeaderValue {
    const ERROR: &str = r#"Bearer error="insufficient_scope""#;
    let told = crate::scope::is_scope(scope)
        .then(|| HeaderValue::from_str(&format!(r#"{ERROR}, scope="{scope}""#)).ok());
    told.flatten().unwrap_or(HeaderValue::from_static(ERROR))
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is no token",
            Self::Request => "the token is not in one well-formed Authorization header",
            Self::TooLong => "the token is too long",
            Self::Segments => "the token has not three segments",
            Self::Encoding => "a segment is not canonical base64url",
            Self::Json => "a segment is not an unambiguous JSON object",
            Self::Algorithm => "the token is not signed by EdDSA",
            Self::Type => "the token is not of the type at+jwt",
            Self::Critical => "the token demands an extension",
            Self::UnknownKey => "the token names no key of ours",
            Self::RetiredKey => "the token's key has been retired",
            Self::Signature => "the signature is wrong",
            Self::Claim(name) => return write!(f, "the claim {name} is missing or malformed"),
            Self::Expired => "the token has expired",
            Self::NotYet => "the token is not valid yet",
            Self::LongLived => "the token would live too long",
            Self::Issuer => "the token is from another issuer",
            Self::Audience => "the token is for another service",
            Self::Revoked => "the token was revoked",
            Self::Scope(_) => "the token lacks a scope",
            Self::Unavailable(_) => "whether the token was revoked can't be found out",
            Self::MissingLayer => {
                "this route has no verifier: add `.layer(verifier.layer())` or \
                 `.layer(Extension(verifier))` to its router, below the route"
            }
        })
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unavailable(error) => Some(error),
            _ => None,
        }
    }
}
