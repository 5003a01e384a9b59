//! The near end of one direction: reading what arrives.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::pushes::PushFilter;
use super::settings::{Gate, Settings, Way};

/// How much is read at once.
const CHUNK: usize = 16 * 1024;

/// Something on its way, and when it arrived.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) at: Instant,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Bytes(Vec<u8>),
    /// Nothing more will come.
    End,
    /// The connection broke.
    Reset,
}

/// Reads from one socket, stamps and queues what it reads. It stands still while the direction
/// is stalled or the queue is full, and knows of no other fault.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) way: Way,
    pub(super) from: Arc<TcpStream>,
    pub(super) settings: watch::Receiver<Settings>,
    /// Only for the way to the client.
    pub(super) filter: Option<PushFilter>,
    /// Taken away once the direction is closed: what is read then is dropped.
    pub(super) queue: Option<mpsc::Sender<Item>>,
    pub(super) half_closes: u64,
}

impl Intake {
    /// Reads until the sender has said its last.
    pub(super) async fn run(mut self) {
        loop {
            let arrival = self.arrival().await;
            self.follow_settings().await;
            match arrival {
                None => {}
                Some(What::Bytes(bytes)) => self.pass(bytes).await,
                Some(last) => return self.put(last).await,
            }
        }
    }

    /// What the socket yields; `None` if the settings changed before.
    async fn arrival(&mut self) -> Option<What> {
        let stalled = self.settings.borrow_and_update().rule(self.way).gate == Gate::Stalled;
        tokio::select! {
            biased;
            _ = self.settings.changed() => None,
            what = read(&self.from), if !stalled => Some(what),
        }
    }

    async fn follow_settings(&mut self) {
        let settings = *self.settings.borrow();
        if let Some(filter) = &mut self.filter {
            let released = filter.follow(settings.pushes);
            self.put(What::Bytes(released)).await;
        }
        if self.half_closes != settings.rule(self.way).half_closes {
            self.put(What::End).await;
            self.queue = None;
        }
    }

    async fn pass(&mut self, bytes: Vec<u8>) {
        let bytes = match &mut self.filter {
            Some(filter) => filter.feed(&bytes),
            None => bytes,
        };
        self.put(What::Bytes(bytes)).await;
    }

    async fn put(&mut self, what: What) {
        let nothing = matches!(&what, What::Bytes(bytes) if bytes.is_empty());
        if let Some(queue) = self.queue.as_ref().filter(|_| !nothing) {
            let at = Instant::now();
            // A far end that is gone has ended this direction.
            let _ = queue.send(Item { at, what }).await;
        }
    }
}

async fn read(from: &TcpStream) -> What {
    let mut bytes = vec![0; CHUNK];
    loop {
        if from.readable().await.is_err() {
            return What::Reset;
        }
        match from.try_read(&mut bytes) {
            Ok(0) => return What::End,
            Ok(length) => {
                bytes.truncate(length);
                return What::Bytes(bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return What::Reset,
        }
    }
}
