//! Server-sent events of a session: tells a page at once that it was logged out elsewhere.

use super::{Nothing, Shop};
use crate::{
    instance::{LifeWatch, Phase},
    refusal::Refusal,
};
use axum::{
    Router,
    extract::State,
    response::{
        Sse,
        sse::{Event, KeepAlive},
    },
    routing::get,
};
use cloakroom::{Over, Session};
use futures_util::{Stream, stream};
use serde::Serialize;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};

/// How often a quiet stream shows that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How long a stream lasts at most; browsers then ask again.
const LONGEST: Duration = Duration::from_secs(60 * 60);

pub(super) fn routes() -> Router<Arc<Shop>> {
    Router::new().route("/events", get(events))
}

#[derive(Debug, Serialize)]
struct Opening<'a> {
    user: &'a str,
}

async fn events(
    State(shop): State<Arc<Shop>>,
    session: Session,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let user = shop.user(&session)?;
    let watch = Watch {
        opening: Some(shop.served(Opening { user: &user })).map(|body| event("session", &body)),
        session,
        life: shop.life.clone(),
        until: Instant::now() + LONGEST,
        ended: false,
    };
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(stream::unfold(watch, Watch::next)).keep_alive(keep_alive))
}

/// An event with JSON in it.
fn event(name: &str, body: &impl Serialize) -> Event {
    let event = Event::default().event(name);
    event.clone().json_data(body).unwrap_or(event)
}

/// A stream that watches a session.
#[derive(Debug)]
struct Watch {
    opening: Option<Event>,
    session: Session,
    life: LifeWatch,
    until: Instant,
    ended: bool,
}

impl Watch {
    /// The next event: first the opening, then, whenever it comes, the end. `None` ends the
    /// stream, also when the instance stops; browsers then ask again, and reach another.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if let Some(opening) = self.opening.take() {
            return Some((Ok(opening), self));
        }
        if self.ended {
            return None;
        }
        self.ended = self.has_ended().await?;
        Some((Ok(event("revoked", &Nothing {})), self))
    }

    /// Waits until the session has ended; `None` when the watch is over before, or when nobody
    /// knows: browsers then ask again.
    async fn has_ended(&self) -> Option<bool> {
        tokio::select! {
            over = self.session.revoked() => (over == Over::Ended).then_some(true),
            () = sleep_until(self.until) => None,
            () = self.life.reaches(Phase::Closing) => None,
        }
    }
}
