//! The tower layer: the way of a request.
//!
//! ```text
//! cookie → id            Transport::read        service.rs
//! id → session           Visit::new, no I/O     service.rs
//! handler                the inner service
//! decide                 decide::decide, pure   future.rs
//! apply                  Visit::apply           future.rs
//! cookie                 Transport::write       response.rs
//! ```

mod future;
mod response;
mod service;

pub use future::ResponseFuture;
pub use response::SessionFailure;
pub use service::SessionsService;

use crate::{Sessions, bridge::Bridge};
use std::sync::Arc;
use time::Duration;
use tower_layer::Layer;

/// Gives each request its session, over any service and any body.
///
/// Made by [`Sessions::layer`]. Puts a [`LazySession`](crate::LazySession) into the request's
/// extensions; asks the store for nothing before the session is used.
///
/// ```
/// use cloakroom_tower::{Key, LazySession, MemoryStore, Sessions};
/// use http::{Request, Response};
/// use tower::{Layer as _, ServiceExt as _, service_fn};
///
/// const SEEN: Key<bool> = Key::new("seen");
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cloakroom_tower::Result<()> {
/// let sessions = Sessions::builder(MemoryStore::new()).build().await?;
/// let service = sessions.layer().layer(service_fn(async |request: Request<()>| {
///     let session = request.extensions().get::<LazySession>().expect("the layer is there");
///     session.insert(SEEN, &true).map(|()| Response::new(String::new()))
/// }));
/// let response = service.oneshot(Request::new(())).await?;
/// assert!(response.headers()["set-cookie"].to_str().unwrap().starts_with("__Host-id="));
/// assert_eq!(response.headers()["cache-control"], "no-store");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SessionsLayer {
    sessions: Sessions,
    max_staleness: Option<Duration>,
    bridges: Arc<[Arc<dyn Bridge>]>,
}

impl SessionsLayer {
    pub(crate) fn new(sessions: Sessions) -> Self {
        Self {
            sessions,
            max_staleness: None,
            bridges: Arc::default(),
        }
    }

    /// Allows reads through this layer another staleness than the
    /// [service](crate::SessionsBuilder::max_staleness) does. Zero asks the store each time.
    #[must_use]
    pub fn max_staleness(mut self, within: Duration) -> Self {
        self.max_staleness = Some(within);
        self
    }

    /// Serves handlers that hold another crate's session, too: the [bridge](crate::bridge) puts it
    /// beside ours.
    #[must_use]
    pub fn bridge(mut self, bridge: impl Bridge) -> Self {
        let bridges = self.bridges.iter().cloned();
        self.bridges = bridges
            .chain([Arc::new(bridge) as Arc<dyn Bridge>])
            .collect();
        self
    }
}

impl<S> Layer<S> for SessionsLayer {
    type Service = SessionsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionsService::new(inner, self)
    }
}
