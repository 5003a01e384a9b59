//! The thread of a link: it listens, and carries every connection.

use std::io;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::net::Shutdown;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::connection::carry;
use super::settings::Settings;
use super::shared::Shared;
use crate::poll::STEP;

/// Starts the thread. It has a runtime of its own, so that a test that blocks, or whose clock
/// stands still, holds nobody up.
pub(super) fn start(shared: Arc<Shared>, listener: StdListener) -> JoinHandle<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime for the link");
    std::thread::Builder::new()
        .name(format!("link-{}", shared.port))
        .spawn(move || runtime.block_on(serve(&shared, listener)))
        .expect("a thread for the link")
}

/// A listener on a port of 127.0.0.1.
pub(super) fn bind(port: u16) -> io::Result<StdListener> {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Listens whenever the link is up, until its owner is gone.
async fn serve(shared: &Arc<Shared>, first: StdListener) {
    let mut settings = shared.settings.subscribe();
    let mut first = Some(first);
    while comes_up(&mut settings).await {
        let listener = match first.take() {
            Some(listener) => listener,
            None => bind_again(shared.port).await,
        };
        let listener = TcpListener::from_std(listener).expect("a listener for the link");
        shared.change(|state| state.listening = true);
        tokio::select! {
            _ = settings.wait_for(|settings| !settings.up || settings.ended) => {}
            () = accept(shared, &listener) => {}
        }
        // Not only closed: a child that is being started may still hold the same socket.
        let _ = rustix::net::shutdown(&listener, Shutdown::Both);
        drop(listener);
        shared.change(|state| state.listening = false);
    }
}

/// Waits until the link is up; `false` if it never will be again.
async fn comes_up(settings: &mut watch::Receiver<Settings>) -> bool {
    let wanted = settings.wait_for(|settings| settings.up || settings.ended);
    wanted.await.is_ok_and(|settings| !settings.ended)
}

/// The port stays this link's own, but may take a moment to become free.
async fn bind_again(port: u16) -> StdListener {
    loop {
        match bind(port) {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(STEP).await,
        }
    }
}

async fn accept(shared: &Arc<Shared>, listener: &TcpListener) {
    loop {
        // A client that has gone before it was accepted is no one's loss.
        let Ok((client, _)) = listener.accept().await else {
            tokio::time::sleep(STEP).await;
            continue;
        };
        let (entry, handle) = shared.enter();
        let carried = carry(client, shared.target, shared.settings.subscribe(), handle);
        tokio::spawn(async move {
            carried.await;
            drop(entry);
        });
    }
}
