//! An application of tower-sessions, the same for each version.

use std::sync::Arc;

use tokio::sync::{Barrier, Semaphore};

/// Where requests wait for each other, so that they overlap.
#[derive(Debug, Clone)]
pub(crate) struct Meeting(Arc<Barrier>, Arc<Semaphore>);

impl Meeting {
    pub(crate) fn of(requests: usize) -> Self {
        Self(
            Arc::new(Barrier::new(requests)),
            Arc::new(Semaphore::new(0)),
        )
    }

    /// A request has read its session.
    pub(crate) fn has_read(&self) {
        self.1.add_permits(1);
    }

    /// Waits until one more request has read its session.
    pub(crate) async fn read(&self) {
        self.1.acquire().await.unwrap().forget();
    }

    pub(crate) async fn wait(&self) {
        self.0.wait().await;
    }
}

macro_rules! version {
    ($module:ident, $theirs:ident) => {
        pub(crate) mod $module {
            use axum::extract::{Path, State};
            use axum::routing::{get, post, put};
            use axum::{Json, Router};
            use http::StatusCode;
            use serde_json::Value;
            use time::{Duration, OffsetDateTime};
            use $theirs::{Expiry, SessionStore};
            pub(crate) use $theirs::{Session, SessionManagerLayer};

            use super::Meeting;
            use cloakroom::tower_sessions::SharedStore;

            type Answer<T> = Result<T, (StatusCode, String)>;

            fn failed(error: impl ToString) -> (StatusCode, String) {
                (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }

            /// Attributes to set, get and remove, and everything else that a session can do.
            pub(crate) fn routes(meeting: Meeting) -> Router {
                Router::new()
                    .route("/nothing", get(async |_: Session| "nothing"))
                    .route("/attr/{key}", get(read).put(write).delete(remove))
                    .route("/json/{key}", get(read).put(write_json))
                    .route(
                        "/id",
                        get(async |s: Session| s.id().map(|id| id.to_string()).unwrap_or_default()),
                    )
                    .route("/meet/{key}", post(meet))
                    .route(
                        "/flush",
                        post(async |s: Session| s.flush().await.map_err(failed)),
                    )
                    .route("/flush-and-fail", post(flush_and_fail))
                    .route(
                        "/cycle",
                        post(async |s: Session| s.cycle_id().await.map_err(failed)),
                    )
                    .route("/cycle-and-fail", post(cycle_and_fail))
                    .route("/clear", post(async |s: Session| s.clear().await))
                    .route("/save/{key}", post(save))
                    .route("/save-empty/{key}", post(save_empty))
                    .route("/later/{key}", post(later))
                    .route("/write-and-delete", post(write_and_delete))
                    .route("/meet-and-cycle", post(meet_and_cycle))
                    .route("/cycle-and-hang", post(cycle_and_hang))
                    .route("/flush-and-hang", post(flush_and_hang))
                    .route("/save-twice", post(save_twice))
                    .route("/live/{seconds}", post(live))
                    .route("/until/{seconds}", post(until))
                    .route("/log-in/{user}", post(log_in))
                    .route("/user/{user}", put(set_user))
                    .with_state(meeting)
            }

            /// Under tower-sessions' own layer, with its defaults.
            pub(crate) fn stock<S>(store: S, expiry: Option<Duration>) -> Router
            where
                S: SessionStore + Clone,
            {
                stock_with(store, expiry, Meeting::of(1), false)
            }

            pub(crate) fn stock_with<S>(
                store: S,
                expiry: Option<Duration>,
                meeting: Meeting,
                always_save: bool,
            ) -> Router
            where
                S: SessionStore + Clone,
            {
                let mut layer = SessionManagerLayer::new(store).with_always_save(always_save);
                if let Some(idle) = expiry {
                    layer = layer.with_expiry(Expiry::OnInactivity(idle));
                }
                routes(meeting).layer(layer)
            }

            /// Logs out everywhere else, and says how many sessions that were.
            pub(crate) fn others(store: SharedStore) -> Router {
                let handler = async move |s: Session| {
                    let id = s.id().unwrap();
                    let handle = store.handle(&id).await.unwrap().is_some();
                    format!("{handle} {}", store.revoke_others(&id).await.unwrap())
                };
                Router::new().route("/others", post(handler))
            }

            async fn read(s: Session, Path(key): Path<String>) -> Answer<String> {
                match s.get_value(&key).await.map_err(failed)? {
                    Some(Value::String(text)) => Ok(text),
                    Some(value) => Ok(value.to_string()),
                    None => Err((StatusCode::NOT_FOUND, String::new())),
                }
            }

            async fn write(s: Session, Path(key): Path<String>, value: String) -> Answer<()> {
                s.insert(&key, value).await.map_err(failed)
            }

            async fn write_json(
                s: Session,
                Path(key): Path<String>,
                value: Json<Value>,
            ) -> Answer<()> {
                s.insert(&key, value.0).await.map_err(failed)
            }

            async fn remove(s: Session, Path(key): Path<String>) -> Answer<()> {
                s.remove_value(&key).await.map(drop).map_err(failed)
            }

            /// Reads the session, waits for all others that do so, and writes.
            async fn meet(
                State(meeting): State<Meeting>,
                s: Session,
                Path(key): Path<String>,
            ) -> Answer<()> {
                let _ = s.get_value("any").await.map_err(failed)?;
                meeting.has_read();
                meeting.wait().await;
                s.insert(&key, key.clone()).await.map_err(failed)
            }

            async fn flush_and_fail(s: Session) -> Answer<()> {
                s.flush().await.map_err(failed)?;
                Err(failed("on purpose"))
            }

            async fn cycle_and_fail(s: Session) -> Answer<()> {
                s.cycle_id().await.map_err(failed)?;
                Err(failed("on purpose"))
            }

            async fn save(s: Session, Path(key): Path<String>) -> Answer<String> {
                s.insert(&key, 1).await.map_err(failed)?;
                s.save().await.map_err(failed)?;
                Ok(s.id().map(|id| id.to_string()).unwrap_or_default())
            }

            /// To learn the id, then to write.
            async fn save_empty(s: Session, Path(key): Path<String>) -> Answer<()> {
                s.save().await.map_err(failed)?;
                s.insert(&key, 1).await.map_err(failed)
            }

            /// Writes when the response has gone, as a stream does.
            async fn later(s: Session, Path(key): Path<String>) -> Answer<()> {
                s.insert("before", 1).await.map_err(failed)?;
                tokio::spawn(async move {
                    while s.id().is_none() || s.get_value("go").await.is_err() {
                        tokio::task::yield_now().await;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                    s.insert(&key, 1).await.unwrap();
                    s.save().await.unwrap();
                });
                Ok(())
            }

            async fn write_and_delete(s: Session) -> Answer<()> {
                s.insert("seen", 1).await.map_err(failed)?;
                s.delete().await.map_err(failed)
            }

            async fn meet_and_cycle(State(meeting): State<Meeting>, s: Session) -> Answer<()> {
                let _ = s.get_value("any").await.map_err(failed)?;
                meeting.has_read();
                meeting.wait().await;
                s.cycle_id().await.map_err(failed)
            }

            async fn cycle_and_hang(s: Session) -> Answer<()> {
                s.cycle_id().await.map_err(failed)?;
                std::future::pending().await
            }

            async fn flush_and_hang(s: Session) -> Answer<()> {
                s.flush().await.map_err(failed)?;
                std::future::pending().await
            }

            /// Adds one, saves, and removes it again.
            async fn save_twice(s: Session) -> Answer<()> {
                s.insert("passing", 1).await.map_err(failed)?;
                s.save().await.map_err(failed)?;
                s.remove_value("passing").await.map(drop).map_err(failed)
            }

            async fn live(s: Session, Path(seconds): Path<i64>) {
                s.set_expiry(Some(Expiry::OnInactivity(Duration::seconds(seconds))));
            }

            async fn until(s: Session, Path(seconds): Path<i64>) {
                let then = OffsetDateTime::now_utc() + Duration::seconds(seconds);
                s.set_expiry(Some(Expiry::AtDateTime(then)));
            }

            /// As an application does that is not axum-login.
            async fn log_in(s: Session, Path(user): Path<String>) -> Answer<()> {
                s.cycle_id().await.map_err(failed)?;
                s.insert("user", user).await.map_err(failed)
            }

            /// As an application does that has not heard of session fixation.
            async fn set_user(s: Session, Path(user): Path<String>) -> Answer<()> {
                s.insert("user", user).await.map_err(failed)
            }
        }
    };
}

version!(v0_14, tower_sessions_014);
version!(v0_15, tower_sessions_015);

/// Makes a test of each case for each version: the case is a macro's arm over the version's module.
macro_rules! each_version {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn v0_14() {
                super::cases_014::$case().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn v0_15() {
                super::cases_015::$case().await;
            }
        }
    )+};
}
pub(crate) use each_version;
