//! Settings of one layer.

use cloakroom_core::BoxFuture;
use http::{HeaderName, request::Parts};
use std::{fmt, future::Future, sync::Arc};
use time::Duration;

/// Settings of one layer.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) principal: Option<Hook>,
    pub(crate) credentials: Vec<HeaderName>,
    pub(crate) fresh_for: Duration,
    pub(crate) stale_while_revalidate: Duration,
    pub(crate) stale_if_error: Duration,
    pub(crate) etags: bool,
    pub(crate) ignores_requests: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            principal: None,
            credentials: Vec::new(),
            fresh_for: Duration::ZERO,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            etags: true,
            ignores_requests: false,
        }
    }
}

type Principal = dyn Fn(&Parts) -> BoxFuture<'static, Option<String>> + Send + Sync;

/// Finds whom a request is from.
#[derive(Clone)]
pub(crate) struct Hook(pub(crate) Arc<Principal>);

impl Hook {
    pub(crate) fn new<F, Fut>(of: F) -> Self
    where
        F: Fn(&Parts) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<String>> + Send + 'static,
    {
        Self(Arc::new(move |parts| Box::pin(of(parts))))
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook(…)")
    }
}
