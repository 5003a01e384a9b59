//! The `redis` crate as a Cloakroom [`Driver`]: one connection to one server.
//!
//! Thin on purpose: connect, call, pipeline, report events. Deadlines, reconnection, scripts and
//! topology are in `cloakroom-redis`, above every driver. No type of the client crate is public.
//!
//! ```no_run
//! use cloakroom_driver_redis::RedisDriver;
//! use cloakroom_redis::RedisStore;
//!
//! # async fn f() -> cloakroom_core::Result<()> {
//! let store = RedisStore::builder(RedisDriver, "redis://127.0.0.1").connect().await?;
//! # Ok(()) }
//! ```

mod convert;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;

use cloakroom_core::BoxFuture;
use cloakroom_redis::{
    Certificates, Command, Connection, Driver, DriverError, Endpoint, Event, EventSink, Reply,
};
use redis::{
    AsyncConnectionConfig, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, PushInfo,
    RedisConnectionInfo, RedisResult,
    aio::{ConnectionLike, MultiplexedConnection},
    io::tcp::TcpSettings,
};
use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
};
use tls::Trust;
use tokio::sync::watch;

/// Opens connections with the `redis` crate. The default driver.
#[derive(Debug, Clone, Copy, Default)]
pub struct RedisDriver;

impl Driver for RedisDriver {
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
    let client = trust.client(info(endpoint)?)?;
    let (ended, has_ended) = watch::channel(false);
    let connection = client
        .get_multiplexed_async_connection_with_config(&config(events, ended))
        .await
        .map_err(|e| convert::error(&e))?;
    Ok(Box::new(RedisConnection {
        connection,
        has_ended,
    }))
}

/// No limits of its own: those above it know how long a command may take.
fn config(events: EventSink, ended: watch::Sender<bool>) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_push_sender(move |push: PushInfo| {
            if let Some(event) = convert::event(push) {
                if event == Event::Closed {
                    ended.send_replace(true);
                }
                events(event);
            }
            Ok::<(), std::convert::Infallible>(())
        })
}

fn info(endpoint: &Endpoint) -> Result<ConnectionInfo, DriverError> {
    let settings = RedisConnectionInfo::default()
        .set_protocol(ProtocolVersion::RESP3)
        .set_db(endpoint.database);
    let settings = match &endpoint.username {
        Some(username) => settings.set_username(username),
        None => settings,
    };
    let settings = match (&endpoint.username, &endpoint.password) {
        (_, Some(password)) => settings.set_password(password),
        // Without one the crate would not log in at all, and be somebody else: the default user.
        (Some(_), None) => settings.set_password(""),
        (None, None) => settings,
    };
    let info = tls::address(endpoint)?
        .into_connection_info()
        .map_err(|e| convert::error(&e))?;
    // Without it a small command waits for the acknowledgement of the one before.
    let tcp = TcpSettings::default().set_nodelay(true);
    Ok(info.set_redis_settings(settings).set_tcp_settings(tcp))
}

/// One multiplexed connection. Its clones share the socket, and the crate matches replies to
/// commands by order in its own task, so dropping a call disturbs nobody.
struct RedisConnection {
    connection: MultiplexedConnection,
    has_ended: watch::Receiver<bool>,
}

impl RedisConnection {
    /// Waits for the client crate's answer, but not beyond the connection's end: a request that is
    /// queued in that very moment gets none from the crate, neither then nor ever.
    async fn answer<T>(
        &self,
        answer: impl Future<Output = RedisResult<T>>,
    ) -> Result<RedisResult<T>, DriverError> {
        let mut has_ended = self.has_ended.clone();
        let (mut answer, mut end) = (pin!(answer), pin!(has_ended.wait_for(|ended| *ended)));
        poll_fn(|context| match answer.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Ok(answer)),
            Poll::Pending => end
                .as_mut()
                .poll(context)
                .map(|_| Err(DriverError::lost("the connection has ended"))),
        })
        .await
    }
}

impl Connection for RedisConnection {
    fn call(&self, command: Command) -> BoxFuture<'_, Result<Reply, DriverError>> {
        let mut connection = self.connection.clone();
        Box::pin(async move {
            let command = convert::command(&command);
            match self.answer(connection.req_packed_command(&command)).await? {
                Ok(value) => convert::reply(value),
                Err(error) => convert::refusal(&error).ok_or_else(|| convert::error(&error)),
            }
        })
    }

    fn pipeline(&self, commands: Vec<Command>) -> BoxFuture<'_, Result<Vec<Reply>, DriverError>> {
        let mut connection = self.connection.clone();
        Box::pin(async move {
            let mut pipeline = redis::Pipeline::with_capacity(commands.len());
            for command in &commands {
                pipeline.add_command(convert::command(command));
            }
            let answers = connection.req_packed_commands(&pipeline, 0, commands.len());
            let answers = self.answer(answers).await?;
            let answers = answers.map_err(|e| convert::error(&e))?;
            answers.into_iter().map(convert::reply).collect()
        })
    }
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisDriver")
    }
}

impl fmt::Debug for RedisConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisConnection")
    }
}
