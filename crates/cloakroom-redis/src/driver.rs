//! The driver's side: one connection to one server, whatever client crate is behind it.
//!
//! A driver connects, calls, pipelines and reports events; it never retries, redirects,
//! reconnects or resubscribes. All of that is written once above it, in this crate, so that every
//! client crate behaves the same and nothing whose outcome is unknown is sent twice.

use crate::{Certificates, Endpoint};
use bytes::Bytes;
use cloakroom_core::BoxFuture;
use std::{fmt, sync::Arc};

/// Opens connections through one client crate.
pub trait Driver: Send + Sync + fmt::Debug + 'static {
    /// Opens one connection in RESP3, authenticated and with the right database selected.
    ///
    /// The caller sets the deadline. Events go to `events` for as long as the connection lives;
    /// [`Event::Closed`] comes once, when it ends.
    ///
    /// # Errors
    ///
    /// [`DriverError`] when the server can't be reached or refuses.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the attempt and leaves nothing behind.
    fn connect<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        events: EventSink,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, DriverError>>;

    /// The same driver, whose TLS goes by these certificates. It opens connections over TLS alone.
    ///
    /// Asked once, before the first connection, and only if there are any.
    ///
    /// # Errors
    ///
    /// [`DriverError`] when they can't be read; without an implementation, always.
    fn with_certificates(
        &self,
        certificates: &Certificates,
    ) -> Result<Arc<dyn Driver>, DriverError> {
        let _ = certificates;
        Err(DriverError::refused("this driver takes no certificates"))
    }
}

/// One open connection. Calls from many tasks share it, and each gets its own reply.
pub trait Connection: Send + Sync + fmt::Debug + 'static {
    /// Sends one command, once, and waits for its reply. The caller sets the deadline.
    ///
    /// # Errors
    ///
    /// [`DriverError`] when the connection ends before the reply; whether the command ran is then
    /// unknown. What the server refuses is a [`Reply::Error`], not an error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the reply, never another caller's.
    fn call(&self, command: Command) -> BoxFuture<'_, Result<Reply, DriverError>>;

    /// Sends several commands in one go and waits for all their replies, in order.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call); a command that the server refuses has its own [`Reply::Error`].
    fn pipeline(&self, commands: Vec<Command>) -> BoxFuture<'_, Result<Vec<Reply>, DriverError>>;
}

/// Where a connection's events go. Called from the connection's own task: must not block.
pub type EventSink = Arc<dyn Fn(Event) + Send + Sync>;

/// What a connection reports by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message on a subscribed channel, sharded or plain.
    Message {
        /// The channel.
        channel: Bytes,
        /// What was published.
        payload: Bytes,
    },
    /// The server confirmed a subscription.
    Subscribed {
        /// The channel.
        channel: Bytes,
    },
    /// The server ended a subscription, asked or not.
    Unsubscribed {
        /// The channel.
        channel: Bytes,
    },
    /// The connection has ended.
    Closed,
}

/// A command: its name and arguments.
///
/// `Debug` shows the name alone; arguments are keys and values.
#[derive(Clone, PartialEq, Eq)]
pub struct Command(Vec<Bytes>);

impl Command {
    /// A command of this name.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self(vec![Bytes::from_static(name.as_bytes())])
    }

    /// Appends one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<Bytes>) -> Self {
        self.0.push(argument.into());
        self
    }

    /// Appends several.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = Bytes>) -> Self {
        self.0.extend(arguments);
        self
    }

    /// The name, then the arguments.
    #[must_use]
    pub fn parts(&self) -> &[Bytes] {
        &self.0
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = String::from_utf8_lossy(&self.0[0]);
        write!(f, "Command({name}, {} arguments)", self.0.len() - 1)
    }
}

/// What a server answered.
#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    /// Nothing.
    Nil,
    /// A number.
    Int(i64),
    /// A string, simple or bulk.
    Bytes(Bytes),
    /// A list; a map comes as its keys and values in turn.
    Array(Vec<Reply>),
    /// The server refused; the command did not run, or ran and failed by itself.
    Error(ServerError),
}

/// `Debug` shows the shape, never a value.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("Nil"),
            Self::Int(_) => f.write_str("Int"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Array(items) => write!(f, "Array({})", items.len()),
            Self::Error(error) => error.fmt(f),
        }
    }
}

/// A server's refusal: its code, `NOSCRIPT` for example, and the rest of the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// The first word.
    pub code: String,
    /// What follows.
    pub detail: String,
}

/// A connection that could not be opened or has ended.
#[derive(Debug)]
pub struct DriverError {
    message: String,
    refused: bool,
}

impl DriverError {
    /// The connection failed or ended.
    pub fn lost(cause: impl fmt::Display) -> Self {
        Self {
            message: cause.to_string(),
            refused: false,
        }
    }

    /// The server or the client crate refused what was configured: trying again is no use until
    /// someone changes it.
    pub fn refused(cause: impl fmt::Display) -> Self {
        Self {
            message: cause.to_string(),
            refused: true,
        }
    }

    /// Whether it is a matter of configuration.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        self.refused
    }
}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DriverError {}
