//! A real server: started, asked, paused, killed and started again.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use cloakroom_testkit::redis::{ServerErrorKind, Value};
use cloakroom_testkit::{RedisServer, eventually};

#[tokio::test]
async fn two_servers_know_nothing_of_each_other() {
    let (one, two) = (RedisServer::start().await, RedisServer::start().await);
    assert_ne!(one.port(), two.port());
    assert_eq!(one.url(), format!("redis://127.0.0.1:{}", one.port()));
    one.command(&["SET", "a", "1"]).await;
    assert_eq!((one.dbsize().await, two.dbsize().await), (1, 0));
    assert_eq!(one.keys().await, [b"a"]);
}

#[tokio::test]
async fn many_servers_start_at_once() {
    let starts: Vec<_> = (0..8).map(|_| tokio::spawn(RedisServer::start())).collect();
    for start in starts {
        assert_eq!(start.await.unwrap().dbsize().await, 0);
    }
}

#[tokio::test]
async fn an_error_is_told_apart() {
    let redis = RedisServer::start().await;
    redis.command(&["SET", "a", "text"]).await;
    let error = redis.try_command(&["HGET", "a", "b"]).await.unwrap_err();
    assert_eq!(error.code(), Some("WRONGTYPE"), "{error}");
    let error = redis.try_command(&["NO-SUCH-COMMAND"]).await.unwrap_err();
    assert_eq!(
        error.kind(),
        ServerErrorKind::ResponseError.into(),
        "{error}"
    );
}

#[tokio::test]
async fn a_killed_server_comes_back_empty_on_its_port() {
    let redis = RedisServer::start().await;
    redis.command(&["SET", "a", "1"]).await;
    redis.kill();
    assert!(redis.try_command(&["PING"]).await.is_err());
    TcpStream::connect(("127.0.0.1", redis.port())).unwrap_err();
    let port = redis.port();
    redis.restart().await;
    assert_eq!((redis.port(), redis.dbsize().await), (port, 0));
}

#[tokio::test]
async fn a_persistent_server_comes_back_with_its_data() {
    let redis = RedisServer::builder()
        .arg("--appendonly", "yes")
        .start()
        .await;
    redis
        .command(&["CONFIG", "SET", "appendfsync", "always"])
        .await;
    redis.command(&["SET", "a", "1"]).await;
    redis.kill();
    redis.restart().await;
    assert_eq!(
        redis.command(&["GET", "a"]).await,
        Value::BulkString(b"1".to_vec())
    );
    redis.restart().await;
    assert_eq!(redis.dbsize().await, 1, "a running server can be restarted");
}

#[tokio::test]
async fn a_paused_server_accepts_but_does_not_answer() {
    let redis = RedisServer::start().await;
    redis.pause();
    let stream = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    std::io::Write::write_all(&mut &stream, b"PING\r\n").unwrap();
    std::io::Read::read(&mut &stream, &mut [0; 8]).unwrap_err();
    redis.resume();
    let answers = || async { redis.try_command(&["PING"]).await.is_ok() };
    assert!(eventually(Duration::from_secs(5), answers).await);
}

#[tokio::test]
async fn a_paused_server_is_stopped_restarted_and_dropped() {
    let start = Instant::now();
    let redis = RedisServer::start().await;
    redis.pause();
    redis.stop().await;
    redis.restart().await;
    redis.pause();
    redis.restart().await;
    redis.pause();
    let port = redis.port();
    drop(redis);
    TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn statistics_count_the_test_and_not_the_testkit() {
    let redis = RedisServer::start().await;
    let stats = redis.command_stats().await;
    assert!(stats.is_empty(), "after the start: {stats:?}");
    redis.command(&["HSET", "h", "f", "v"]).await;
    redis.command(&["HGETALL", "h"]).await;
    redis.command(&["HGETALL", "h"]).await;
    redis.command(&["CONFIG", "GET", "port"]).await;
    let stats = redis.command_stats().await;
    assert_eq!(
        (stats["hset"], stats["hgetall"], stats["config|get"]),
        (1, 2, 1),
        "{stats:?}"
    );
    redis.reset_stats().await;
    redis.dbsize().await;
    redis.keys().await;
    redis.dump().await;
    redis.monitor().await.finish().await;
    assert_eq!(
        redis.command_stats().await,
        Default::default(),
        "after the reset"
    );
    redis.restart().await;
    assert_eq!(
        redis.command_stats().await,
        Default::default(),
        "after the restart"
    );
}

#[tokio::test]
async fn a_dump_shows_what_is_stored() {
    let redis = RedisServer::start().await;
    let secret = "needle".repeat(20);
    redis.command(&["HSET", "h", "field", &secret]).await;
    let dump = redis.dump().await;
    assert!(dump.starts_with(b"REDIS") || dump.starts_with(b"VALKEY"));
    assert!(String::from_utf8_lossy(&dump).contains(&secret));
}

#[tokio::test]
async fn a_monitor_captures_all_that_came_before_its_end() {
    let redis = RedisServer::start().await;
    let monitor = redis.monitor().await;
    for n in 0..100 {
        redis.command(&["SET", &format!("key-{n}"), "v"]).await;
    }
    let seen = String::from_utf8(monitor.finish().await).unwrap();
    let sets: Vec<&str> = seen
        .lines()
        .filter(|line| line.contains("\"SET\""))
        .collect();
    assert_eq!(sets.len(), 100, "{seen}");
    assert!(!seen.contains("ECHO"));
}

#[tokio::test]
async fn a_monitor_outlives_its_server() {
    let redis = RedisServer::start().await;
    let monitor = redis.monitor().await;
    redis.command(&["SET", "a", "1"]).await;
    // A later reply says that the server has written out all about the earlier command.
    redis.command(&["PING"]).await;
    redis.kill();
    let seen = String::from_utf8(monitor.finish().await).unwrap();
    assert!(seen.contains("\"SET\" \"a\" \"1\""), "{seen}");
}

#[tokio::test]
async fn the_log_is_readable_and_spans_restarts() {
    let redis = RedisServer::start().await;
    redis.restart().await;
    assert_eq!(
        redis.log().matches("Ready to accept connections").count(),
        2,
        "{}",
        redis.log()
    );
}

#[tokio::test]
#[should_panic(expected = "its log:")]
async fn a_server_that_refuses_its_arguments_fails_with_the_log() {
    RedisServer::builder()
        .arg("--no-such-directive", "yes")
        .start()
        .await;
}

#[tokio::test]
async fn a_linked_server_is_reached_through_its_link() {
    let redis = RedisServer::builder().linked().start().await;
    assert_eq!(redis.url(), redis.link().url());
    assert_ne!(redis.public_port(), redis.port());
    TcpStream::connect(("127.0.0.1", redis.public_port())).unwrap();
    redis.link().cut();
    TcpStream::connect(("127.0.0.1", redis.public_port())).unwrap_err();
    redis.command(&["PING"]).await;
    assert!(redis.is_alive() && redis.is_running());
    redis.kill();
    assert!(!redis.is_alive() && !redis.is_running());
}
