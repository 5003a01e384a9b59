//! One connection through each of the drivers: what every driver promises.

use std::sync::Arc;

use bytes::Bytes;
use cloakroom_redis::{Driver, Endpoint, Event, Reply, ServerError};
use cloakroom_testkit::{RedisServer, eventually};
use tokio::time::timeout;

use crate::shared;
use crate::store::listener::{Listener, command};
use crate::store::support::{LIMIT, ask, connections, with_each_driver};

with_each_driver! {
    #[tokio::test] every_kind_of_reply_arrives,
    #[tokio::test] any_bytes_go_there_and_back,
    #[tokio::test] a_refusal_is_a_reply_in_its_place,
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)] each_call_gets_its_own_reply,
    #[tokio::test] subscriptions_are_confirmed_delivered_and_ended,
    #[tokio::test] the_end_is_reported_once_and_calls_fail,
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)] every_call_ends_with_its_connection,
    #[tokio::test] a_killed_server_fails_what_is_in_flight,
    #[tokio::test] an_attempt_that_is_given_up_leaves_nothing_behind,
}

fn text(text: &'static str) -> Reply {
    Reply::Bytes(Bytes::from_static(text.as_bytes()))
}

fn code(reply: &Reply) -> &str {
    match reply {
        Reply::Error(ServerError { code, .. }) => code,
        other => panic!("no error: {other:?}"),
    }
}

async fn every_kind_of_reply_arrives(driver: impl Driver + Copy) {
    let (server, key) = (shared::server().await, &format!("{driver:?}.replies"));
    let listener = Listener::through(driver, &server).await;
    assert_eq!(listener.call(&["GET", key]).await, Reply::Nil);
    assert_eq!(listener.call(&["HSET", key, "a", "1"]).await, Reply::Int(1));
    let pair = Reply::Array(vec![text("a"), text("1")]);
    assert_eq!(listener.call(&["HGETALL", key]).await, pair);
    assert_eq!(listener.call(&["PING"]).await, text("PONG"));
    assert_eq!(listener.call(&["DEL", key]).await, Reply::Int(1));
    let nested = ["EVAL", "return {1, {'a', false}, {}}", "0"];
    let expected = Reply::Array(vec![
        Reply::Int(1),
        Reply::Array(vec![text("a"), Reply::Nil]),
        Reply::Array(vec![]),
    ]);
    assert_eq!(listener.call(&nested).await, expected);
    let Reply::Bytes(info) = listener.call(&["INFO"]).await else {
        panic!("INFO is text");
    };
    assert!(info.starts_with(b"# Server"));
}

async fn any_bytes_go_there_and_back(driver: impl Driver + Copy) {
    let (server, key) = (shared::server().await, &format!("{driver:?}.bytes"));
    let listener = Listener::through(driver, &server).await;
    let all: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    let echo = command(&["ECHO"]).arg(all.clone());
    let reply = listener.connection.call(echo).await.unwrap();
    assert_eq!(reply, Reply::Bytes(all.into()));
    let empty = command(&["SET", key, ""]);
    listener.connection.call(empty).await.unwrap();
    assert_eq!(listener.call(&["GET", key]).await, text(""));
    listener.call(&["DEL", key]).await;
}

async fn a_refusal_is_a_reply_in_its_place(driver: impl Driver + Copy) {
    let (server, key) = (shared::server().await, &format!("{driver:?}.refusals"));
    let listener = Listener::through(driver, &server).await;
    let long = ["EVALSHA", "0000000000000000000000000000000000000000", "0"];
    assert_eq!(code(&listener.call(&["SET", key]).await), "ERR");
    assert_eq!(code(&listener.call(&long).await), "NOSCRIPT");
    let commands = [
        &["SET", key, "text"][..],
        &["HGET", key, "a"],
        &["GET", key],
        &long,
        &["NO-SUCH"],
        &["EVAL", "return redis.error_reply('OWN code and more')", "0"],
        &["DEL", key],
    ];
    let commands = commands.map(command).to_vec();
    let replies = listener.connection.pipeline(commands).await.unwrap();
    assert_eq!(replies[0], text("OK"));
    assert_eq!(code(&replies[1]), "WRONGTYPE");
    assert_eq!(replies[2], text("text"));
    assert_eq!(code(&replies[3]), "NOSCRIPT");
    assert_eq!(code(&replies[4]), "ERR");
    assert_eq!(code(&replies[5]), "OWN");
    assert_eq!(replies[6], Reply::Int(1));
    assert_eq!(replies.len(), 7);
}

