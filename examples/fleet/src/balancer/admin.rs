//! The balancer's own routes.

use super::{
    Balancer, Split,
    control::StartError,
    guard::guard,
    recent::Entry,
    slot::{Row, Slot, StoreHealth},
};
use crate::refusal::Refusal;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    middleware,
    routing::{get, post},
};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// What a wrong split is told.
const SPLIT_SHAPE: &str =
    r#"the body is {"green": P} with P a whole number from 0 to 100, or null for no split"#;

/// What a person can do to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Stop,
    Start,
    Pause,
    Resume,
}

/// What `GET /admin/state` answers.
#[derive(Debug, Serialize)]
struct Overview {
    split: Option<Split>,
    store: Store,
    instances: Vec<Row>,
    recent: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Store {
    kind: &'static str,
    health: StoreHealth,
}

/// All admin routes, closed to other sites.
pub(super) fn routes() -> Router<Arc<Balancer>> {
    Router::new()
        .route("/state", get(state))
        .route("/split", post(split))
        .route("/instances/{index}/{action}", post(act))
        .fallback(async || Refusal::missing("no such admin route"))
        .method_not_allowed_fallback(async || {
            Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "GET for the state, POST for the rest",
            )
        })
        .layer(middleware::from_fn(guard))
}

async fn state(State(balancer): State<Arc<Balancer>>) -> Json<Overview> {
    let health = balancer.slots.iter().find_map(Slot::store_health);
    Json(Overview {
        split: balancer.split.get(),
        store: Store {
            kind: balancer.store_kind,
            health: health.unwrap_or(StoreHealth::Unknown),
        },
        instances: balancer.slots.iter().map(Slot::row).collect(),
        recent: balancer.recent.list(),
    })
}

async fn split(State(balancer): State<Arc<Balancer>>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let split = parse_split(&body).ok_or_else(|| Refusal::invalid(SPLIT_SHAPE))?;
    balancer.split.set(split);
    tracing::info!(?split, "split moved");
    Ok(Json(json!({ "green": split.map(Split::green) })))
}

/// A split, or that there shall be none; `None` if the body says neither.
fn parse_split(body: &[u8]) -> Option<Option<Split>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    match body.get("green")? {
        Value::Null => Some(None),
        green => Split::new(u8::try_from(green.as_u64()?).ok()?).map(Some),
    }
}

async fn act(
    State(balancer): State<Arc<Balancer>>,
    Path((index, action)): Path<(String, String)>,
) -> Result<Json<Row>, Refusal> {
    let index = balancer.find(&index)?;
    let action = Action::parse(&action)?;
    // A task of its own: what has begun is finished though the client goes away.
    let task = tokio::spawn(async move { balancer.act(index, action).await });
    let done = task.await.map_err(|_| {
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "that broke off; see the log",
        )
    })?;
    done.map(Json)
}

impl From<StartError> for Refusal {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Port(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
            StartError::Sessions(error) => error.into(),
        }
    }
}

impl Action {
    fn parse(name: &str) -> Result<Self, Refusal> {
        match name {
            "stop" => Ok(Self::Stop),
            "start" => Ok(Self::Start),
            "pause" => Ok(Self::Pause),
            "resume" => Ok(Self::Resume),
            _ => Err(Refusal::missing(
                "an instance takes stop, start, pause and resume",
            )),
        }
    }
}

impl Balancer {
    /// The index of an existing instance.
    fn find(&self, text: &str) -> Result<usize, Refusal> {
        let index = text.parse().ok().filter(|index| *index < self.slots.len());
        index.ok_or_else(|| {
            let last = self.slots.len() - 1;
            Refusal::missing(&format!("no such instance; there are 0 to {last}"))
        })
    }

    /// Does it, and says how the instance stands then. Doing what is done already is no error.
    async fn act(&self, index: usize, action: Action) -> Result<Row, Refusal> {
        let slot = &self.slots[index];
        let stands = match action {
            Action::Start => {
                slot.start(self.store.clone()).await?;
                true
            }
            Action::Pause => slot.pause().await,
            Action::Resume => slot.resume().await,
            Action::Stop => {
                slot.stop().await;
                true
            }
        };
        if !stands {
            let why = "this instance is stopped; start it first";
            return Err(Refusal::new(StatusCode::CONFLICT, why));
        }
        if action == Action::Resume {
            self.check(index).await;
        }
        Ok(slot.row())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_a_whole_percentage_or_null() {
        assert_eq!(parse_split(br#"{"green":30}"#), Some(Split::new(30)));
        assert_eq!(parse_split(br#"{"green":100}"#), Some(Split::new(100)));
        assert_eq!(parse_split(br#"{"green":null}"#), Some(None));
        for wrong in [
            "",
            "{}",
            "[]",
            "30",
            r#"{"green":101}"#,
            r#"{"green":-1}"#,
            r#"{"green":1.5}"#,
            r#"{"green":"5"}"#,
            r#"{"green":300}"#,
        ] {
            assert_eq!(parse_split(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
