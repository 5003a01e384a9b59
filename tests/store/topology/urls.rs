//! URLs that lead nowhere.

use cloakroom_core::ErrorKind;
use cloakroom_testkit::free_port;

use crate::store::support::builder_at;

#[tokio::test]
async fn where_nobody_listens_it_is_unavailable_and_shows_no_password() {
    let port = free_port();
    for url in [
        format!("redis-cluster://app:sesame@127.0.0.1:{port}"),
        format!(
            "redis-sentinel://app:sesame@127.0.0.1:{port}?master=main&sentinel_password=sesame"
        ),
    ] {
        let error = builder_at(url).connect().await.unwrap_err();
        assert!(error.is_unavailable(), "{error}");
        let said = format!("{error} {error:?}");
        assert!(
            said.contains("127.0.0.1") && !said.contains("sesame"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn malformed_ones_are_refused_and_show_no_password() {
    for url in [
        "redis-cluster://",
        "redis-cluster://app:sesame@",
        "redis-cluster://app:sesame@a,,b",
        "redis-cluster://app:sesame@a:port",
        "redis-cluster://app:sesame@a/1",
        "redis-cluster://app:sesame@a?master=main",
        "redis-sentinel://app:sesame@a",
        "redis-sentinel://app:sesame@a/x?master=main",
        "redis-sentinel://app:sesame@a?master=main&sesame=1",
        "redis-clusters://app:sesame@a",
    ] {
        let error = builder_at(url).connect().await.unwrap_err();
        let said = format!("{error} {error:?}");
        assert_eq!(error.kind(), ErrorKind::Config, "{url}: {said}");
        assert!(!said.contains("sesame"), "{url}: {said}");
    }
}
