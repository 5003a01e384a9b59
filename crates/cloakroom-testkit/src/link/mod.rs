//! A network between clients and a server, to be made bad.

mod connection;
mod control;
mod frames;
mod intake;
mod listen;
mod outlet;
mod pushes;
mod settings;
mod shared;

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::port::free_port;

pub use settings::Direction;
use shared::Shared;

/// How many ports are tried: another process may take a free one first.
const PORT_TRIES: u32 = 10;

/// A TCP link inside the process: it listens on a free port of 127.0.0.1 and passes what comes to
/// a server's port and back. Until it is told otherwise it changes nothing. Dropping it closes
/// every connection and its port.
///
/// The faults, each for one [`Direction`] or both, each changeable while connections live:
///
/// | fault | the sender sees | the receiver sees |
/// |---|---|---|
/// | [`delay`](Link::delay) | nothing | all of it later, in order |
/// | [`throttle`](Link::throttle) | full buffers, after 1 MiB and the kernel's | all of it slowly, in order |
/// | [`stall`](Link::stall) | full buffers, sooner or later | silence, then all of it |
/// | [`swallow`](Link::swallow) | nothing: a black hole | silence for good |
/// | [`half_close`](Link::half_close) | nothing | the end of the stream |
/// | [`cut`](Link::cut), [`cut_now`](Link::cut_now) | a reset | a reset |
/// | [`withhold_pushes`](Link::withhold_pushes) | nothing | replies, but no messages |
///
/// **Order is kept** in each direction, whatever changes meanwhile; only withheld messages come
/// later than the replies around them. **A fault holds from the moment its method returns**: no
/// byte sent to the link after that passes it otherwise. A connection that was swallowed from stays
/// a black hole in that direction also after [`heal`](Link::heal), since a stream with a gap in
/// it would be a fault that no network has; it goes when either end closes it or `cut_now` does.
///
/// What ends a connection obeys the same rules as its bytes: where they are swallowed, the death
/// of the peer is too.
///
/// The link runs on a thread of its own. Its methods block the caller for milliseconds at most.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use cloakroom_testkit::{Link, RedisServer};
/// use std::io::{Read, Write};
///
/// let redis = RedisServer::start().await;
/// let link = Link::to(redis.port());
/// let mut client = std::net::TcpStream::connect(("127.0.0.1", link.port())).unwrap();
/// client.write_all(b"PING\r\n").unwrap();
/// let mut pong = [0; 7];
/// client.read_exact(&mut pong).unwrap();
/// assert_eq!(&pong, b"+PONG\r\n");
///
/// link.cut();
/// assert!(client.read(&mut pong).is_err(), "a reset");
/// assert!(std::net::TcpStream::connect(("127.0.0.1", link.port())).is_err());
/// # }
/// ```
#[derive(Debug)]
pub struct Link {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    /// Opens a link to a port of 127.0.0.1, on which nothing needs to listen yet: while nothing
    /// does, connections through the link are reset.
    ///
    /// # Panics
    ///
    /// If no port can be had.
    #[must_use]
    pub fn to(target: u16) -> Self {
        for _ in 0..PORT_TRIES {
            let port = free_port();
            if let Ok(listener) = listen::bind(port) {
                let shared = Shared::new(port, target);
                let thread = Some(listen::start(Arc::clone(&shared), listener));
                let link = Self { shared, thread };
                link.shared.wait_until("listen", |state| state.listening);
                return link;
            }
        }
        panic!("{PORT_TRIES} ports were free and then taken before a link could bind them")
    }

    /// The port of 127.0.0.1 on which it listens. It stays the same over a cut.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.shared.port
    }

    /// `redis://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// How many connections there are now, black holes included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.look(|state| state.live.len())
    }

    /// How many connections there have ever been: it grows when a client connects again.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.look(|state| state.accepted)
    }

    /// How many messages are withheld now, over all connections.
    #[must_use]
    pub fn withheld(&self) -> usize {
        self.shared.look(shared::State::held)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared
            .settings
            .send_modify(|settings| settings.ended = true);
        // Also while a test is failing: so without a panic of its own.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
