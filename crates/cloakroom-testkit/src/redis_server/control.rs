//! The testkit's own short connections to a server.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use redis::{RedisResult, Value};

/// How long a control command may take.
pub(super) const COMMAND_LIMIT: Duration = Duration::from_secs(5);

/// How long a look may take whether the server answers.
const LOOK_LIMIT: Duration = Duration::from_millis(500);

/// Calls per command.
pub(super) type Counts = BTreeMap<String, u64>;

/// Sends commands to the server on one port of 127.0.0.1, each over a connection of its own that
/// sends nothing else, and counts those that the testkit itself sent.
#[derive(Debug)]
pub(super) struct Control {
    port: u16,
    own: Mutex<Counts>,
}

impl Control {
    pub(super) fn new(port: u16) -> Self {
        Self {
            port,
            own: Mutex::default(),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Sends a command for the test.
    pub(super) async fn send<A: AsRef<[u8]>>(&self, args: &[A]) -> RedisResult<Value> {
        self.exchange(pack(args), COMMAND_LIMIT).await
    }

    /// Sends a command of the testkit's own. `name` is what the server's statistics call it.
    ///
    /// # Panics
    ///
    /// If the command fails.
    pub(super) async fn own(&self, name: &str, args: &[&str]) -> Value {
        let reply = self
            .send(args)
            .await
            .unwrap_or_else(|error| panic!("{args:?}: {error}"));
        self.count(name);
        reply
    }

    /// Sends a command of the testkit's own that may fail; `None` if it does.
    pub(super) async fn ask(&self, name: &str, args: &[&str]) -> Option<Value> {
        let reply = self.send(args).await.ok()?;
        self.count(name);
        Some(reply)
    }

    /// The testkit's own calls since the server's statistics were last at zero.
    pub(super) fn own_counts(&self) -> Counts {
        self.own.lock().unwrap().clone()
    }

    /// Starts counting anew, with the server's statistics.
    pub(super) fn forget_counts(&self) {
        self.own.lock().unwrap().clear();
    }

    /// Whether a server that works in `dir` answers: and not somebody else's on the same port.
    pub(super) async fn answers_from(&self, dir: &Path) -> bool {
        if !self.pongs().await {
            return false;
        }
        let home = self
            .exchange(pack(&["CONFIG", "GET", "dir"]), LOOK_LIMIT)
            .await;
        let dir = Value::BulkString(dir.as_os_str().as_encoded_bytes().to_vec());
        let ours = matches!(home, Ok(Value::Array(pair)) if pair.last() == Some(&dir));
        ours && self.start_counting().await
    }

    /// Sets the statistics to zero: Valkey's begin with calls that it made itself.
    async fn start_counting(&self) -> bool {
        self.forget_counts();
        self.count("config|resetstat");
        let reset = pack(&["CONFIG", "RESETSTAT"]);
        self.exchange(reset, LOOK_LIMIT).await.is_ok()
    }

    /// Whether a sentinel that keeps its configuration in `conf` answers.
    pub(super) async fn answers_with(&self, conf: &Path) -> bool {
        if !self.pongs().await {
            return false;
        }
        let info = self.exchange(pack(&["INFO", "server"]), LOOK_LIMIT).await;
        self.count("info");
        let info = info.and_then(|info| Ok(redis::from_redis_value::<String>(info)?));
        let conf = format!("config_file:{}", conf.display());
        info.is_ok_and(|info| info.lines().any(|line| line == conf))
    }

    async fn pongs(&self) -> bool {
        self.forget_counts();
        let ping = self.exchange(pack(&["PING"]), LOOK_LIMIT).await;
        self.count("ping");
        matches!(ping, Ok(Value::SimpleString(pong)) if pong == "PONG")
    }

    /// One open connection with that limit on each step.
    pub(super) fn connect(port: u16, limit: Duration) -> std::io::Result<TcpStream> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        Ok(stream)
    }

    /// Counts a call of the testkit's own.
    pub(super) fn count(&self, name: &str) {
        *self.own.lock().unwrap().entry(name.to_owned()).or_default() += 1;
    }

    async fn exchange(&self, command: Vec<u8>, limit: Duration) -> RedisResult<Value> {
        let port = self.port;
        let exchange = move || {
            let mut stream = Self::connect(port, limit)?;
            stream.write_all(&command)?;
            redis::Parser::new()
                .parse_value(BufReader::new(stream))?
                .extract_error()
        };
        tokio::task::spawn_blocking(exchange)
            .await
            .expect("an exchange doesn't panic")
    }
}

fn pack<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.as_ref().to_vec()).collect();
    redis::pack_command(&args)
}
