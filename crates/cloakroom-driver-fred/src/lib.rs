//! The `fred` crate as a Cloakroom [`Driver`]: one connection to one server.
//!
//! Thin on purpose: connect, call, pipeline, report events. Deadlines, reconnection, scripts and
//! topology are in `cloakroom-redis`, above every driver. No type of the client crate is public.
//!
//! ```no_run
//! use cloakroom_driver_fred::FredDriver;
//! use cloakroom_redis::RedisStore;
//!
//! # async fn f() -> cloakroom_core::Result<()> {
//! let store = RedisStore::builder(FredDriver, "redis://127.0.0.1").connect().await?;
//! # Ok(()) }
//! ```
//!
//! # What is done otherwise than in fred's own interface, and why
//!
//! Commands go out as fred's custom commands, whose replies come back as they were sent. fred 10.1
//! reads what a server sends with assumptions that do not always hold, and a reply that it takes for
//! something else makes each later caller get the reply of the one before. So:
//!
//! - **A list that looks like a push is dropped by fred**: three to five items, the first of which
//!   is `message`, `subscribe` or the like, also if it was stored. A command that may be answered
//!   with such a list goes inside `MULTI` and `EXEC`, whose reply is a list of one. The user needs
//!   `+multi +exec` for it. Commands that can't be answered so go by themselves; among them are
//!   scripts, which must **begin a list with a word or number of their own**, as Cloakroom's do.
//! - **The confirmations of `SUBSCRIBE`, `UNSUBSCRIBE` and `SUNSUBSCRIBE` are dropped by fred**, and
//!   a refusal is taken for another's reply. They too go inside `MULTI` and `EXEC`, where both are
//!   seen. `SSUBSCRIBE` is answered like any command. Each takes one channel.
//! - **Messages come through a bounded channel that forgets the oldest.** If that happens the
//!   connection ends. It is emptied before a call is answered, so every message that the server
//!   sent before a reply is delivered before it.
//!
//! # What fred can't do
//!
//! - It says nothing of a subscription that the server ended unasked. [`Unsubscribed`] comes
//!   only after a command for it, as [`Subscribed`] does, and from that command's call: a call that
//!   is dropped reports neither.
//! - It ends the connection on a `CLUSTERDOWN`, which is then not a [`Reply::Error`] but the end.
//! - It delivers messages of channels whose names are UTF-8 and don't begin with `__key`; others
//!   are refused here. Patterns are, too.
//! - A transaction or a connection state of the caller's own (`MULTI`, `WATCH`, `CLIENT REPLY`) is
//!   not possible.
//!
//! [`Subscribed`]: cloakroom_redis::Event::Subscribed
//! [`Unsubscribed`]: cloakroom_redis::Event::Unsubscribed

mod convert;
mod link;
mod request;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;

use cloakroom_core::BoxFuture;
use cloakroom_redis::{
    Certificates, Command, Connection, Driver, DriverError, Endpoint, EventSink, Reply,
};
use fred::{
    clients::Client,
    interfaces::{AuthInterface, ClientLike, EventInterface, FredResult},
    types::{
        Resp3Frame, RespVersion,
        config::{Config, ConnectionConfig, PerformanceConfig, Server, ServerConfig, TcpConfig},
    },
};
use link::{Link, Task};
use request::{Request, Wire};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tls::Trust;

/// Opens connections with the `fred` crate.
#[derive(Debug, Clone, Copy, Default)]
pub struct FredDriver;

impl Driver for FredDriver {
    fn connect<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        events: EventSink,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, DriverError>> {
        Box::pin(async move { open(endpoint, &Trust::default(), events).await })
    }

    fn with_certificates(
        &self,
        certificates: &Certificates,
    ) -> Result<Arc<dyn Driver>, DriverError> {
        Ok(Arc::new(Secured(Trust::read(certificates)?)))
    }
}

/// The driver with certificates.
struct Secured(Trust);

impl Driver for Secured {
    fn connect<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        events: EventSink,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, DriverError>> {
        Box::pin(open(endpoint, &self.0, events))
    }
}

async fn open(
    endpoint: &Endpoint,
    trust: &Trust,
    events: EventSink,
) -> Result<Box<dyn Connection>, DriverError> {
    // Without a policy fred does not reconnect.
    let (performance, limits) = (Some(performance()), Some(limits()));
    let client = Client::new(config(endpoint, trust)?, performance, limits, None);
    let (messages, wake) = (client.message_rx(), client.message_rx());
    let mut connected = client.reconnect_rx();
    let mut router = Task::new(client.connect());
    tokio::select! {
        biased;
        _ = connected.recv() => (),
        cause = router.end() => return Err(cause),
    }
    let link = Arc::new(Link::new(messages, events));
    let keeper = tokio::spawn(Arc::clone(&link).keep(router, wake));
    let connection = FredConnection {
        client,
        link,
        turn: Mutex::new(()),
        _keeper: Task::new(keeper),
    };
    connection.greet(endpoint).await?;
    Ok(Box::new(connection))
}

/// As many messages as may wait at once. fred makes several buffers of this length for each
/// connection, about a megabyte in all.
const MESSAGES: usize = 1024;

fn performance() -> PerformanceConfig {
    PerformanceConfig {
        default_command_timeout: Duration::ZERO,
        broadcast_channel_capacity: MESSAGES,
        ..PerformanceConfig::default()
    }
}

