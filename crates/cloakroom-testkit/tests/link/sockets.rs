//! Between two sockets: passing, delayed, broken, healed.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use cloakroom_testkit::{Direction, Link, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LIMIT: Duration = Duration::from_secs(10);

/// Long enough to see that nothing comes; nothing depends on it being longer.
const SILENCE: Duration = Duration::from_millis(50);

/// A link with both ends of one connection through it.
struct Ends {
    link: Link,
    listener: TcpListener,
    client: TcpStream,
    server: TcpStream,
}

impl Ends {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let link = Link::to(listener.local_addr().unwrap().port());
        let client = connect(&link).await;
        let (server, _) = listener.accept().await.unwrap();
        Self {
            link,
            listener,
            client,
            server,
        }
    }

    async fn another(&self) -> (TcpStream, TcpStream) {
        let client = connect(&self.link).await;
        (client, self.listener.accept().await.unwrap().0)
    }
}

async fn connect(link: &Link) -> TcpStream {
    TcpStream::connect(("127.0.0.1", link.port()))
        .await
        .unwrap()
}

/// The next bytes, as many as `expected` has, are these.
async fn expect(stream: &mut TcpStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    let read = tokio::time::timeout(LIMIT, stream.read_exact(&mut bytes)).await;
    read.expect("bytes come in time").unwrap();
    assert!(bytes == expected, "other bytes came");
}

async fn expect_silence(stream: &mut TcpStream) {
    let read = tokio::time::timeout(SILENCE, stream.read_u8()).await;
    assert!(read.is_err(), "{read:?} instead of silence");
}

async fn expect_end(stream: &mut TcpStream) {
    let read = tokio::time::timeout(LIMIT, stream.read(&mut [0])).await;
    assert_eq!(read.expect("an end in time").unwrap(), 0);
}

