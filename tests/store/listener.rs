//! A connection of the driver's own, with what it reports.

use std::sync::Arc;

use cloakroom::redis::RedisDriver;
use cloakroom_redis::{Command, Connection, Driver, DriverError, Endpoint, Event, Reply};
use cloakroom_testkit::RedisServer;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::store::support::LIMIT;

/// One connection, and its events in order.
pub(crate) struct Listener {
    pub(crate) connection: Box<dyn Connection>,
    events: UnboundedReceiver<Event>,
}

impl Listener {
    pub(crate) async fn connect(server: &RedisServer) -> Self {
        Self::through(RedisDriver, server).await
    }

    /// The same through this driver.
    pub(crate) async fn through(driver: impl Driver, server: &RedisServer) -> Self {
        Self::at(driver, &server.url()).await.unwrap()
    }

    /// The same by a URL, which may be refused.
    pub(crate) async fn at(driver: impl Driver, url: &str) -> Result<Self, DriverError> {
        let (sender, events) = unbounded_channel();
        let endpoint = Endpoint::parse(url).unwrap();
        let sink = move |event| drop(sender.send(event));
        let connection = driver.connect(&endpoint, Arc::new(sink));
        let connection = timeout(LIMIT, connection).await.unwrap()?;
        Ok(Self { connection, events })
    }

    /// Sends a command and waits for its reply.
    pub(crate) async fn call(&self, words: &[&str]) -> Reply {
        let reply = self.connection.call(command(words));
        timeout(LIMIT, reply).await.unwrap().unwrap()
    }

    /// The next event; fails the test if none comes.
    pub(crate) async fn event(&mut self) -> Event {
        let event = timeout(LIMIT, self.events.recv()).await;
        event
            .expect("an event should come")
            .expect("the connection reports")
    }

    /// The next event, if it has come.
    pub(crate) fn heard(&mut self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// Whether there is nothing more, now and for ever: the connection is gone.
    pub(crate) async fn is_silent(&mut self) -> bool {
        timeout(LIMIT, self.events.recv()).await == Ok(None)
    }
}

/// A command of these words.
pub(crate) fn command(words: &[&str]) -> Command {
    // A command's name is a constant where it is used; here it comes with the test.
    let name: &'static str = words[0].to_owned().leak();
    words[1..].iter().fold(Command::new(name), |command, word| {
        command.arg(word.to_string())
    })
}
