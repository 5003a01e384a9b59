//! Health checks: who takes part in the rotation.

use super::{
    Balancer,
    slot::{Slot, StoreHealth},
};
use axum::body::Body;
use http::Uri;
use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often each instance is asked.
const INTERVAL: Duration = Duration::from_millis(250);

/// How long it may take to answer.
const LIMIT: Duration = Duration::from_millis(500);

/// The longest answer that is read, in bytes.
const LONGEST: usize = 4096;

/// What `/healthz` says.
#[derive(Debug, Deserialize)]
struct Answer {
    ready: bool,
    store: StoreHealth,
}

/// Asks every instance again and again, each by a task of its own: one that hangs delays no
/// other's check. The tasks end with the balancer.
pub(super) fn watch(balancer: &Arc<Balancer>) {
    for index in 0..balancer.slots.len() {
        let balancer = Arc::downgrade(balancer);
        tokio::spawn(async move {
            let mut ticks = interval(INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let Some(balancer) = balancer.upgrade() else {
                    return;
                };
                balancer.check(index).await;
            }
        });
    }
}

impl Balancer {
    /// Asks one instance now.
    pub(super) async fn check(&self, index: usize) {
        if let Some(slot) = self.slots.get(index) {
            check(&self.client, slot).await;
        }
    }
}

async fn check(client: &Client<HttpConnector, Body>, slot: &Slot) {
    let Some(port) = slot.port_to_check() else {
        return;
    };
    match timeout(LIMIT, ask(client, port)).await.ok().flatten() {
        Some(answer) => slot.judge(answer.ready, Some(answer.store)),
        None => slot.judge(false, None),
    }
}

/// An answer that makes sense, or `None`.
async fn ask(client: &Client<HttpConnector, Body>, port: u16) -> Option<Answer> {
    let uri: Uri = format!("http://127.0.0.1:{port}/healthz").parse().ok()?;
    let response = client.get(uri).await.ok()?;
    let body = Limited::new(response.into_body(), LONGEST);
    let bytes = body.collect().await.ok()?.to_bytes();
    serde_json::from_slice(&bytes).ok()
}
