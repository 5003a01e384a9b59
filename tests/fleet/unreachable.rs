//! A Redis that can't be reached: one clear line within two seconds, and code 1.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use cloakroom_testkit::free_port;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::fleet::support::{LIMIT, program};

/// What the contract promises.
const PROMISED: Duration = Duration::from_secs(2);

/// How long a connection that isn't answered is watched before it counts as swallowed.
const SWALLOWED: Duration = Duration::from_millis(300);

/// Starts the main job and a node with this address, and checks how they end.
async fn refused(url: &str) {
    let node = ["--node", "--version", "v1"];
    for job in [&[][..], &node[..]] {
        let started = Instant::now();
        let program = program()
            .args(["--port", "0", "--redis", url])
            .args(job)
            .start();
        let status = program.wait(LIMIT).await;
        let (took, output) = (started.elapsed(), program.output());
        println!("{took:?}: {}", output.trim_end());
        assert_eq!(status.code(), Some(1), "{output}");
        assert_eq!(output.lines().count(), 1, "{output}");
        let place = url.rsplit(['/', '@']).next().unwrap();
        assert!(output.contains(place), "which one: {output}");
        assert!(!output.contains("hunter2"), "{output}");
        assert!(took < PROMISED, "{took:?}");
    }
}

#[tokio::test]
async fn nobody_listens() {
    refused(&format!("redis://:hunter2@127.0.0.1:{}", free_port())).await;
}

#[tokio::test]
async fn a_name_that_is_nowhere() {
    refused("redis://cloakroom.invalid").await;
}

/// The system takes the connection; nobody ever reads it.
#[tokio::test]
async fn somebody_listens_and_never_answers() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    refused(&format!("redis://:hunter2@127.0.0.1:{port}")).await;
}

/// A listener whose queue is full: packets to it are dropped, as by a firewall.
#[tokio::test]
async fn a_port_that_swallows_every_packet() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(connected) = timeout(SWALLOWED, TcpStream::connect(address)).await {
        queue.push(connected.unwrap());
        assert!(queue.len() < 100, "the queue has no end");
    }
    refused(&format!("redis://{address}")).await;
}

/// Something else than a Redis: it answers at once, and nothing that makes sense.
#[tokio::test]
async fn somebody_answers_in_another_language() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    refused(&format!("redis://127.0.0.1:{port}")).await;
}
