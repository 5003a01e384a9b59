//! Counters for Prometheus.

use super::Shop;
use crate::{instance::Identity, refusal::Refusal};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use cloakroom::Sessions;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text},
    metrics::{MetricType, counter::ConstCounter, counter::Counter, family::Family},
    registry::Registry,
};
use std::{borrow::Cow, fmt, sync::Arc};

/// The format that is written.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn routes() -> Router<Arc<Shop>> {
    Router::new().route("/metrics", get(metrics))
}

/// Requests by the first digit of their status.
type ByStatus = Family<[(&'static str, String); 1], Counter>;

/// All counters of one instance.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    requests: ByStatus,
}

impl Metrics {
    pub(super) fn new(identity: &Identity, sessions: Sessions) -> Self {
        let labels = [
            (Cow::from("instance"), Cow::from(identity.name.to_string())),
            (Cow::from("version"), Cow::from(identity.version.name())),
        ];
        let mut registry = Registry::with_labels(labels.into_iter());
        let requests = ByStatus::default();
        registry.register(
            "fleet_requests",
            "Requests answered, by status",
            requests.clone(),
        );
        registry.register_collector(Box::new(SessionCounters(sessions)));
        Self { registry, requests }
    }

    /// Counts a request.
    pub(super) fn count(&self, status: StatusCode) {
        let class = format!("{}xx", status.as_u16() / 100);
        self.requests.get_or_create(&[("status", class)]).inc();
    }
}

/// Cloakroom's counters, read when somebody asks.
#[derive(Debug)]
struct SessionCounters(Sessions);

impl Collector for SessionCounters {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let stats = self.0.stats();
        for (name, help, value) in [
            ("loads", "Sessions asked of the store", stats.loads),
            (
                "loads_found",
                "Loads that found a live session",
                stats.loads_found,
            ),
            ("commits", "Writes of changed sessions", stats.commits),
            (
                "conflicts",
                "Updates tried again because another was first",
                stats.conflicts,
            ),
            ("touches", "Idle windows slid", stats.touches),
            ("created", "Sessions made", stats.created),
            ("rotated", "Ids replaced by new ones", stats.rotated),
            ("revoked", "Sessions ended", stats.revoked),
            (
                "rejected_ids",
                "Cookies that hold no id",
                stats.rejected_ids,
            ),
            (
                "gone_writes",
                "Writes that found their session ended",
                stats.gone_writes,
            ),
            (
                "store_errors",
                "Operations that the store failed",
                stats.store_errors,
            ),
        ] {
            let name = format!("cloakroom_{name}");
            let metric = encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(metric)?;
        }
        Ok(())
    }
}

async fn metrics(State(shop): State<Arc<Shop>>) -> Result<impl IntoResponse, Refusal> {
    let mut body = String::new();
    match text::encode(&mut body, &shop.metrics.registry) {
        Ok(()) => Ok(([(CONTENT_TYPE, OPEN_METRICS)], body)),
        Err(_) => Err(Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "can't write the metrics",
        )),
    }
}
