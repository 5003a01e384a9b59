//! Starting: what is refused, with what to do about it.

use cloakroom_core::{Error, ErrorKind, SessionStore};
use cloakroom_redis::{Durability, RedisStore};
use cloakroom_testkit::{RedisServer, free_port};
use time::Duration;

use crate::shared;
use crate::store::support::{builder, connect};

/// Fails unless connecting was refused as a matter of configuration; answers the message.
fn refusal(result: Result<RedisStore, Error>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    error.to_string()
}

#[tokio::test]
async fn another_number_of_buckets_is_refused() {
    let server = shared::server().await;
    let first = connect(&server, "config.buckets:").await;
    assert_eq!(first.buckets().len(), 64);
    for other in [1, 32, 65, 1024] {
        let other_count = builder(&server).prefix("config.buckets:").buckets(other);
        let message = refusal(other_count.connect().await);
        for part in [
            "64",
            &other.to_string(),
            "configure all instances alike",
            "prefix",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
    connect(&server, "config.buckets:").await;
    let other_prefix = builder(&server).prefix("config.buckets.2:").buckets(32);
    assert_eq!(other_prefix.connect().await.unwrap().buckets().len(), 32);
}

#[tokio::test]
async fn a_durability_that_asks_for_nothing_is_refused() {
    let server = shared::server().await;
    for (replicas, within) in [
        (0, Duration::SECOND),
        (1, Duration::ZERO),
        (1, -Duration::SECOND),
    ] {
        let durability = Durability::Replicas(replicas, within);
        let message = refusal(builder(&server).durability(durability).connect().await);
        assert!(message.contains("at least"), "{message}");
    }
}

#[tokio::test]
async fn another_secret_is_refused() {
    let server = shared::server().await;
    let with = |secret: &[u8]| {
        builder(&server)
            .prefix("config.secret:")
            .user_secret(secret)
    };
    let first = with(b"hush").connect().await.unwrap();
    for other in [b"".as_slice(), b"Hush", b"hush "] {
        let message = refusal(with(other).connect().await);
        assert!(
            message.contains("secret") && message.contains("alike"),
            "{message}"
        );
        assert!(!message.contains("hush"));
    }
    let same = with(b"hush").connect().await.unwrap();
    let user = |store: &RedisStore| store.user("alice").unwrap();
    assert_eq!(user(&first), user(&same));
    let other = builder(&server)
        .prefix("config.secret.2:")
        .connect()
        .await
        .unwrap();
    assert_ne!(user(&first).digest, user(&other).digest);
}

#[tokio::test]
async fn of_many_that_start_at_once_all_agree_with_the_first() {
    let server = shared::server().await;
    let starts: Vec<_> = (1..=16)
        .map(|count| builder(&server).prefix("config.race:").buckets(count))
        .map(|builder| tokio::spawn(builder.connect()))
        .collect();
    let mut agreed = Vec::new();
    for start in starts {
        match start.await.unwrap() {
            Ok(store) => agreed.push(store.buckets().len()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Config, "{error}"),
        }
    }
    assert_eq!(agreed.len(), 1, "{agreed:?}");
}

#[tokio::test]
async fn what_no_server_could_serve_is_refused_without_one() {
    let nowhere = || cloakroom::redis::store("redis://127.0.0.1:1");
    let prefix = |prefix| nowhere().prefix(prefix).connect();
    for bad in ["{", "}", "shop{a}:", "{shop}:"] {
        assert!(refusal(prefix(bad).await).contains("braces"));
    }
    for count in [0, 1025] {
        let message = refusal(nowhere().buckets(count).connect().await);
        assert!(message.contains("between 1 and 1024"), "{message}");
    }
    for limit in [Duration::ZERO, -Duration::SECOND] {
        let message = refusal(nowhere().command_timeout(limit).connect().await);
        assert!(message.contains("command timeout"), "{message}");
        let message = refusal(nowhere().connect_timeout(limit).connect().await);
        assert!(message.contains("connect timeout"), "{message}");
    }
    for url in [
        "",
        "localhost",
        "http://h",
        "redis://",
        "redis://h/a",
        "redis-cluster://h/1",
        "redis-sentinel://h",
        "redis-sentinel://h?master=main&other=1",
    ] {
        refusal(cloakroom::redis::store(url).connect().await);
    }
}

#[tokio::test]
async fn where_nobody_listens_it_is_unavailable_over_tls_too() {
    let url = format!("rediss://127.0.0.1:{}", free_port());
    let error = cloakroom::redis::store(url).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn where_nobody_listens_it_is_unavailable() {
    let url = format!("redis://app:sesame@127.0.0.1:{}", free_port());
    let error = cloakroom::redis::store(url).connect().await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    let message = format!("{error} {error:?}");
    assert!(
        message.contains("127.0.0.1") && !message.contains("sesame"),
        "{message}"
    );
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_unavailable() {
    let server = RedisServer::start().await;
    server.pause();
    let limit = Duration::milliseconds(200);
    let error = builder(&server).connect_timeout(limit).connect().await;
    let error = error.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert!(
        error.to_string().contains("200ms"),
        "it says its limit: {error}"
    );
}

#[tokio::test]
async fn a_database_of_its_own() {
    let server = RedisServer::start().await;
    let at = |database: &str| cloakroom::redis::store(format!("{}/{database}", server.url()));
    at("3").connect().await.unwrap();
    assert_eq!(server.dbsize().await, 0, "database 0 is left alone");
    assert_eq!(
        server.command(&["SWAPDB", "0", "3"]).await,
        cloakroom_testkit::redis::Value::Okay
    );
    assert_eq!(server.dbsize().await, 1, "the settings");
    let message = refusal(at("99").connect().await);
    assert!(
        message.contains("database") || message.contains("DB index"),
        "{message}"
    );
}
