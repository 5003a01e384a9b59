//! In front of a real server: withheld messages, a server that dies behind the link.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use cloakroom_testkit::{Link, RedisServer, eventually};

const LIMIT: Duration = Duration::from_secs(10);

/// A RESP3 connection that has subscribed to `news`.
fn subscriber(link: &Link) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", link.port())).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(b"HELLO 3\r\nSUBSCRIBE news\r\n").unwrap();
    read_until(&mut stream, ">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    stream
}

/// Reads until what was read ends so; answers all of it.
fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(end.as_bytes()) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        seen.extend(byte);
    }
    String::from_utf8(seen).unwrap()
}

fn echo(stream: &mut TcpStream, text: &str) -> String {
    write!(stream, "ECHO {text}\r\n").unwrap();
    read_until(stream, &format!("{text}\r\n"))
}

fn message(text: &str) -> String {
    let length = text.len();
    format!(">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n${length}\r\n{text}\r\n")
}

async fn publish(redis: &RedisServer, text: &str) {
    redis.command(&["PUBLISH", "news", text]).await;
}

async fn expect_withheld(link: &Link, count: usize) {
    let held = || async { link.withheld() == count };
    assert!(eventually(LIMIT, held).await, "{}", link.withheld());
}

#[tokio::test]
async fn withheld_messages_come_late_in_order_or_never() {
    let redis = RedisServer::start().await;
    let link = Link::to(redis.port());
    let mut stream = subscriber(&link);
    publish(&redis, "one").await;
    assert_eq!(read_until(&mut stream, "one\r\n"), message("one"));

    link.withhold_pushes(true);
    publish(&redis, "two").await;
    publish(&redis, "three").await;
    expect_withheld(&link, 2).await;
    assert_eq!(echo(&mut stream, "reply"), "$5\r\nreply\r\n");
    link.withhold_pushes(false);
    assert_eq!(
        read_until(&mut stream, "three\r\n"),
        message("two") + &message("three")
    );

    link.withhold_pushes(true);
    publish(&redis, "lost").await;
    expect_withheld(&link, 1).await;
    link.drop_withheld();
    expect_withheld(&link, 0).await;
    link.withhold_pushes(false);
    publish(&redis, "five").await;
    assert_eq!(read_until(&mut stream, "five\r\n"), message("five"));
}

#[tokio::test]
async fn a_server_that_dies_and_comes_back_does_so_behind_the_link() {
    let redis = RedisServer::start().await;
    let link = Link::to(redis.port());
    let mut stream = subscriber(&link);
    redis.kill();
    let end = stream.read(&mut [0; 64]);
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    redis.restart().await;
    subscriber(&link);
    assert_eq!(link.accepted(), 2);
}

#[tokio::test]
async fn withheld_messages_die_with_their_connection() {
    let redis = RedisServer::start().await;
    let link = Link::to(redis.port());
    let stream = subscriber(&link);
    link.withhold_pushes(true);
    publish(&redis, "one").await;
    expect_withheld(&link, 1).await;
    drop(stream);
    expect_withheld(&link, 0).await;
}
