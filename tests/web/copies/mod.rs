//! Near copies, through the layer: what they save, and that nobody is shown what they must not be.

mod counts;
mod own_writes;
mod policies;
mod streams;

use std::sync::Arc;

use axum::Router;
use cloakroom::{Sessions, SessionsBuilder};
use cloakroom_core::{Channel, Clock as _, SessionStore, SystemClock};
use cloakroom_redis::RedisStore;
use cloakroom_testkit::{Link, RedisServer, eventually};
use time::Duration;

use super::support::{LIMIT, app};

/// One instance of the application, with copies.
#[derive(Debug)]
struct Near {
    sessions: Sessions,
    channel: Arc<Channel>,
    app: Router,
}

impl Near {
    /// An instance on the server at `url`, whose channel is up.
    async fn start(url: &str) -> Self {
        Self::with(url, |sessions| sessions).await
    }

    async fn with(url: &str, settings: impl FnOnce(SessionsBuilder) -> SessionsBuilder) -> Self {
        let store = cloakroom::redis::store(url.to_owned());
        let store: RedisStore = store.connect().await.unwrap();
        let store = Arc::new(store);
        let channel = store.channel().unwrap();
        let sessions = Sessions::builder(store).touch_interval(Duration::minutes(10));
        let sessions = settings(sessions).build().await.unwrap();
        let app = app::router(&sessions);
        let near = Self {
            sessions,
            channel,
            app,
        };
        assert!(eventually(LIMIT, || async { near.is_trusted() }).await);
        near
    }

    /// One on the server itself, and one whose messages can be withheld.
    async fn linked(server: &RedisServer) -> (Self, Self, Link) {
        let link = Link::to(server.port());
        let (direct, linked) = (
            Self::start(&server.url()).await,
            Self::start(&link.url()).await,
        );
        (direct, linked, link)
    }

    async fn many(url: &str, count: usize) -> Vec<Self> {
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(Self::start(url).await);
        }
        all
    }

    /// Whether all that happened a moment ago has been heard, in every bucket.
    fn is_trusted(&self) -> bool {
        let now = SystemClock.moment();
        self.sessions_buckets().all(|bucket| {
            let lease = self.channel.lease(bucket);
            let age = lease.age(lease.term, now);
            age.is_some_and(|age| age < Duration::milliseconds(500))
        })
    }

    fn sessions_buckets(&self) -> impl Iterator<Item = cloakroom_core::Bucket> {
        cloakroom_core::Buckets::default().iter()
    }
}
