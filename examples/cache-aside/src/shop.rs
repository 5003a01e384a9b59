//! One instance of the shop: what an application writes.

use crate::database::{Database, Product};
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use cloakroom::cache::Cache;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// What the handlers of one instance share.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) database: Arc<Database>,
    pub(crate) products: Cache<u32, Product>,
    /// Whether reads go through the cache: the same for all instances.
    pub(crate) cached: Arc<AtomicBool>,
}

/// A new price.
#[derive(Deserialize)]
struct Price {
    cents: i64,
}

impl Shop {
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/products/{id}", get(product))
            .route("/products/{id}/price", post(set_price))
            .route("/cache/{choice}", post(choose))
            .route("/counts", get(counts))
            .with_state(self)
    }
}

/// The product's page. With the cache it is loaded once for all instances, whoever asks.
async fn product(State(shop): State<Shop>, Path(id): Path<u32>) -> Response {
    let database = shop.database;
    if !shop.cached.load(Relaxed) {
        return page(database.product(id).await);
    }
    let load = move || database.product(id);
    match shop.products.find_or_load(&id, load).await {
        Ok(product) => page(Ok::<_, String>(product.as_deref())),
        Err(error) => page(Err::<Option<()>, _>(error)),
    }
}

/// Changes a price, with or without the cache: who switches it on again must find nothing old.
async fn set_price(
    State(shop): State<Shop>,
    Path(id): Path<u32>,
    Query(price): Query<Price>,
) -> Response {
    let change = || shop.database.set_price(id, price.cents);
    page(shop.products.write(&id, change).await)
}

/// Switches the cache on or off, for all instances.
async fn choose(State(shop): State<Shop>, Path(choice): Path<String>) -> StatusCode {
    match choice.as_str() {
        "on" => shop.cached.store(true, Relaxed),
        "off" => shop.cached.store(false, Relaxed),
        _ => return StatusCode::NOT_FOUND,
    }
    StatusCode::NO_CONTENT
}

/// What this instance's cache has done, and how often all have asked the database.
async fn counts(State(shop): State<Shop>) -> Json<BTreeMap<&'static str, u64>> {
    let mut counts: BTreeMap<_, _> = shop.products.stats().iter().collect();
    counts.insert("database_loads", shop.database.loads());
    Json(counts)
}

fn page<T: serde::Serialize>(found: Result<Option<T>, impl Display>) -> Response {
    match found {
        Ok(Some(found)) => Json(found).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}
