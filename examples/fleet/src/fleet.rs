//! The balancer and its instances, in one process.

use crate::{
    balancer::{self, Balancer},
    failure::Failure,
    instance::FINISH_LIMIT,
    logging, net,
    options::FleetOptions,
    signals::Stop,
};
use axum::Router;
use std::{io, net::SocketAddr};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::timeout};

/// Runs balancer and instances until a signal ends them.
///
/// # Errors
///
/// A [`Failure`] if they can't start.
pub(crate) async fn run(options: FleetOptions) -> Result<(), Failure> {
    let mut stop = Stop::listen()?;
    let listener = net::bind(options.port).await?;
    let port = net::port_of(&listener);
    let store = options.store.open().await?;
    logging::start();
    let balancer = Balancer::start(&options, store).await?;
    let (ending, ended) = oneshot::channel();
    let serving = serve(listener, balancer::router(balancer.clone()), ended);
    announce(port, &balancer);
    stop.received().await;
    drop(ending);
    balancer.close_streams();
    if timeout(FINISH_LIMIT, serving).await.is_err() {
        tracing::warn!("ended with requests still open");
    }
    balancer.stop().await;
    Ok(())
}

/// Serves the balancer until the other half of `ended` is dropped.
fn serve(
    listener: TcpListener,
    app: Router,
    ended: oneshot::Receiver<()>,
) -> JoinHandle<io::Result<()>> {
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(net::prompt(listener), app).with_graceful_shutdown(async {
        // An error is the signal: the sender was dropped.
        let _ = ended.await;
    });
    tokio::spawn(serving.into_future())
}

/// Prints the page's address, then the instances'.
fn announce(port: u16, balancer: &Balancer) {
    net::say(&format!("fleet: http://127.0.0.1:{port}/"));
    for slot in balancer.slots() {
        let row = slot.row();
        net::say(&format!(
            "  {} {} ({}) http://127.0.0.1:{}/",
            row.index, row.name, row.version, row.port
        ));
    }
}
