//! Who is not whom the URL says, or not as secure, is refused: at once, and with what to do.

use std::net::TcpStream;
use std::time::Instant;

use cloakroom_core::{Error, ErrorKind};
use cloakroom_redis::{Driver, RedisStoreBuilder};
use cloakroom_testkit::{Authority, Certificate, RedisCluster, RedisSentinel, RedisServer};
use time::Duration;

use super::{here, hosts, trusting};
use crate::store::support::{LIMIT, builder_of, with_each_driver};

/// How long an attempt to connect may take.
const ATTEMPT: Duration = Duration::seconds(3);

async fn speaking(certificate: Certificate) -> RedisServer {
    RedisServer::builder().tls(certificate).start().await
}

/// Why the store can't be used, which is known in time.
async fn error(builder: RedisStoreBuilder) -> Error {
    let begun = Instant::now();
    let store = builder.connect_timeout(ATTEMPT).connect().await;
    assert!(begun.elapsed() < LIMIT, "it hangs");
    store.unwrap_err()
}

/// Fails unless somebody is told to change what has to do with `part`.
async fn refused(builder: RedisStoreBuilder, part: &str) {
    let error = error(builder).await;
    println!("{error}");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains(part), "{part:?} not in: {error}");
}

/// URLs of each kind to this port.
fn each_kind(scheme: &str, port: u16) -> [String; 3] {
    [
        format!("{scheme}://127.0.0.1:{port}"),
        format!("{scheme}-sentinel://127.0.0.1:{port}/?master=main"),
        format!("{scheme}-cluster://127.0.0.1:{port}"),
    ]
}

async fn a_certificate_of_an_unknown_authority(driver: impl Driver + Copy) {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = speaking(here(&authority)).await;
    for builder in [
        builder_of(driver, server.url()),
        trusting(driver, &server.url(), &other),
    ] {
        refused(builder, "by `ca`, or name the file in SSL_CERT_FILE").await;
    }
}

async fn a_certificate_of_another_name(driver: impl Driver + Copy) {
    let authority = Authority::new();
    let server = speaking(authority.certify(&["cache.test"])).await;
    let builder = trusting(driver, &server.url(), &authority);
    refused(builder, "bears other names").await;
    let named = speaking(authority.certify(&["localhost"])).await;
    let url = named.url().replace("127.0.0.1", "localhost");
    trusting(driver, &url, &authority).connect().await.unwrap();
}

async fn a_certificate_that_has_run_out(driver: impl Driver + Copy) {
    let authority = Authority::new();
    let server = speaking(authority.certify_until_yesterday(&["127.0.0.1"])).await;
    let builder = trusting(driver, &server.url(), &authority);
    refused(builder, "has run out: renew it").await;
}

async fn tls_where_none_is_spoken(driver: impl Driver + Copy) {
    let (authority, server) = (Authority::new(), RedisServer::start().await);
    for url in each_kind("rediss", server.port()) {
        let error = error(trusting(driver, &url, &authority)).await;
        println!("{error}");
        let said = error.to_string();
        assert!(said.contains("speak TLS on this port"), "{said}");
    }
}

/// A server that has no room for one more says so at once, and not in TLS.
async fn another_answer_than_tls(driver: impl Driver + Copy) {
    let server = RedisServer::builder()
        .arg("--maxclients", "1")
        .start()
        .await;
    let address = ("127.0.0.1", server.port());
    let guests = [(); 5].map(|()| TcpStream::connect(address).unwrap());
    let url = server.url().replace("redis://", "rediss://");
    let builder = trusting(driver, &url, &Authority::new());
    refused(builder, "the server doesn't speak TLS on this port").await;
    drop(guests);
}

async fn none_where_tls_is_spoken(driver: impl Driver + Copy) {
    let server = speaking(here(&Authority::new())).await;
    for url in each_kind("redis", server.public_port()) {
        let error = error(builder_of(driver, url)).await;
        println!("{error}");
        assert!(error.is_unavailable(), "{error}");
        let said = error.to_string();
        assert!(said.contains("begin with rediss in place of"), "{said}");
    }
}

async fn sentinels_and_nodes_of_an_unknown_authority(driver: impl Driver + Copy) {
    let (authority, other) = (Authority::new(), Authority::new());
    let builder = RedisSentinel::builder().replicas(0).sentinels(1);
    let all = builder.tls(here(&authority)).start().await;
    let url = format!(
        "rediss-sentinel://{}/?master={}",
        hosts(all.sentinels()),
        all.name()
    );
    refused(trusting(driver, &url, &other), "by `ca`").await;
    let builder = RedisCluster::builder().masters(1).replicas(0);
    let cluster = builder.tls(here(&authority)).start().await;
    let url = format!("rediss-cluster://{}", hosts([&*cluster.nodes()[0]]));
    refused(trusting(driver, &url, &other), "by `ca`").await;
}

/// Before anything is sent.
async fn certificates_that_protect_nothing_or_are_none(driver: impl Driver + Copy) {
    let authority = Authority::new();
    let (good, key) = (authority.pem(), here(&authority).key);
    let torn = good.replace("MII", "MI!");
    let open = builder_of(driver, "redis://127.0.0.1").ca(good.clone());
    refused(open, "certificates are for TLS").await;
    let builder = || builder_of(driver, "rediss://127.0.0.1");
    refused(
        builder().ca("authority.pem"),
        "the CA must be text in the form PEM",
    )
    .await;
    refused(builder().ca(key.clone()), "the CA must be").await;
    refused(builder().ca(torn), "can't use the certificates").await;
    let builder = builder().client_certificate(good, "hush");
    let said = format!("{builder:?} {:?}", error(builder.clone()).await);
    assert!(said.contains("the client's key must be"), "{said}");
    assert!(!said.contains("hush"), "{said}");
}

with_each_driver! {
    #[tokio::test] a_certificate_of_an_unknown_authority,
    #[tokio::test] a_certificate_of_another_name,
    #[tokio::test] a_certificate_that_has_run_out,
    #[tokio::test] tls_where_none_is_spoken,
    #[tokio::test] another_answer_than_tls,
    #[tokio::test] none_where_tls_is_spoken,
    #[tokio::test] sentinels_and_nodes_of_an_unknown_authority,
    #[tokio::test] certificates_that_protect_nothing_or_are_none,
}
