//! What a request that may have changed something makes invalid: RFC 9111, section 4.4.

use super::{asking::Address, layer::Shared};
use crate::Tag;
use http::{HeaderMap, StatusCode, header};
use std::sync::Arc;
use tokio::runtime::Handle;

/// Sees to it that what is stored of an address goes, also if nobody learns how the handler ended.
pub(crate) struct Invalidating {
    shared: Arc<Shared>,
    address: Address,
    open: bool,
}

impl Invalidating {
    pub(crate) fn new(shared: &Arc<Shared>, address: Address) -> Self {
        Self {
            shared: Arc::clone(shared),
            address,
            open: true,
        }
    }

    /// The handler has answered. Returns when the store was told, or could not be.
    pub(crate) async fn after(mut self, status: StatusCode, headers: &HeaderMap) {
        self.open = false;
        if status.is_success() || status.is_redirection() {
            let named = [header::LOCATION, header::CONTENT_LOCATION];
            let named = named.into_iter().filter_map(|name| {
                let other = headers.get(name)?.to_str().ok()?;
                self.address.tag_beside(self.shared.name(), other)
            });
            let own = self.address.tag(self.shared.name());
            let tags = [own].into_iter().chain(named).collect();
            // In a task: the client may go away, and the change has happened.
            let _ = tokio::spawn(invalidate(Arc::clone(&self.shared), tags)).await;
        }
    }
}

impl Drop for Invalidating {
    fn drop(&mut self) {
        if self.open
            && let Ok(runtime) = Handle::try_current()
        {
            let tags = vec![self.address.tag(self.shared.name())];
            runtime.spawn(invalidate(Arc::clone(&self.shared), tags));
        }
    }
}

async fn invalidate(shared: Arc<Shared>, tags: Vec<Tag>) {
    for tag in tags {
        if let Err(error) = shared.cache.invalidate_tag(tag).await {
            // It is told again until it has been.
            tracing::debug!(%error, "the store was not told of a change");
        }
    }
}
