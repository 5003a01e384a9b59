//! How a connection logs in, through each of the drivers.

use cloakroom_redis::{Driver, Reply};
use cloakroom_testkit::{RedisServer, free_port};

use crate::store::listener::Listener;
use crate::store::support::{ask, with_each_driver};

with_each_driver! {
    #[tokio::test] the_user_and_the_database_are_the_urls,
    #[tokio::test] what_someone_must_change_is_refused,
}

async fn the_user_and_the_database_are_the_urls(driver: impl Driver + Copy) {
    let server = RedisServer::builder()
        .arg("--databases", "300")
        .start()
        .await;
    let rules = ["on", ">p @\r\n\":s", "+@all", "~*", "&*"];
    server
        .command(&[&["ACL", "SETUSER", "app"][..], &rules].concat())
        .await;
    let (password, port) = ("p%20%40%0D%0A%22%3As", server.port());
    let url = format!("redis://app:{password}@127.0.0.1:{port}/299");
    let listener = Listener::at(driver, &url).await.unwrap();
    listener.call(&["SET", "a", "1"]).await;
    let keyspace: String = ask(&server, &["INFO", "keyspace"]).await;
    assert!(keyspace.contains("db299:keys=1"), "{keyspace}");
    let Reply::Bytes(whoami) = listener.call(&["ACL", "WHOAMI"]).await else {
        panic!("a name is text");
    };
    assert_eq!(whoami, "app");
    let Reply::Bytes(info) = listener.call(&["CLIENT", "INFO"]).await else {
        panic!("it is text");
    };
    let info = String::from_utf8(info.into()).unwrap();
    assert!(
        info.contains(" resp=3") || !info.contains(" resp="),
        "{info}"
    );
    assert!(info.contains(" name= "), "{info}");
}

async fn what_someone_must_change_is_refused(driver: impl Driver + Copy) {
    let server = RedisServer::start().await;
    // The testkit's own connections get in no more.
    let password = ["CONFIG", "SET", "requirepass", "secret"];
    server.command(&password).await;
    let at = |user: &str, port: u16, rest: &str| format!("redis://{user}127.0.0.1:{port}{rest}");
    for (user, rest) in [
        ("", ""),
        (":wrong@", ""),
        ("app:secret@", ""),
        (":secret@", "/16"),
    ] {
        let url = at(user, server.port(), rest);
        let error = Listener::at(driver, &url).await.err().unwrap();
        assert!(error.is_refused(), "{url}: {error}");
    }
    Listener::at(driver, &at(":secret@", server.port(), "/15"))
        .await
        .unwrap();
    let error = Listener::at(driver, &at("", free_port(), "")).await;
    let error = error.err().unwrap();
    assert!(!error.is_refused(), "that may pass: {error}");
}
