//! The balancer: spreads requests over the instances, and lets a person pull at them.
//!
//! It is deliberately simple, and knows nothing of sessions: what makes a login survive every
//! hop is Cloakroom in the instances.

mod admin;
mod client_id;
mod control;
mod forward;
mod guard;
mod headers;
mod health;
mod held;
mod lend;
mod pick;
mod recent;
mod slot;
mod split;
#[cfg(test)]
mod tests;

pub(crate) use split::Split;

use crate::{
    failure::Failure, instance::Identity, options::FleetOptions, refusal::Refusal, store,
    version::Version,
};
use axum::{Router, body::Body};
use cloakroom::SessionStore;
use control::StartError;
use futures_util::future::join_all;
use http::HeaderMap;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use pick::Turns;
use recent::Recent;
use slot::Slot;
use split::CurrentSplit;
use std::{sync::Arc, time::Duration};

/// How long connecting to an instance may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// What the balancer's routes share.
#[derive(Debug)]
pub(crate) struct Balancer {
    slots: Vec<Slot>,
    split: CurrentSplit,
    turns: Turns,
    recent: Recent,
    client: Client<HttpConnector, Body>,
    store: Arc<dyn SessionStore>,
    store_kind: &'static str,
}

impl Balancer {
    /// Starts all instances, and the checks of their health.
    ///
    /// # Errors
    ///
    /// A [`Failure`] if an instance can't start.
    pub(crate) async fn start(
        options: &FleetOptions,
        store: Arc<dyn SessionStore>,
    ) -> Result<Arc<Self>, Failure> {
        let balancer = Arc::new(Self {
            slots: slots(options.instances),
            split: CurrentSplit::new(options.split),
            turns: Turns::default(),
            recent: Recent::default(),
            client: client(),
            store,
            store_kind: options.store.kind(),
        });
        for slot in &balancer.slots {
            let started = slot.start(balancer.store.clone()).await;
            started.map_err(|error| refused(&error))?;
        }
        health::watch(&balancer);
        Ok(balancer)
    }

    /// All places for instances.
    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Ends the event streams of all instances.
    pub(crate) fn close_streams(&self) {
        self.slots.iter().for_each(Slot::close_streams);
    }

    /// Stops all instances.
    pub(crate) async fn stop(&self) {
        join_all(self.slots.iter().map(Slot::stop)).await;
    }

    /// Where a client belongs, and the cookie that keeps it there if it has none yet.
    fn place(&self, headers: &HeaderMap) -> Result<split::Placement, Refusal> {
        split::place(self.split.get(), headers).map_err(|error| {
            tracing::error!(%error, "no randomness for a client's cookie");
            Refusal::new(http::StatusCode::INTERNAL_SERVER_ERROR, "out of randomness")
        })
    }
}

/// Why the fleet can't start.
fn refused(error: &StartError) -> Failure {
    match error {
        StartError::Port(_) => Failure::start(error.to_string()),
        StartError::Sessions(error) => store::unusable(error),
    }
}

/// The balancer's routes: its own under `/admin`, all others forwarded.
pub(crate) fn router(balancer: Arc<Balancer>) -> Router {
    Router::new()
        .nest("/admin", admin::routes())
        .fallback(forward::forward)
        .with_state(balancer)
}

/// Places for `count` instances: the first half blue, the rest green.
fn slots(count: usize) -> Vec<Slot> {
    let blue = count.div_ceil(2);
    (0..count)
        .map(|index| {
            let (version, number) = match index.checked_sub(blue) {
                None => (Version::V1, index + 1),
                Some(green) => (Version::V2, green + 1),
            };
            let name = format!("{}-{number}", version.colour()).into();
            Slot::new(index, Identity { name, version })
        })
        .collect()
}

/// The client towards the instances. It never sends a request again that an instance may have
/// seen.
fn client() -> Client<HttpConnector, Body> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_LIMIT));
    Client::builder(TokioExecutor::new()).build(connector)
}
