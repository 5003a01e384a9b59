//! A real Redis (or Valkey) server as a child of the test.

mod builder;
mod control;
mod info;
mod inspect;
mod launch;
mod monitor;
mod spec;
mod subscribers;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use crate::child::OwnedChild;
use crate::link::Link;
use crate::port::free_port;

pub use builder::RedisServerBuilder;
use control::Control;
use launch::Refusal;
pub use monitor::Monitor;
pub(crate) use spec::{Kind, Spec};

/// How many ports are tried: another process may take a free one first.
const PORT_TRIES: u32 = 10;

/// How long a server may take to end after it was asked to.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// A running `redis-server` on a free port of 127.0.0.1, with a directory of its own. Dropping
/// it kills the server and removes the directory.
///
/// The program is the one that the variable `CLOAKROOM_REDIS_SERVER` names, otherwise
/// `redis-server` on the `PATH`. Nothing is persisted unless [arguments](RedisServer::builder)
/// say so; an RDB file made by [`dump`](RedisServer::dump) is not compressed.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use cloakroom_testkit::RedisServer;
///
/// let redis = RedisServer::builder().arg("--appendonly", "yes").start().await;
/// redis.command(&["SET", "a", "b"]).await;
/// redis.stop().await;
/// redis.restart().await;
/// assert_eq!(redis.keys().await, [b"a"], "the append-only file kept it");
/// # }
/// ```
#[derive(Debug)]
pub struct RedisServer {
    // Dropped in this order: the server first, then the directory that it writes to.
    child: Mutex<Arc<OwnedChild>>,
    control: Arc<Control>,
    spec: Spec,
    link: Option<Link>,
    dir: TempDir,
}

impl RedisServer {
    /// Starts a server with the defaults and waits until it answers, for at most 10 seconds.
    ///
    /// # Panics
    ///
    /// With the server's log, if it doesn't come up; with the command that installs it, if there
    /// is no server program.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// A server to start with arguments of its own.
    #[must_use]
    pub fn builder() -> RedisServerBuilder {
        RedisServerBuilder::new()
    }

    pub(crate) async fn launch(wanted: Spec) -> Self {
        for _ in 0..PORT_TRIES {
            let dir = TempDir::with_prefix("cloakroom-redis-").expect("a temporary directory");
            let control = Arc::new(Control::new(free_port()));
            let link = wanted.linked.then(|| Link::to(control.port()));
            let mut spec = wanted.clone();
            spec.settle_ports(link.as_ref());
            match spec.launch(&control, dir.path()).await {
                Ok(child) => {
                    let child = Mutex::new(Arc::new(child));
                    return Self {
                        child,
                        control,
                        spec,
                        link,
                        dir,
                    };
                }
                Err(Refusal::PortTaken) => {}
                Err(Refusal::Failed(why)) => panic!("{why}"),
            }
        }
        panic!("{PORT_TRIES} ports were free and then taken before redis-server could bind them")
    }

    /// `redis://127.0.0.1:PORT`, with the [public port](RedisServer::public_port); `rediss://` if
    /// that speaks TLS.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = self.spec.tls.as_ref().map_or("redis", |_| "rediss");
        format!("{scheme}://127.0.0.1:{}", self.public_port())
    }

    /// The server's own port of 127.0.0.1. It stays the same over a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.control.port()
    }

    /// The port that clients are meant to use, and that the server names to others: that of TLS,
    /// its link's, or its own if it has neither. It stays the same over a restart.
    #[must_use]
    pub fn public_port(&self) -> u16 {
        let own = self.spec.tls.as_ref().map_or(self.port(), |tls| tls.port);
        self.link.as_ref().map_or(own, Link::port)
    }

    /// The link in front of the server.
    ///
    /// # Panics
    ///
    /// If it was not started [linked](RedisServerBuilder::linked).
    #[must_use]
    pub fn link(&self) -> &Link {
        let why = "a link has to be asked for: `linked()` before `start()`";
        self.link.as_ref().expect(why)
    }

    /// Whether the server's process is there, running or paused.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.child().exited().is_none()
    }

    /// Whether the server's process is there and not paused.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.is_alive() && !self.child().stands_still()
    }

    /// Kills the server (SIGKILL), also a paused one; it has ended when this returns. Does
    /// nothing if it had ended.
    pub fn kill(&self) {
        self.child().kill();
    }

    /// Stops the server where it is (SIGSTOP), connections open; it stands still when this
    /// returns.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn pause(&self) {
        self.child().pause();
    }

    /// Lets a paused server go on (SIGCONT).
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn resume(&self) {
        self.child().resume();
    }

    /// Asks the server to end in order (SIGTERM), also a paused one, and waits for it up to 15
    /// seconds. Does nothing if it had ended.
    ///
    /// # Panics
    ///
    /// With the server's log, if it is still running then.
    pub async fn stop(&self) {
        let ended = self.child().terminate(STOP_LIMIT).await;
        assert!(
            ended.is_some(),
            "redis-server did not end in {STOP_LIMIT:?}:\n{}",
            self.log()
        );
    }

    /// Starts the server again, on the same port and directory, and waits until it answers, for at
    /// most 10 seconds. One that is still running is [stopped](RedisServer::stop) first.
    ///
    /// The data that comes back is what was persisted: by default, nothing.
    ///
    /// # Panics
    ///
    /// With the server's log, if it doesn't come up.
    pub async fn restart(&self) {
        self.stop().await;
        let child = match self.spec.launch(&self.control, self.dir.path()).await {
            Ok(child) => child,
            Err(Refusal::Failed(why)) => panic!("{why}"),
            Err(Refusal::PortTaken) => {
                panic!("port {} was taken while redis-server was down", self.port())
            }
        };
        *self.child.lock().unwrap() = Arc::new(child);
    }

    /// What the server has logged so far, over all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        launch::log(self.dir.path())
    }

    /// The value with which it was started under this name, the last if there are several.
    pub(crate) fn directive(&self, name: &str) -> Option<&str> {
        let mut pairs = self.spec.args.chunks(2).rev();
        let pair = pairs.find(|pair| pair[0] == name)?;
        Some(&pair[1])
    }

    fn child(&self) -> Arc<OwnedChild> {
        Arc::clone(&self.child.lock().unwrap())
    }
}
