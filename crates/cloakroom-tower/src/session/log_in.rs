//! A login, before it is awaited.

use crate::{
    Result,
    visit::{LogInRequest, Visit},
};
use cloakroom_core::Lifetime;
use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
};
use time::Duration;

/// A login with its options; nothing happens until it is awaited.
///
/// Made by [`Session::log_in`](crate::Session::log_in).
#[derive(Debug)]
#[must_use = "a login does nothing until it is awaited"]
pub struct LogIn {
    visit: Arc<Visit>,
    request: LogInRequest,
}

impl LogIn {
    pub(crate) fn new(visit: Arc<Visit>, user: String) -> Self {
        let request = LogInRequest {
            user,
            device: None,
            remember: false,
            lifetime: None,
        };
        Self { visit, request }
    }

    /// What to call the device in lists. An empty label is none.
    pub fn device(mut self, label: impl Into<String>) -> Self {
        self.request.device = Some(label.into()).filter(|label| !label.is_empty());
        self
    }

    /// Gives the session limits of time of its own, idle and absolute, in place of the policy's; the
    /// client keeps its cookie when it closes. The login fails with
    /// [`Invalid`](crate::ErrorKind::Invalid) if the idle window is shorter than 1 ms, or the absolute
    /// lifetime shorter than that or longer than 100 years.
    pub fn living(mut self, idle: Duration, absolute: Duration) -> Self {
        self.request.lifetime = Some(Lifetime {
            idle,
            absolute,
            remembered: true,
        });
        self
    }

    /// Remembers the user: the session lives by the application's longer limits, and the client
    /// keeps its cookie when it closes.
    pub fn remember(mut self) -> Self {
        self.request.remember = true;
        self
    }
}

impl IntoFuture for LogIn {
    type Output = Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { visit, request } = self;
        Box::pin(crate::detach(async move { visit.log_in(request).await }))
    }
}
