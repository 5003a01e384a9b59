//! Sockets on the loopback, and standard output.

use crate::failure::Failure;
use axum::serve::{ListenerExt, TapIo};
use std::{
    io::{self, Write},
    net::Ipv4Addr,
};
use tokio::net::{TcpListener, TcpStream};

/// Takes a port of 127.0.0.1; 0 takes any free one.
///
/// # Errors
///
/// A start [`Failure`] that names the port.
pub(crate) async fn bind(port: u16) -> Result<TcpListener, Failure> {
    listen(port).await.map_err(|error| {
        Failure::start(match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("port {port} is taken; choose another with --port, or 0 for any free one")
            }
            _ => format!("can't listen on port {port}: {error}"),
        })
    })
}

/// Takes a port of 127.0.0.1.
pub(crate) async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// The port that a listener has.
pub(crate) fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().map_or(0, |address| address.port())
}

/// A listener that prepares the connections that it accepts.
pub(crate) type Prompt = TapIo<TcpListener, fn(&mut TcpStream)>;

/// Sends small pieces at once: events should not wait for more to come.
pub(crate) fn prompt(listener: TcpListener) -> Prompt {
    listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    })
}

/// Prints a line. If nobody reads standard output any more, that is no reason to fail.
pub(crate) fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
