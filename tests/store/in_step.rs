//! Each reply stays with its call, and each message before the replies that were sent after it,
//! whatever the server sends; through each of the drivers.

use cloakroom_redis::{Driver, Event, Reply, ServerError};
use cloakroom_testkit::RedisServer;
use futures_util::FutureExt;
use tokio::time::timeout;

use crate::shared;
use crate::store::listener::{Listener, command};
use crate::store::support::{LIMIT, ask, with_each_driver};

with_each_driver! {
    #[tokio::test] a_list_that_looks_like_a_push_is_a_reply,
    #[tokio::test] a_text_that_looks_like_a_redirection_is_a_reply,
    #[tokio::test] a_redirection_is_a_reply,
    #[tokio::test] a_cluster_that_is_down_says_so_or_ends_the_connection,
    #[tokio::test] a_refused_subscription_is_a_reply,
    #[tokio::test] a_dropped_call_disturbs_nobody,
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)] messages_come_before_later_replies,
}

fn text(text: &str) -> Reply {
    Reply::Bytes(text.to_owned().into())
}

fn refusal(code: &str, detail: &str) -> Reply {
    Reply::Error(ServerError {
        code: code.to_owned(),
        detail: detail.to_owned(),
    })
}

/// Fails if a reply is in another's place.
async fn in_step(listener: &Listener) {
    let commands = ["one", "two"].map(|word| command(&["ECHO", word]));
    let replies = listener.connection.pipeline(commands.to_vec());
    let replies = timeout(LIMIT, replies).await.unwrap().unwrap();
    assert_eq!(replies, [text("one"), text("two")]);
}

async fn a_list_that_looks_like_a_push_is_a_reply(driver: impl Driver + Copy) {
    let (server, key) = (shared::server().await, &format!("{driver:?}.pushes"));
    let mut listener = Listener::through(driver, &server).await;
    for list in [
        &["message", "news", "one"][..],
        &["smessage", "news", "one"],
        &["pmessage", "*", "news", "one"],
        &["pubsub", "message", "news", "one"],
        &["subscribe", "news", "1"],
        &["sunsubscribe", "news", "0", "more"],
        &["invalidate", "key"],
    ] {
        let push = [&["RPUSH", key][..], list].concat();
        assert_eq!(listener.call(&push).await, Reply::Int(list.len() as i64));
        let list = Reply::Array(list.iter().map(|item| text(item)).collect());
        assert_eq!(listener.call(&["LRANGE", key, "0", "-1"]).await, list);
        in_step(&listener).await;
        listener.call(&["DEL", key]).await;
    }
    assert_eq!(listener.heard(), None);
}

async fn a_text_that_looks_like_a_redirection_is_a_reply(driver: impl Driver + Copy) {
    let (server, key) = (shared::server().await, &format!("{driver:?}.text"));
    let listener = Listener::through(driver, &server).await;
    for value in [
        "ASK 1 127.0.0.1:1",
        "MOVED 1 127.0.0.1:1",
        "CLUSTERDOWN",
        "QUEUED",
    ] {
        listener.call(&["SET", key, value]).await;
        assert_eq!(listener.call(&["GET", key]).await, text(value));
        in_step(&listener).await;
    }
    listener.call(&["DEL", key]).await;
}

/// What a script answers with the error that it is given.
const REFUSE: [&str; 3] = ["EVAL", "return redis.error_reply(ARGV[1])", "0"];

async fn a_redirection_is_a_reply(driver: impl Driver + Copy) {
    let server = shared::server().await;
    let listener = Listener::through(driver, &server).await;
    for (code, detail) in [
        ("MOVED", "1 127.0.0.1:1"),
        ("ASK", "1 127.0.0.1:1"),
        ("TRYAGAIN", "soon"),
        ("LOADING", "the dataset"),
        ("READONLY", "replica"),
        ("NOAUTH", "who"),
    ] {
        let error = format!("{code} {detail}");
        let reply = listener.call(&[&REFUSE[..], &[&error]].concat()).await;
        assert_eq!(reply, refusal(code, detail));
        in_step(&listener).await;
    }
}

async fn a_cluster_that_is_down_says_so_or_ends_the_connection(driver: impl Driver + Copy) {
    let server = shared::server().await;
    let mut listener = Listener::through(driver, &server).await;
    let down = command(&[&REFUSE[..], &["CLUSTERDOWN so"]].concat());
    match timeout(LIMIT, listener.connection.call(down))
        .await
        .unwrap()
    {
        Ok(reply) => {
            assert_eq!(reply, refusal("CLUSTERDOWN", "so"));
            in_step(&listener).await;
        }
        Err(error) => {
            assert!(error.to_string().contains("CLUSTERDOWN"), "{error}");
            assert_eq!(listener.event().await, Event::Closed);
        }
    }
}

async fn a_refused_subscription_is_a_reply(driver: impl Driver + Copy) {
    let server = RedisServer::start().await;
    let rules = ["on", "nopass", "+@all", "~*", "resetchannels", "&mine"];
    server
        .command(&[&["ACL", "SETUSER", "app"][..], &rules].concat())
        .await;
    let url = format!("redis://app@127.0.0.1:{}", server.port());
    let mut listener = Listener::at(driver, &url).await.unwrap();
    for subscribe in ["SUBSCRIBE", "SSUBSCRIBE"] {
        match listener.call(&[subscribe, "others"]).await {
            Reply::Error(error) => assert_eq!(error.code, "NOPERM"),
            other => panic!("no refusal: {other:?}"),
        }
        in_step(&listener).await;
        assert_eq!(listener.heard(), None);
        let reply = listener.call(&[subscribe, "mine"]).await;
        assert!(!matches!(reply, Reply::Error(_)), "{reply:?}");
        let channel = "mine".into();
        assert_eq!(listener.event().await, Event::Subscribed { channel });
        in_step(&listener).await;
    }
}

async fn a_dropped_call_disturbs_nobody(driver: impl Driver + Copy) {
    let (server, key) = (shared::server().await, &format!("{driver:?}.dropped"));
    let listener = Listener::through(driver, &server).await;
    for _ in 0..200 {
        drop(
            listener
                .connection
                .call(command(&["ECHO", "dropped"]))
                .now_or_never(),
        );
        let several = [&["ECHO", "dropped"][..], &["LRANGE", key, "0", "-1"]];
        let several = several.map(command).to_vec();
        drop(listener.connection.pipeline(several).now_or_never());
        in_step(&listener).await;
    }
}

async fn messages_come_before_later_replies(driver: impl Driver + Copy) {
    let server = RedisServer::start().await;
    let mut listener = Listener::through(driver, &server).await;
    listener.call(&["SUBSCRIBE", "news"]).await;
    let channel = "news".into();
    assert_eq!(listener.event().await, Event::Subscribed { channel });
    for n in 0..500 {
        let payload = n.to_string();
        let _: i64 = ask(&server, &["PUBLISH", "news", &payload]).await;
        listener.call(&["PING"]).await;
        let (channel, payload) = ("news".into(), payload.into());
        assert_eq!(listener.heard(), Some(Event::Message { channel, payload }));
    }
}
