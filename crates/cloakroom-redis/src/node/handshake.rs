//! What a connection must show before it is used: a master of the right kind, with our scripts.

use super::{
    Live, Setup,
    refusal::{describe, did_not_run},
    replicas::Replicas,
    server::Server,
};
use crate::{
    Command, Connection, DriverError, Endpoint, Event, Reply, connecting::connect, scripts::Script,
};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::Notify;

/// Connects to one server and shakes hands. The caller sets the limit.
pub(super) async fn greet(setup: &Setup, endpoint: &Endpoint) -> Result<Live, DriverError> {
    let closed = Arc::new(Notify::new());
    let sink = Arc::clone(&closed);
    let events = Arc::new(move |event| {
        if event == Event::Closed {
            sink.notify_one();
        }
    });
    let connection = connect(&*setup.driver, endpoint, events).await?;
    let load = |source: &'static str| {
        let source = Bytes::from_static(source.as_bytes());
        Command::new("SCRIPT").arg("LOAD").arg(source)
    };
    let commands = [Command::new("ROLE"), Command::new("INFO")];
    let commands = commands.into_iter().chain(Script::sources().map(load));
    let mut replies = ask(&*connection, commands.collect()).await?;
    is_master(replies.next())?;
    let server = Server::read(replies.next().map(granted).transpose()?)?;
    server.check(setup.cluster)?;
    Ok(Live {
        hashes: replies.map(hash).collect::<Result<_, _>>()?,
        replicas: Replicas::new(&setup.driver, endpoint),
        endpoint: endpoint.clone(),
        connection,
        server,
        closed,
    })
}

/// Which run of a server the connection leads to. Fails unless it takes writes: a replica, or a master
/// that was demoted, would answer reads with what it had, and tell its subscribers nothing.
pub(crate) async fn run_of(connection: &dyn Connection) -> Result<String, DriverError> {
    let commands = vec![Command::new("ROLE"), Command::new("INFO")];
    let mut replies = ask(connection, commands).await?;
    is_master(replies.next())?;
    let server = Server::read(replies.next().map(granted).transpose()?)?;
    Ok(server.run)
}

async fn ask(
    connection: &dyn Connection,
    commands: Vec<Command>,
) -> Result<std::vec::IntoIter<Reply>, DriverError> {
    let sent = commands.len();
    let replies = connection.pipeline(commands).await?;
    if replies.len() != sent {
        return Err(DriverError::lost("the server left commands unanswered"));
    }
    Ok(replies.into_iter())
}

fn is_master(role: Option<Reply>) -> Result<(), DriverError> {
    let role = match role.map(granted).transpose()? {
        Some(Reply::Array(role)) => role.into_iter().next(),
        _ => None,
    };
    match role {
        Some(Reply::Bytes(role)) if role == "master" => Ok(()),
        Some(Reply::Bytes(role)) if role == "sentinel" => Err(DriverError::refused(
            "the server is a Sentinel; use redis-sentinel:// and the master's name",
        )),
        _ => Err(DriverError::lost("the server is a replica")),
    }
}

fn hash(reply: Reply) -> Result<Bytes, DriverError> {
    match granted(reply)? {
        Reply::Bytes(hash) => Ok(hash),
        other => Err(DriverError::lost(format!("SCRIPT LOAD answered {other:?}"))),
    }
}

/// What the handshake was answered, unless the server refused.
fn granted(reply: Reply) -> Result<Reply, DriverError> {
    match reply {
        // Not ready yet: a server that is starting, or a replica without its master.
        Reply::Error(e) if did_not_run(&e) => Err(DriverError::lost(describe(&e))),
        Reply::Error(e) => Err(DriverError::refused(describe(&e))),
        reply => Ok(reply),
    }
}