/// Zero is no limit: those above know how long a command may take. Nothing is sent twice.
fn limits() -> ConnectionConfig {
    ConnectionConfig {
        connection_timeout: Duration::ZERO,
        internal_command_timeout: Duration::ZERO,
        max_command_attempts: 1,
        max_redirections: 1,
        reconnect_on_auth_error: false,
        auto_client_setname: false,
        max_command_buffer_len: 0,
        disable_cluster_health_check: true,
        // Without it a small command waits for the acknowledgement of the one before.
        tcp: TcpConfig {
            nodelay: Some(true),
            ..TcpConfig::default()
        },
        ..ConnectionConfig::default()
    }
}

fn config(endpoint: &Endpoint, trust: &Trust) -> Result<Config, DriverError> {
    let server = Server::new(endpoint.host.as_str(), endpoint.port);
    let config = Config {
        server: ServerConfig::Centralized { server },
        // Only so fred sends a password as it is, by `AUTH`. In RESP3 it would be a word of a line
        // of text, which ends the line if it has a line's end in it.
        version: RespVersion::RESP2,
        username: endpoint.username.clone().or(Some("default".to_owned())),
        password: match (&endpoint.username, &endpoint.password) {
            // Without one the crate would not log in at all, and be somebody else: the default user.
            (Some(_), None) => Some(String::new()),
            (_, password) => password.clone(),
        },
        ..Config::default()
    };
    trust.secure(config, endpoint)
}

/// One multiplexed connection. fred matches replies to commands by order in a task of its own, so
/// dropping a call disturbs nobody.
struct FredConnection {
    client: Client,
    link: Arc<Link>,
    /// Whose turn it is to hand commands to fred.
    turn: Mutex<()>,
    _keeper: Task<()>,
}

/// The reply to one command that fred has, as the server sent it.
type Answer<'a> = Pin<Box<dyn Future<Output = FredResult<Resp3Frame>> + Send + 'a>>;

enum Sent<'a> {
    Waiting(Answer<'a>),
    Answered(FredResult<Resp3Frame>),
}

impl FredConnection {
    /// Goes over to RESP3, selects the database, and finds out whether transactions are allowed.
    async fn greet(&self, endpoint: &Endpoint) -> Result<(), DriverError> {
        let hello = self.client.hello(RespVersion::RESP3, None, None);
        let hello = self.link.or_end(hello).await?;
        hello.map_err(|e| convert::error(&e))?;
        let mut wires = vec![request::bare("MULTI"), request::bare("EXEC")];
        if endpoint.database != 0 {
            // Not by fred, which knows no number above 255.
            let number = Command::new("SELECT").arg(endpoint.database.to_string());
            wires.extend(Request::new(number)?.wires());
        }
        for frame in self.exchange(wires).await? {
            if let Reply::Error(refusal) = convert::reply(frame)?
                // A Sentinel has no transactions, and is asked for nothing that needs them.
                && !refusal.detail.starts_with("unknown command")
            {
                return Err(convert::refused_at_login(&refusal));
            }
        }
        Ok(())
    }

    /// Hands one command to fred, which queues it when the future is first polled.
    fn send(&self, (command, arguments): Wire) -> Sent<'_> {
        let mut answer: Answer<'_> = Box::pin(self.client.custom_raw(command, arguments));
        let mut context = Context::from_waker(Waker::noop());
        match answer.as_mut().poll(&mut context) {
            Poll::Ready(answer) => Sent::Answered(answer),
            Poll::Pending => Sent::Waiting(answer),
        }
    }

    /// Sends all in one go, nobody's in between, and waits for as many replies.
    async fn exchange(&self, wires: Vec<Wire>) -> Result<Vec<Resp3Frame>, DriverError> {
        let sent: Vec<_> = {
            let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            wires.into_iter().map(|wire| self.send(wire)).collect()
        };
        let mut frames = Vec::with_capacity(sent.len());
        for sent in sent {
            let answer = match sent {
                Sent::Answered(answer) => answer,
                Sent::Waiting(answer) => self.link.or_end(answer).await?,
            };
            frames.push(answer.map_err(|e| convert::error(&e))?);
        }
        Ok(frames)
    }
}

impl Connection for FredConnection {
    fn call(&self, command: Command) -> BoxFuture<'_, Result<Reply, DriverError>> {
        Box::pin(async move {
            let mut replies = self.pipeline(vec![command]).await?;
            replies.pop().ok_or_else(|| DriverError::lost("no reply"))
        })
    }

    fn pipeline(&self, commands: Vec<Command>) -> BoxFuture<'_, Result<Vec<Reply>, DriverError>> {
        Box::pin(async move {
            let requests = commands.into_iter().map(Request::new);
            let requests = requests.collect::<Result<Vec<_>, _>>()?;
            let wires = requests.iter().flat_map(Request::wires).collect();
            let mut frames = self.exchange(wires).await?.into_iter();
            let replies = requests.iter().map(|request| request.reply(&mut frames));
            // What can't be read may not be the reply to this.
            let replies = replies.collect::<Result<Vec<_>, _>>();
            let replies = replies.inspect_err(|_| self.link.end())?;
            let events = requests.iter().zip(&replies);
            let events = events.filter_map(|(request, reply)| request.event(reply));
            self.link.deliver_with(events)?;
            Ok(replies)
        })
    }
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FredDriver")
    }
}

impl fmt::Debug for FredConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FredConnection")
    }
}
