//! One instance: a router on a port of its own.

use axum::{Router, serve::ListenerExt as _};
use cloakroom::Store;
use std::{net::Ipv4Addr, sync::Arc};
use tokio::{net::TcpListener, task::AbortHandle};

/// Whatever went wrong.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// An instance that serves until it is dropped.
#[derive(Debug)]
pub struct Instance {
    /// What it is called.
    pub name: String,
    /// Its port on 127.0.0.1.
    pub port: u16,
    serving: AbortHandle,
}

impl Instance {
    /// Serves this router on this port; on any free one for 0.
    ///
    /// # Errors
    ///
    /// If the port can't be had.
    pub async fn serve(name: String, port: u16, app: Router) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.map_err(|e| format!("can't listen on port {port}: {e}"))?;
        let port = listener.local_addr()?.port();
        // Answers are small: none waits for more to come.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let serving = axum::serve(listener, app).into_future();
        Ok(Self {
            name,
            port,
            serving: tokio::spawn(serving).abort_handle(),
        })
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Opens a store for one instance: each has connections of its own, as a process would.
///
/// # Errors
///
/// Those of [`cloakroom::open`].
pub async fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    Ok(cloakroom::open(url).await?)
}
