//! Losing a server's subscribers.

use super::RedisServer;

/// How much a subscriber may be behind while the test makes it fall behind, in bytes.
const SMALL: usize = 32 * 1024;

/// How many messages of a kilobyte are more than that.
const MESSAGES: usize = 64;

/// Publishes all of them before the server can write one out. A single long message would not do:
/// Valkey sends it without putting it into the subscriber's buffer.
const OVERFLOW: &str = "
    local reached = 0
    for _ = 1, tonumber(ARGV[2]) do
        reached = redis.call(ARGV[1], KEYS[1], string.rep('x', 1024))
    end
    return reached";

impl RedisServer {
    /// How many connections have subscribed to something.
    pub async fn subscribers(&self) -> usize {
        let list = ["CLIENT", "LIST", "TYPE", "pubsub"];
        let list = self.control.own("client|list", &list).await;
        let list: String = redis::from_redis_value(list).expect("CLIENT LIST answers text");
        list.lines().count()
    }

    /// Closes the connections that have subscribed to something (`CLIENT KILL TYPE pubsub`), and
    /// answers how many.
    pub async fn kill_subscribers(&self) -> usize {
        let kill = ["CLIENT", "KILL", "TYPE", "pubsub"];
        let killed = self.control.own("client|kill", &kill).await;
        redis::from_redis_value(killed).expect("CLIENT KILL answers a number")
    }

    /// Sets how many bytes a subscriber may be behind before the server closes its connection
    /// (`client-output-buffer-limit pubsub`); zero is any number. A new server allows 32 MiB.
    pub async fn limit_subscribers(&self, bytes: usize) {
        let limit = format!("pubsub {bytes} 0 0");
        let set = ["CONFIG", "SET", "client-output-buffer-limit", &limit];
        self.control.own("config|set", &set).await;
    }

    /// Publishes more on `channel` than fits into the output buffers of its subscribers, so that the
    /// server closes their connections; answers how many. Afterwards
    /// the limit is as in a new server.
    pub async fn overflow_subscribers(&self, channel: &str) -> usize {
        self.overflow("PUBLISH", channel).await
    }

    /// Like [`overflow_subscribers`](RedisServer::overflow_subscribers), on a sharded channel.
    ///
    /// # Panics
    ///
    /// If the channel's slot is another node's.
    pub async fn overflow_shard_subscribers(&self, channel: &str) -> usize {
        self.overflow("SPUBLISH", channel).await
    }

    async fn overflow(&self, publish: &str, channel: &str) -> usize {
        self.limit_subscribers(SMALL).await;
        let messages = MESSAGES.to_string();
        let eval = ["EVAL", OVERFLOW, "1", channel, publish, &messages];
        let reached = self.control.own("eval", &eval).await;
        for _ in 0..MESSAGES {
            self.control.count(&publish.to_lowercase());
        }
        // The server closes what it gave up before it reads the next command.
        let standard = "pubsub 33554432 8388608 60";
        let set = ["CONFIG", "SET", "client-output-buffer-limit", standard];
        self.control.own("config|set", &set).await;
        redis::from_redis_value(reached).expect("a number of receivers")
    }
}
