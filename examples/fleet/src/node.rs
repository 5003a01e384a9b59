//! A single instance as a process of its own.

use crate::{
    failure::Failure,
    instance::{FINISH_LIMIT, Identity, Instance},
    logging, net,
    options::NodeOptions,
    signals::Stop,
    store,
};
use tokio::time::Instant;

/// Runs one instance until a signal ends it: not ready at once, then it serves through the
/// drain, finishes open requests, and writes what its sessions still hold.
///
/// # Errors
///
/// A [`Failure`] if it can't start.
pub(crate) async fn run(options: NodeOptions) -> Result<(), Failure> {
    let mut stop = Stop::listen()?;
    let listener = net::bind(options.port).await?;
    let port = net::port_of(&listener);
    let store = options.store.open().await?;
    logging::start();
    if options.store.is_memory() {
        tracing::warn!("without --redis this node shares its sessions with no other");
    }
    let identity = Identity {
        name: format!("{}-{port}", options.version.colour()).into(),
        version: options.version,
    };
    let instance = Instance::start(identity, listener, store)
        .await
        .map_err(|error| store::unusable(&error))?;
    net::say(&format!("listening on http://127.0.0.1:{port}"));
    stop.received().await;
    instance.drain();
    tokio::time::sleep(options.drain).await;
    instance.stop(Instant::now() + FINISH_LIMIT).await;
    Ok(())
}
