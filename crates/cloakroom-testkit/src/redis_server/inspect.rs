//! What a test may ask a server.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use redis::{FromRedisValue, RedisResult, Value};

use super::control::Counts;
use super::{Monitor, RedisServer, info, spec};

impl RedisServer {
    /// Sends one command over a connection of its own and answers the server's reply.
    ///
    /// # Panics
    ///
    /// If the server answers with an error, or not within 5 seconds.
    ///
    /// # Example
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use cloakroom_testkit::{RedisServer, redis::Value};
    ///
    /// let redis = RedisServer::start().await;
    /// assert_eq!(redis.command(&["SET", "a", "b"]).await, Value::Okay);
    /// assert_eq!(redis.command(&[b"GET".as_slice(), b"\xff"]).await, Value::Nil);
    /// # }
    /// ```
    pub async fn command<A: AsRef<[u8]>>(&self, args: &[A]) -> Value {
        self.try_command(args).await.unwrap_or_else(|error| {
            let command: Vec<_> = args
                .iter()
                .map(|a| String::from_utf8_lossy(a.as_ref()))
                .collect();
            panic!("{}: {error}", command.join(" "))
        })
    }

    /// Like [`command`](RedisServer::command), for a test that expects a failure.
    ///
    /// # Errors
    ///
    /// If the server answers with an error, or not within 5 seconds.
    pub async fn try_command<A: AsRef<[u8]>>(&self, args: &[A]) -> RedisResult<Value> {
        self.control.send(args).await
    }

    /// Sends a command on the testkit's own account, which `name` is in the statistics; `None` if
    /// it fails.
    pub(crate) async fn ask<T: FromRedisValue>(&self, name: &str, args: &[&str]) -> Option<T> {
        redis::from_redis_value(self.control.ask(name, args).await?).ok()
    }

    /// How many keys there are.
    pub async fn dbsize(&self) -> u64 {
        let size = self.control.own("dbsize", &["DBSIZE"]).await;
        redis::from_redis_value(size).expect("DBSIZE answers a number")
    }

    /// All keys, sorted.
    pub async fn keys(&self) -> Vec<Vec<u8>> {
        let keys = self.control.own("keys", &["KEYS", "*"]).await;
        let mut keys: Vec<Vec<u8>> = redis::from_redis_value(keys).expect("KEYS answers a list");
        keys.sort_unstable();
        keys
    }

    /// Sets the server's statistics to zero, for [`command_stats`](RedisServer::command_stats).
    pub async fn reset_stats(&self) {
        self.control.forget_counts();
        self.control
            .own("config|resetstat", &["CONFIG", "RESETSTAT"])
            .await;
    }

    /// The calls per command since the server's start or the last
    /// [`reset_stats`](RedisServer::reset_stats); commands that were not called are absent.
    ///
    /// Names are in lower case, as in `hgetall`; subcommands are told apart, as in `config|get`
    /// (before Redis 7 only `config`). What a script calls counts beside the script. The calls
    /// that the testkit makes on its own account are left out, those of
    /// [`command`](RedisServer::command) count.
    pub async fn command_stats(&self) -> BTreeMap<String, u64> {
        let own: Counts = self.control.own_counts();
        let info = self.control.own("info", &["INFO", "commandstats"]).await;
        let info: String = redis::from_redis_value(info).expect("INFO answers text");
        info::subtract(info::calls_per_command(&info), &own)
    }

    /// What somebody who steals the server's disk gets: the bytes of a fresh RDB file (`SAVE`),
    /// uncompressed, so that they can be searched.
    ///
    /// # Panics
    ///
    /// If the server can't save, for instance because it is saving already.
    pub async fn dump(&self) -> Vec<u8> {
        self.control.own("save", &["SAVE"]).await;
        fs::read(self.dir.path().join(spec::RDB)).expect("SAVE has written the file")
    }

    /// Starts to capture every command that the server executes. Commands that start after this
    /// returns are captured.
    pub async fn monitor(&self) -> Monitor {
        Monitor::start(Arc::clone(&self.control)).await
    }
}
