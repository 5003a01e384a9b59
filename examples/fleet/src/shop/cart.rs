//! The cart and a counter: attributes that many requests change at once.

use super::{
    Answer, Shop,
    fields::{Fields, text},
};
use crate::refusal::Refusal;
use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use cloakroom::{Key, Session};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const CART: Key<Vec<String>> = Key::new("cart");
const COUNTER: Key<u64> = Key::new("counter");

pub(super) fn routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/cart", get(list).post(add))
        .route("/counter", post(count))
}

#[derive(Debug, Deserialize)]
struct Item {
    item: String,
}

#[derive(Debug, Serialize)]
struct Cart {
    items: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Counted {
    n: u64,
}

/// Works without a login: the cart is the session's.
async fn list(State(shop): State<Arc<Shop>>, session: Session) -> Answer<Cart> {
    let items = session.get(CART)?.unwrap_or_default();
    Ok(Json(shop.served(Cart { items })))
}

/// Appends: of two requests at once, neither loses its item.
async fn add(
    State(shop): State<Arc<Shop>>,
    session: Session,
    Fields(form): Fields<Item>,
) -> Answer<Cart> {
    let item = text("item", &form.item, 1..=200)?;
    let append = |cart: &mut Vec<String>| cart.push(item.clone());
    let items = session.update(CART, append).await?;
    Ok(Json(shop.served(Cart { items })))
}

async fn count(session: Session) -> Result<Json<Counted>, Refusal> {
    let n = session.update(COUNTER, |n: &mut u64| *n += 1).await?;
    Ok(Json(Counted { n }))
}
