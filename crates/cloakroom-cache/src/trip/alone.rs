//! Loads of which nothing is shared: the store is away, or what is loaded is being changed.

use super::{Loaded, Loader, Trip, gone_ahead};
use crate::{
    Error, OnUnavailable, Result,
    copy::{Arrival, Copy, From},
    stats::count,
};
use cloakroom_near::Fill;
use std::sync::Arc;

impl<V: Send + Sync + 'static> Trip<V> {
    /// Loads without the store: what it would share, this process alone has, for as long as the
    /// bound on staleness allows.
    pub(super) async fn without_store(
        &self,
        loader: Loader<V>,
        error: Error,
    ) -> Result<Arrival<V>> {
        let inner = &self.inner;
        count(&inner.counters.store_errors);
        if !error.is_unavailable() {
            return Err(error);
        }
        if self.replace.is_some() {
            return Err(gone_ahead());
        }
        let fill = inner.near.fill(self.at);
        match inner.policy.on_unavailable {
            OnUnavailable::Fail => return Err(error),
            OnUnavailable::Stale(within) => {
                let mut need = inner.need();
                need.within = within.max(need.within);
                if let Some(kept) = inner.near.find(self.at, need)
                    && inner.tags.held(&kept.value, need)
                {
                    count(&inner.counters.stale);
                    let from = From::Store;
                    return Ok(Arrival { kept, from });
                }
            }
            OnUnavailable::Load => {}
        }
        let set_out = fill.read();
        self.flight.loading(true);
        let (load, took) = match self.run(loader, None).await {
            Loaded::Value(load, took) => (load, took),
            Loaded::Failed(error) => {
                self.note_failure(&error).await;
                return Err(error);
            }
        };
        if !load.keep || !load.tags.is_empty() {
            // Whether a tag has changed can't be known.
            return Ok(self.unkept(load, set_out));
        }
        let (copy, _) = self.made(load, took, Box::default())?;
        let kept = fill.keep(Arc::new(copy), set_out);
        let from = From::Loader;
        Ok(Arrival { kept, from })
    }

    /// Loads while what is loaded is being changed: for those who wait, and nobody after them. When the
    /// mark is lifted, nobody joins any more.
    pub(super) async fn load_only(
        &self,
        loader: Loader<V>,
        fill: Fill<Copy<V>>,
    ) -> Result<Arrival<V>> {
        let set_out = fill.read();
        drop(fill);
        count(&self.inner.counters.refused);
        match self.run(loader, None).await {
            Loaded::Value(load, _) => Ok(self.unkept(load, set_out)),
            Loaded::Failed(error) => Err(error),
        }
    }
}