async fn each_call_gets_its_own_reply(driver: impl Driver + Copy) {
    let server = shared::server().await;
    let connection = Arc::new(Listener::through(driver, &server).await.connection);
    let tasks = (0..64).map(|task| {
        let connection = Arc::clone(&connection);
        tokio::spawn(async move {
            for n in 0..50 {
                let nonce = format!("{task}.{n}");
                let one = connection.call(command(&["ECHO", &nonce])).await.unwrap();
                assert_eq!(one, Reply::Bytes(nonce.clone().into()));
                let many = (0..5).map(|i| command(&["ECHO", &format!("{nonce}.{i}")]));
                let replies = connection.pipeline(many.collect()).await.unwrap();
                for (i, reply) in replies.into_iter().enumerate() {
                    assert_eq!(reply, Reply::Bytes(format!("{nonce}.{i}").into()));
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

async fn subscriptions_are_confirmed_delivered_and_ended(driver: impl Driver + Copy) {
    let server = RedisServer::start().await;
    let mut listener = Listener::through(driver, &server).await;
    for (subscribe, publish, end) in [
        ("SUBSCRIBE", "PUBLISH", "UNSUBSCRIBE"),
        ("SSUBSCRIBE", "SPUBLISH", "SUNSUBSCRIBE"),
    ] {
        let channel = Bytes::from_static(b"news");
        listener.call(&[subscribe, "news"]).await;
        assert_eq!(
            listener.event().await,
            Event::Subscribed {
                channel: channel.clone()
            }
        );
        let heard: i64 = ask(&server, &[publish, "news", "one"]).await;
        assert_eq!(heard, 1);
        let payload = Bytes::from_static(b"one");
        let message = Event::Message {
            channel: channel.clone(),
            payload,
        };
        assert_eq!(listener.event().await, message);
        // Other commands go on beside it.
        assert_eq!(listener.call(&["ECHO", "still"]).await, text("still"));
        listener.call(&[end, "news"]).await;
        assert_eq!(listener.event().await, Event::Unsubscribed { channel });
    }
}

async fn the_end_is_reported_once_and_calls_fail(driver: impl Driver + Copy) {
    let server = RedisServer::start().await;
    let mut listener = Listener::through(driver, &server).await;
    let Reply::Int(id) = listener.call(&["CLIENT", "ID"]).await else {
        panic!("an id is a number");
    };
    server
        .command(&["CLIENT", "KILL", "ID", &id.to_string()])
        .await;
    assert_eq!(listener.event().await, Event::Closed);
    for _ in 0..3 {
        let call = listener.connection.call(command(&["PING"]));
        let error = timeout(LIMIT, call).await.unwrap().unwrap_err();
        assert!(!error.is_refused(), "{error}");
    }
    let pipeline = listener.connection.pipeline(vec![command(&["PING"])]);
    assert!(timeout(LIMIT, pipeline).await.unwrap().is_err());
    drop(std::mem::replace(
        &mut listener.connection,
        Listener::through(driver, &server).await.connection,
    ));
    assert!(listener.is_silent().await, "it was reported once");
}

/// Also in the very moment of the end; the client crate alone leaves one in some thousand calls
/// without an answer for ever.
async fn every_call_ends_with_its_connection(driver: impl Driver + Copy) {
    let server = Arc::new(RedisServer::start().await);
    let axe = tokio::spawn({
        let server = Arc::clone(&server);
        async move {
            loop {
                for id in connections(&server).await {
                    let id = id.strip_prefix("id=").unwrap();
                    let _ = server.try_command(&["CLIENT", "KILL", "ID", id]).await;
                }
            }
        }
    });
    let endpoint = Endpoint::parse(&server.url()).unwrap();
    for _ in 0..2000 {
        let attempt = driver.connect(&endpoint, Arc::new(|_| {}));
        let Ok(connection) = timeout(LIMIT, attempt).await.unwrap() else {
            continue;
        };
        let mut open = true;
        while open {
            let pipeline = connection.pipeline(vec![command(&["PING"]); 8]);
            open = timeout(LIMIT, pipeline).await.unwrap().is_ok();
            let call = connection.call(command(&["PING"]));
            open &= timeout(LIMIT, call).await.unwrap().is_ok();
        }
    }
    axe.abort();
}

async fn a_killed_server_fails_what_is_in_flight(driver: impl Driver + Copy) {
    let server = RedisServer::start().await;
    let mut listener = Listener::through(driver, &server).await;
    server.pause();
    let calls = [(); 20].map(|()| listener.connection.call(command(&["PING"])));
    let calls = futures_util::future::join_all(calls);
    let kill = async {
        tokio::task::yield_now().await;
        server.kill();
    };
    let (results, ()) = timeout(LIMIT, async { tokio::join!(calls, kill) })
        .await
        .unwrap();
    assert!(results.iter().all(Result::is_err));
    assert_eq!(listener.event().await, Event::Closed);
}

async fn an_attempt_that_is_given_up_leaves_nothing_behind(driver: impl Driver + Copy) {
    let server = RedisServer::start().await;
    let endpoint = Endpoint::parse(&server.url()).unwrap();
    server.pause();
    for _ in 0..5 {
        let attempt = driver.connect(&endpoint, Arc::new(|_| {}));
        assert!(
            timeout(std::time::Duration::from_millis(20), attempt)
                .await
                .is_err()
        );
    }
    server.resume();
    let alone = || async {
        let list: String = ask(&server, &["CLIENT", "LIST"]).await;
        list.lines().count() == 1
    };
    assert!(eventually(LIMIT, alone).await);
}
