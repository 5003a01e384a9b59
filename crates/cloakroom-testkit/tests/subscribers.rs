//! Subscribers that the server gives up.

// What a helper of a test can't get, fails the test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use cloakroom_testkit::{Direction, Link, RedisServer, eventually};

const LIMIT: Duration = Duration::from_secs(10);

/// A connection whose subscription is confirmed.
fn subscribe(port: u16, command: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    write!(stream, "{command} news\r\n").unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b":1\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        seen.extend(byte);
    }
    stream
}

/// The server closed it, and sent nothing more.
fn expect_closed(mut stream: TcpStream) {
    let read = stream.read(&mut [0]);
    let closed = match &read {
        Ok(length) => *length == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    };
    assert!(closed, "{read:?}");
}

#[tokio::test]
async fn subscribers_are_counted_and_killed() {
    let redis = RedisServer::start().await;
    assert_eq!(redis.kill_subscribers().await, 0);
    let plain = subscribe(redis.port(), "SUBSCRIBE");
    let sharded = subscribe(redis.port(), "SSUBSCRIBE");
    let other = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    assert_eq!(redis.subscribers().await, 2);
    assert_eq!(redis.kill_subscribers().await, 2);
    assert_eq!(redis.subscribers().await, 0);
    expect_closed(plain);
    expect_closed(sharded);
    other.set_nonblocking(true).unwrap();
    let read = (&other).read(&mut [0]).unwrap_err();
    assert_eq!(read.kind(), std::io::ErrorKind::WouldBlock, "no subscriber");
}

#[tokio::test]
async fn subscribers_are_overrun_and_later_ones_are_not() {
    let redis = RedisServer::start().await;
    let plain = subscribe(redis.port(), "SUBSCRIBE");
    let sharded = subscribe(redis.port(), "SSUBSCRIBE");
    assert_eq!(redis.overflow_subscribers("news").await, 1);
    assert_eq!(redis.subscribers().await, 1);
    expect_closed(plain);
    assert_eq!(redis.overflow_shard_subscribers("news").await, 1);
    expect_closed(sharded);
    let _later = subscribe(redis.port(), "SUBSCRIBE");
    let much = "x".repeat(1_000_000);
    redis.command(&["PUBLISH", "news", &much]).await;
    assert_eq!(redis.subscribers().await, 1);
}

#[tokio::test]
async fn a_subscriber_behind_a_stalled_link_falls_behind_and_is_closed() {
    let redis = RedisServer::start().await;
    redis.limit_subscribers(64 * 1024).await;
    let link = Link::to(redis.port());
    let _stream = subscribe(link.port(), "SUBSCRIBE");
    link.stall(Direction::ToClient);
    let message = "x".repeat(32 * 1024);
    let closed = eventually(LIMIT, || async {
        redis.command(&["PUBLISH", "news", &message]).await;
        redis.subscribers().await == 0
    });
    assert!(closed.await, "buffers on the way are finite");
    assert_eq!(link.connections(), 1, "the subscriber hears nothing of it");
}
