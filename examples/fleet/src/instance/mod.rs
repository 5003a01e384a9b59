//! One instance of the shop: a listener of its own, and a life from start to stop.

mod gate;
mod life;

pub(crate) use life::{LifeWatch, Phase};

use crate::{
    net,
    shop::{self, Shop},
    version::Version,
};
use axum::middleware;
use cloakroom::{Error, SessionStore, Sessions};
use gate::Gate;
use life::Life;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    task::JoinHandle,
    time::{Instant, timeout_at},
};

/// How many sessions one user may have; a login beyond it ends the oldest.
const SESSIONS_PER_USER: u32 = 5;

/// How long open requests may take to finish when an instance stops.
pub(crate) const FINISH_LIMIT: Duration = Duration::from_secs(10);

/// Who an instance says it is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) name: Arc<str>,
    pub(crate) version: Version,
}

/// A running instance.
#[derive(Debug)]
pub(crate) struct Instance {
    name: Arc<str>,
    port: u16,
    gate: Gate,
    life: Life,
    sessions: Sessions,
    serving: JoinHandle<io::Result<()>>,
}

impl Instance {
    /// Starts to serve, with sessions of its own over the shared store.
    ///
    /// # Errors
    ///
    /// What the library says if the store refuses this instance.
    pub(crate) async fn start(
        identity: Identity,
        listener: TcpListener,
        store: Arc<dyn SessionStore>,
    ) -> Result<Self, Error> {
        let sessions = Sessions::builder(store)
            .max_sessions_per_user(SESSIONS_PER_USER)
            .insecure_development_cookie()
            .build()
            .await?;
        let (gate, life) = (Gate::open(), Life::begin());
        let name = identity.name.clone();
        let port = net::port_of(&listener);
        let shop = Arc::new(Shop::new(identity, sessions.clone(), life.watch()));
        let app =
            shop::router(shop).layer(middleware::from_fn_with_state(gate.clone(), gate::hold));
        let closed = life.watch();
        let serving = axum::serve(net::prompt(listener), app)
            .with_graceful_shutdown(async move { closed.reaches(Phase::Closed).await });
        let serving = tokio::spawn(serving.into_future());
        tracing::info!(instance = %name, port, "started");
        Ok(Self {
            name,
            port,
            gate,
            life,
            sessions,
            serving,
        })
    }

    /// The port on 127.0.0.1 that it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Holds every request, health checks too, until [`resume`](Self::resume): a process that
    /// hangs.
    pub(crate) fn pause(&self) {
        self.gate.close();
    }

    /// Lets requests pass again.
    pub(crate) fn resume(&self) {
        self.gate.reopen();
    }

    /// Answers health checks with *not ready* and serves on, so that balancers turn away.
    pub(crate) fn drain(&self) {
        self.life.enter(Phase::Draining);
    }

    /// Ends event streams and lets held requests pass, so that nothing stays open for long.
    pub(crate) fn close_streams(&self) {
        self.life.enter(Phase::Closing);
        self.gate.reopen();
    }

    /// Stops accepting, finishes open requests until the limit, and writes what the sessions
    /// still hold.
    pub(crate) async fn stop(mut self, limit: Instant) {
        self.close_streams();
        self.life.enter(Phase::Closed);
        if timeout_at(limit, &mut self.serving).await.is_err() {
            tracing::warn!(instance = %self.name, "stopped with requests still open");
            self.serving.abort();
        }
        if let Err(error) = self.sessions.shutdown().await {
            tracing::warn!(instance = %self.name, %error, "sessions kept something unwritten");
        }
        tracing::info!(instance = %self.name, "stopped");
    }
}
