//! One connection through a link: two sockets, and what flows between them.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::intake::Intake;
use super::outlet::Outlet;
use super::pushes::PushFilter;
use super::settings::{Settings, Way};

/// How many pieces may be under way in one direction; about 1 MiB.
const UNDER_WAY: usize = 64;

/// What a link knows of a connection from outside.
#[derive(Clone, Debug, Default)]
pub(super) struct Handle {
    /// Told when the connection shall break.
    pub(super) cut: Arc<Notify>,
    /// How many messages it holds back.
    pub(super) held: Arc<AtomicUsize>,
}

/// Carries bytes between `client` and the server at `port` until both sides have said their last,
/// or until the connection breaks: then both are reset.
pub(super) async fn carry(
    client: TcpStream,
    port: u16,
    settings: watch::Receiver<Settings>,
    handle: Handle,
) {
    let carried = async {
        let born = *settings.borrow();
        client.set_zero_linger()?;
        let server = connect(port).await?;
        let (client, server) = (Arc::new(client), Arc::new(server));
        flow_both_ways(&client, &server, &settings, born, &handle).await?;
        close_in_order(&client)?;
        close_in_order(&server)
    };
    tokio::select! {
        () = told_to_break(settings.clone(), &handle.cut) => {}
        // Why it broke is told to both ends, by the reset.
        _ = carried => {}
    }
}

/// A socket that is reset when it is dropped, unless it is [closed in order](close_in_order): even
/// before the connection stands.
async fn connect(port: u16) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_zero_linger()?;
    socket.connect((Ipv4Addr::LOCALHOST, port).into()).await
}

fn close_in_order(socket: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_linger(socket, None)?)
}

async fn flow_both_ways(
    client: &Arc<TcpStream>,
    server: &Arc<TcpStream>,
    settings: &watch::Receiver<Settings>,
    born: Settings,
    handle: &Handle,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let filter = PushFilter::new(born.pushes, Arc::clone(&handle.held));
    let there = flow(Way::ToServer, [client, server], settings, born, None);
    let back = flow(
        Way::ToClient,
        [server, client],
        settings,
        born,
        Some(filter),
    );
    tokio::try_join!(there, back).map(|_| ())
}

/// One direction, from the first socket to the second.
async fn flow(
    way: Way,
    [from, to]: [&Arc<TcpStream>; 2],
    settings: &watch::Receiver<Settings>,
    born: Settings,
    filter: Option<PushFilter>,
) -> io::Result<()> {
    let (sender, queue) = mpsc::channel(UNDER_WAY);
    let intake = Intake {
        way,
        from: Arc::clone(from),
        settings: settings.clone(),
        filter,
        queue: Some(sender),
        half_closes: born.rule(way).half_closes,
    };
    let outlet = Outlet {
        way,
        to: Arc::clone(to),
        settings: settings.clone(),
        queue,
        lost: false,
        free_at: Instant::now(),
    };
    let read = async {
        intake.run().await;
        Ok(())
    };
    tokio::try_join!(read, outlet.run()).map(|_| ())
}

async fn told_to_break(mut settings: watch::Receiver<Settings>, cut: &Notify) {
    tokio::select! {
        () = cut.notified() => {}
        _ = settings.wait_for(|settings| !settings.up) => {}
    }
}
