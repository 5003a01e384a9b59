//! Real servers to start and break, for Cloakroom's own tests.
//!
//! [`RedisServer`] is a `redis-server` child process on a port of its own, [`RedisCluster`] several
//! that share the slots, [`RedisSentinel`] a master with replicas that sentinels watch; an
//! [`Authority`] signs certificates for any of them; [`Link`] is a network in front of a server that can be made bad, [`Process`] any other program,
//! [`eventually`] a poll with a limit, [`conformance`] the suite that every session store must
//! pass. All of them follow the same rules:
//!
//! - **Nothing hangs.** Every wait has a limit, and a wait that reaches it panics with what the
//!   child has printed so far.
//! - **Nothing is skipped.** A missing `redis-server` fails the test, with the command that
//!   installs it.
//! - **Nothing stays behind.** Dropping a value kills its child, paused or not.
//!
//! Limits are counted on the machine's clock. Under tokio's paused clock they still hold, but the
//! polls in between spin instead of sleeping: prefer the real clock around real servers.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use cloakroom_testkit::RedisServer;
//!
//! let redis = RedisServer::start().await;
//! redis.command(&["SET", "greeting", "hello"]).await;
//! assert_eq!(redis.keys().await, [b"greeting"]);
//!
//! redis.kill();
//! redis.restart().await;
//! assert_eq!(redis.dbsize().await, 0, "nothing was saved");
//! # }
//! ```

// A test helper has one way to report what went wrong: to fail the test that called it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod authority;
mod child;
pub mod conformance;
mod lines;
mod link;
mod poll;
mod port;
mod process;
mod redis_cluster;
mod redis_sentinel;
mod redis_server;

pub use authority::{Authority, Certificate};
pub use link::{Direction, Link};
pub use poll::eventually;
pub use port::free_port;
pub use process::{Process, ProcessBuilder};
pub use redis;
pub use redis_cluster::{ClusterNode, Failover, RedisCluster, RedisClusterBuilder, SlotMigration};
pub use redis_sentinel::{RedisSentinel, RedisSentinelBuilder};
pub use redis_server::{Monitor, RedisServer, RedisServerBuilder};
