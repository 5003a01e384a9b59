//! Servers that answer what a test wants.

use crate::{
    Command, Connection, Driver, DriverError, Endpoint, Event, EventSink, Reply, ServerError,
    node::Timeouts,
    topology::{Place, Servers},
};
use bytes::Bytes;
use cloakroom_core::{BoxFuture, Buckets, Result};
use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

/// What the server on a port answers a command; `None` ends the connection instead.
type Answer = dyn Fn(u16, &str) -> Option<Reply> + Send + Sync;

/// Servers by their ports.
#[derive(Clone)]
pub(super) struct Fake {
    answer: Arc<Answer>,
    /// What each was sent beside handshakes and surveys.
    pub(super) log: Arc<Mutex<Vec<(u16, String)>>>,
}

struct FakeConnection {
    fake: Fake,
    port: u16,
    events: EventSink,
}

impl Fake {
    pub(super) fn new(answer: impl Fn(u16, &str) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let (answer, log) = (Arc::new(answer), Arc::default());
        Self { answer, log }
    }

    /// A store's servers in a cluster that begins with the port 1.
    pub(super) async fn cluster(&self) -> Result<Servers> {
        let seeds = vec![Endpoint::parse("redis://app:hush@h:1").unwrap()];
        let limit = Duration::from_secs(1);
        let timeouts = Timeouts {
            connect: limit,
            command: limit,
        };
        let driver = Arc::new(self.clone());
        Servers::open(driver, Place::Cluster(seeds), timeouts, Buckets::default()).await
    }

    pub(super) fn sent(&self) -> Vec<(u16, String)> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }
}

impl FakeConnection {
    fn answer(&self, command: &Command) -> Result<Reply, DriverError> {
        let words = command.parts().iter();
        let words: Vec<_> = words
            .map(|w| String::from_utf8_lossy(w).into_owned())
            .collect();
        let reply = match (&*words[0], words.get(1).map(|w| &**w)) {
            ("ROLE", _) => Some(Reply::Array(vec![text("master")])),
            ("INFO", _) => Some(text(&format!(
                "redis_version:7.0.15\r\nredis_mode:cluster\r\nrun_id:{}\r\n",
                self.port
            ))),
            ("SCRIPT", _) => Some(text("hash")),
            ("CLUSTER", Some("INFO")) => Some(text("cluster_state:ok\r\n")),
            ("CLUSTER", _) => (self.fake.answer)(self.port, "SLOTS"),
            _ => {
                let command = words.join(" ");
                let mut log = self.fake.log.lock().unwrap();
                log.push((self.port, command.clone()));
                (self.fake.answer)(self.port, &command)
            }
        };
        reply.ok_or_else(|| {
            (self.events)(Event::Closed);
            DriverError::lost("the fake ended it")
        })
    }
}

impl Driver for Fake {
    fn connect<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        events: EventSink,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, DriverError>> {
        assert_eq!(endpoint.password.as_deref(), Some("hush"));
        let connection = FakeConnection {
            fake: self.clone(),
            port: endpoint.port,
            events,
        };
        Box::pin(std::future::ready(Ok(Box::new(connection) as _)))
    }
}

impl Connection for FakeConnection {
    fn call(&self, command: Command) -> BoxFuture<'_, Result<Reply, DriverError>> {
        Box::pin(std::future::ready(self.answer(&command)))
    }

    fn pipeline(&self, commands: Vec<Command>) -> BoxFuture<'_, Result<Vec<Reply>, DriverError>> {
        let replies = commands.iter().map(|command| self.answer(command));
        Box::pin(std::future::ready(replies.collect()))
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fake")
    }
}

impl fmt::Debug for FakeConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeConnection")
    }
}

pub(super) fn text(text: &str) -> Reply {
    Reply::Bytes(Bytes::copy_from_slice(text.as_bytes()))
}

/// A refusal, from its line.
pub(super) fn refusal(line: &str) -> Option<Reply> {
    let (code, detail) = line.split_once(' ').unwrap_or((line, ""));
    let (code, detail) = (code.to_owned(), detail.to_owned());
    Some(Reply::Error(ServerError { code, detail }))
}

/// What `CLUSTER SLOTS` says when one master has them all.
pub(super) fn all_on(port: u16) -> Option<Reply> {
    let node = Reply::Array(vec![text(""), Reply::Int(port.into())]);
    let range = Reply::Array(vec![Reply::Int(0), Reply::Int(16_383), node]);
    Some(Reply::Array(vec![range]))
}
