//! A connection of the driver's own, with what it reports.

use std::sync::Arc;

use cloakroom::redis::RedisDriver;
use cloakroom_redis::{Command, Connection, Driver, Endpoint, Event, Reply};
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
        let (sender, events) = unbounded_channel();
        let endpoint = Endpoint::parse(&server.url()).unwrap();
        let sink = move |event| drop(sender.send(event));
        let connection = RedisDriver.connect(&endpoint, Arc::new(sink));
        let connection = timeout(LIMIT, connection).await.unwrap().unwrap();
        Self { connection, events }
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
