//! A master, a replica, and three Sentinels that watch them.

use std::fmt::Write as _;
use std::sync::Arc;

use cloakroom_testkit::redis::{Client, FromRedisValue, RedisResult, Value, cmd, from_redis_value};
use cloakroom_testkit::{Process, RedisServer, eventually, free_port};
use tempfile::TempDir;

use crate::store::shared::Servers;
use crate::store::support::{LIMIT, ask};

/// The master's name.
const NAME: &str = "main";

/// A master and its replica, watched by three Sentinels.
#[derive(Debug)]
pub(crate) struct Sentinels {
    // Ended before what they watch.
    pub(crate) sentinels: Vec<Sentinel>,
    pub(crate) servers: Vec<Arc<RedisServer>>,
}

#[derive(Debug)]
pub(crate) struct Sentinel {
    pub(crate) process: Process,
    pub(crate) port: u16,
    _dir: TempDir,
}

impl Sentinels {
    /// Starts all and waits until they know each other.
    pub(crate) async fn start() -> Self {
        Self::with_password("").await
    }

    /// The same, with a password that the Sentinels ask for, unless it is empty.
    pub(crate) async fn with_password(password: &str) -> Self {
        let (master, replica) = (server().await, server().await);
        let port = master.port().to_string();
        replica.command(&["REPLICAOF", "127.0.0.1", &port]).await;
        let servers = vec![Arc::new(master), Arc::new(replica)];
        let sentinels = [(); 3].map(|()| Sentinel::start(&port, password));
        let all = Self {
            servers,
            sentinels: sentinels.into(),
        };
        all.settle(password).await;
        all
    }

    async fn settle(&self, password: &str) {
        for sentinel in &self.sentinels {
            let settled = || async {
                let others = sentinel.list(password, "SENTINELS").await;
                let replicas = sentinel.list(password, "REPLICAS").await;
                matches!((others, replicas), (Ok(others), Ok(replicas))
                    if others.len() == 2 && replicas.len() == 1)
            };
            assert!(
                eventually(LIMIT, settled).await,
                "{}",
                sentinel.process.output()
            );
        }
        let replica = &self.servers[1];
        let in_step = || async {
            let info: String = ask(replica, &["INFO", "replication"]).await;
            info.contains("master_link_status:up")
        };
        assert!(eventually(LIMIT, in_step).await, "{}", replica.log());
    }

    /// `redis-sentinel://` with the first of the Sentinels alone: of the others it tells itself.
    pub(crate) fn url(&self) -> String {
        let port = self.sentinels[0].port;
        format!("redis-sentinel://127.0.0.1:{port}/?master={NAME}")
    }

    /// Asks a Sentinel for a failover and waits for the new master.
    pub(crate) async fn fail_over(&self) {
        let (from, to) = match role(&self.servers[0]).await.as_str() {
            "master" => (&self.servers[0], &self.servers[1]),
            _ => (&self.servers[1], &self.servers[0]),
        };
        let ask = || async {
            let answer = self.sentinels[1].command::<String>("", "FAILOVER").await;
            answer.is_ok()
        };
        assert!(eventually(LIMIT, ask).await, "the Sentinels refuse");
        let done = || async { role(to).await == "master" && role(from).await == "slave" };
        assert!(eventually(LIMIT, done).await, "{}", to.log());
    }
}

/// As long as nothing fails.
impl Servers for Arc<Sentinels> {
    fn masters(&self) -> Vec<&RedisServer> {
        vec![&self.servers[0]]
    }
}

impl Sentinel {
    fn start(master: &str, password: &str) -> Self {
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        let mut config = format!(
            "port {port}\nbind 127.0.0.1\nprotected-mode no\ndir {}\n\
             sentinel monitor {NAME} 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds {NAME} 1000\n\
             sentinel failover-timeout {NAME} 5000\n",
            dir.path().display()
        );
        if !password.is_empty() {
            write!(
                config,
                "requirepass {password}\nsentinel sentinel-pass {password}\n"
            )
            .unwrap();
        }
        let path = dir.path().join("sentinel.conf");
        std::fs::write(&path, config).unwrap();
        let program = std::env::var_os("CLOAKROOM_REDIS_SERVER").unwrap_or("redis-server".into());
        let process = Process::builder(program)
            .arg(path)
            .arg("--sentinel")
            .start();
        Self {
            process,
            port,
            _dir: dir,
        }
    }

    async fn list(&self, password: &str, what: &'static str) -> RedisResult<Vec<Vec<String>>> {
        self.command(password, what).await
    }

    /// Watches a server under the name as if it had been the master all the time.
    pub(crate) async fn monitor(&self, port: &str) {
        let (url, port) = (format!("redis://127.0.0.1:{}", self.port), port.to_owned());
        let exchange = move || {
            let mut connection = Client::open(url)?.get_connection()?;
            let mut monitor = cmd("SENTINEL");
            let monitor = monitor.arg("MONITOR").arg(NAME).arg("127.0.0.1");
            monitor.arg(port).arg(2).query::<String>(&mut connection)
        };
        let answer = tokio::task::spawn_blocking(exchange).await.unwrap();
        assert_eq!(answer.unwrap(), "OK");
    }

    /// `SENTINEL what main`.
    pub(crate) async fn command<T: FromRedisValue + Send + 'static>(
        &self,
        password: &str,
        what: &'static str,
    ) -> RedisResult<T> {
        let url = format!("redis://:{password}@127.0.0.1:{}", self.port);
        let exchange = move || {
            let mut connection = Client::open(url)?.get_connection()?;
            cmd("SENTINEL").arg(what).arg(NAME).query(&mut connection)
        };
        tokio::task::spawn_blocking(exchange).await.unwrap()
    }
}

async fn server() -> RedisServer {
    let builder = RedisServer::builder().arg("--repl-diskless-sync-delay", "0");
    builder.start().await
}

async fn role(server: &RedisServer) -> String {
    let role: Vec<Value> = ask(server, &["ROLE"]).await;
    from_redis_value(role[0].clone()).unwrap()
}

/// Waits until a master's replica has all that the master has now.
pub(crate) async fn replicated(master: &RedisServer) {
    let info = async || ask::<String>(master, &["INFO", "replication"]).await;
    let now = number(&info().await, "master_repl_offset:");
    let in_step = || async { number(&info().await, ",offset=") >= now };
    assert!(eventually(LIMIT, in_step).await, "{}", master.log());
}

/// The number that follows these words; 0 if they are not there.
fn number(info: &str, words: &str) -> u64 {
    let rest = info.split(words).nth(1).unwrap_or_default();
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