async fn expect_reset(stream: &mut TcpStream) {
    let read = tokio::time::timeout(LIMIT, stream.read(&mut [0])).await;
    let error = read.expect("a reset in time").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

async fn expect_connections(link: &Link, count: usize) {
    let there = || async { link.connections() == count };
    assert!(eventually(LIMIT, there).await, "{}", link.connections());
}

#[tokio::test]
async fn a_healthy_link_changes_nothing() {
    let mut ends = Ends::new().await;
    let much: Vec<u8> = (0..4_000_000_u32).map(|n| (n % 251) as u8).collect();
    let (mut reader, mut writer) = ends.client.split();
    let echo = async {
        let mut back = vec![0; much.len()];
        ends.server.read_exact(&mut back).await.unwrap();
        ends.server.write_all(&back).await.unwrap();
    };
    let mut back = vec![0; much.len()];
    let (sent, read, ()) =
        tokio::join!(writer.write_all(&much), reader.read_exact(&mut back), echo);
    sent.unwrap();
    read.unwrap();
    assert!(back == much);
    assert_eq!((ends.link.connections(), ends.link.accepted()), (1, 1));
    ends.client.shutdown().await.unwrap();
    expect_end(&mut ends.server).await;
    ends.server.write_all(b"last words").await.unwrap();
    expect(&mut ends.client, b"last words").await;
    drop(ends.server);
    expect_end(&mut ends.client).await;
    expect_connections(&ends.link, 0).await;
}

#[tokio::test]
async fn a_delay_is_for_its_direction() {
    let mut ends = Ends::new().await;
    ends.link
        .delay(Direction::ToClient, Duration::from_secs(3600));
    ends.client.write_all(b"ask").await.unwrap();
    expect(&mut ends.server, b"ask").await;
    ends.server.write_all(b"answer").await.unwrap();
    expect_silence(&mut ends.client).await;
}

#[tokio::test]
async fn delayed_bytes_wait_once_and_keep_their_order() {
    let delay = Duration::from_millis(200);
    let mut ends = Ends::new().await;
    ends.link.delay(Direction::ToClient, delay);
    let start = Instant::now();
    let numbers: Vec<u8> = (0..40).collect();
    for number in &numbers {
        ends.server.write_all(&[*number]).await.unwrap();
        tokio::task::yield_now().await;
    }
    expect(&mut ends.client, &numbers).await;
    let took = start.elapsed();
    assert!(took >= delay && took < delay * 40, "{took:?}");
}

#[tokio::test]
async fn a_delay_that_ends_lets_all_go_in_order() {
    let mut ends = Ends::new().await;
    ends.link.delay(Direction::Both, Duration::from_secs(3600));
    ends.client.write_all(b"first").await.unwrap();
    expect_silence(&mut ends.server).await;
    ends.link.delay(Direction::Both, Duration::ZERO);
    ends.client.write_all(b"second").await.unwrap();
    expect(&mut ends.server, b"firstsecond").await;
}

#[tokio::test]
async fn a_throttle_counts_bytes() {
    let mut ends = Ends::new().await;
    ends.link.throttle(Direction::ToServer, 10_000);
    let start = Instant::now();
    ends.client.write_all(&[7; 3_000]).await.unwrap();
    expect(&mut ends.server, &[7; 3_000]).await;
    let took = start.elapsed();
    // The last piece is paid for after it went.
    assert!(took >= Duration::from_millis(270), "{took:?}");
    ends.client.write_all(&[8; 1_000_000]).await.unwrap();
    ends.link.heal();
    expect(&mut ends.server, &[8; 1_000_000]).await;
}

#[tokio::test]
async fn what_is_stalled_waits_and_comes() {
    let mut ends = Ends::new().await;
    ends.link.stall(Direction::ToServer);
    ends.client.write_all(b"late").await.unwrap();
    ends.client.shutdown().await.unwrap();
    expect_silence(&mut ends.server).await;
    ends.server.write_all(b"hello").await.unwrap();
    expect(&mut ends.client, b"hello").await;
    ends.link.heal();
    expect(&mut ends.server, b"late").await;
    expect_end(&mut ends.server).await;
}

#[tokio::test]
async fn a_stalled_sender_is_held_up() {
    let ends = Ends::new().await;
    ends.link.stall(Direction::ToServer);
    let mut client = ends.client;
    let write = client.write_all(&[0; 64_000_000]);
    assert!(
        tokio::time::timeout(Duration::from_millis(500), write)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn what_is_swallowed_never_comes_and_the_connection_stays_silent() {
    let mut ends = Ends::new().await;
    ends.link.swallow(Direction::ToClient);
    ends.server.write_all(&[0; 32_000_000]).await.unwrap();
    expect_silence(&mut ends.client).await;
    ends.client.write_all(b"still").await.unwrap();
    expect(&mut ends.server, b"still").await;
    ends.link.heal();
    ends.server.write_all(b"more").await.unwrap();
    expect_silence(&mut ends.client).await;
    let (mut client, mut server) = ends.another().await;
    server.write_all(b"new").await.unwrap();
    expect(&mut client, b"new").await;
    assert_eq!(ends.link.cut_now(1), 1, "the oldest is the black hole");
    expect_reset(&mut ends.client).await;
    assert_eq!(ends.link.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_lost_nothing_survives_a_black_hole() {
    let mut ends = Ends::new().await;
    ends.link.swallow(Direction::Both);
    ends.link.heal();
    ends.client.write_all(b"whole").await.unwrap();
    expect(&mut ends.server, b"whole").await;
}

#[tokio::test]
async fn the_death_of_a_peer_is_swallowed_too() {
    let mut ends = Ends::new().await;
    ends.link.swallow(Direction::ToClient);
    drop(ends.server);
    for _ in 0..5 {
        ends.client.write_all(b"anyone there?").await.unwrap();
        expect_silence(&mut ends.client).await;
    }
    assert_eq!(ends.link.connections(), 1);
}

#[tokio::test]
async fn a_half_close_ends_one_direction_of_those_that_are_there() {
    let mut ends = Ends::new().await;
    ends.server.write_all(b"before").await.unwrap();
    expect(&mut ends.client, b"before").await;
    ends.link.half_close(Direction::ToClient);
    expect_end(&mut ends.client).await;
    ends.server.write_all(b"dropped").await.unwrap();
    ends.client.write_all(b"goes on").await.unwrap();
    expect(&mut ends.server, b"goes on").await;
    let (mut client, mut server) = ends.another().await;
    server.write_all(b"new").await.unwrap();
    expect(&mut client, b"new").await;
}

#[tokio::test]
async fn a_cut_resets_both_ends_and_refuses_until_it_heals() {
    let mut ends = Ends::new().await;
    for _ in 0..3 {
        ends.link.cut();
        assert_eq!(ends.link.connections(), 0);
        expect_reset(&mut ends.client).await;
        expect_reset(&mut ends.server).await;
        let refused = TcpStream::connect(("127.0.0.1", ends.link.port())).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        ends.link.heal();
        (ends.client, ends.server) = ends.another().await;
    }
    ends.client.write_all(b"back").await.unwrap();
    expect(&mut ends.server, b"back").await;
}

#[tokio::test]
async fn one_of_several_is_cut() {
    let mut ends = Ends::new().await;
    let (mut client, mut server) = ends.another().await;
    assert_eq!(ends.link.cut_now(1), 1);
    expect_reset(&mut ends.client).await;
    expect_reset(&mut ends.server).await;
    client.write_all(b"spared").await.unwrap();
    expect(&mut server, b"spared").await;
    assert_eq!(ends.link.cut_now(9), 1);
    assert_eq!((ends.link.connections(), ends.link.accepted()), (0, 2));
}

#[tokio::test]
async fn a_broken_end_breaks_the_other() {
    let mut ends = Ends::new().await;
    ends.client.set_zero_linger().unwrap();
    drop(ends.client);
    expect_reset(&mut ends.server).await;
    expect_connections(&ends.link, 0).await;
}

#[tokio::test]
async fn nobody_behind_the_link_is_a_reset() {
    let mut ends = Ends::new().await;
    drop(ends.listener);
    expect_reset(&mut connect(&ends.link).await).await;
    ends.client.write_all(b"old").await.unwrap();
    expect(&mut ends.server, b"old").await;
}

#[tokio::test]
async fn dropping_it_closes_everything() {
    let mut ends = Ends::new().await;
    let port = ends.link.port();
    drop(ends.link);
    let read = ends.client.read(&mut [0]).await;
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    TcpStream::connect(("127.0.0.1", port)).await.unwrap_err();
}

#[test]
fn it_needs_no_runtime_and_no_running_clock() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let link = Link::to(listener.local_addr().unwrap().port());
    let client = std::net::TcpStream::connect(("127.0.0.1", link.port())).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    std::io::Write::write_all(&mut &client, b"x").unwrap();
    std::io::Read::read_exact(&mut server, &mut [0]).unwrap();
}
