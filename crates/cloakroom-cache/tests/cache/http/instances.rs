//! Several instances on one Redis.

use super::*;
use crate::support::Ground;
use cloakroom_core::Store;
use futures_util::future::join_all;

fn on(store: &Arc<dyn Store>) -> ResponseCache {
    let pages = ResponseCache::builder("pages", Arc::clone(store) as _);
    pages.early(0.0).jitter(0.0).build().unwrap()
}

#[tokio::test]
async fn two_instances_run_a_handler_once() {
    let (ground, store) = Ground::redis().await;
    let other = ground.another().await;
    let handler = Handler::new(|request, call| async move {
        tokio::time::sleep(MOMENT * 4).await;
        let language = request.headers().get("accept-language");
        let language = language.map_or("", |value| value.to_str().unwrap());
        let headers = [("cache-control", "max-age=60"), ("vary", "accept-language")];
        page(&headers, format!("{call}{language}"))
    });
    let (one, two) = (on(&store), on(&other));
    let services = [handler.behind(&one.layer()), handler.behind(&two.layer())];
    let all = join_all((0..100).map(|n| get(&services[n % 2], "/", &[]))).await;
    assert!(all.iter().all(|answer| answer.body == "1"));
    assert_eq!(handler.calls(), 1);
    let german = &[("accept-language", "de")];
    let all = join_all((0..100).map(|n| get(&services[n % 2], "/", german))).await;
    assert!(all.iter().all(|answer| answer.body == "2de"));
    assert_eq!(handler.calls(), 2);

    // A hit of the near copy asks nobody.
    let fetched = two.stats().store_hits;
    get(&services[1], "/", german).await.is_hit();
    assert_eq!(two.stats().store_hits, fetched);

    one.invalidate("/").await.unwrap();
    assert!(get(&services[0], "/", &[]).await.says().contains("fwd"));
    let anew = || async { get(&services[1], "/", german).await.body != "2de" };
    assert!(cloakroom_testkit::eventually(Duration::from_secs(5), anew).await);
}

#[tokio::test]
async fn a_change_on_one_instance_is_seen_on_the_other() {
    let (ground, store) = Ground::redis().await;
    let other = ground.another().await;
    let handler = Handler::fixed(&[("cache-control", "max-age=60")]);
    let services = [
        handler.behind(&on(&store).layer()),
        handler.behind(&on(&other).layer()),
    ];
    for round in 0..10 {
        let answer = get(&services[0], "/", &[]).await;
        get(&services[1], "/", &[]).await;
        assert_eq!(
            get(&services[1], "/", &[]).await.body,
            answer.body,
            "{round}"
        );
        send(&services[round % 2], request(Method::POST, "/", &[])).await;
        // The other one, as soon as it has heard.
        let (other, before) = (&services[1 - round % 2], answer.body.clone());
        let anew = || async { get(other, "/", &[]).await.body != before };
        assert!(cloakroom_testkit::eventually(Duration::from_secs(1), anew).await);
    }
}

#[tokio::test]
async fn without_the_store_the_handler_answers() {
    let (mut ground, store) = Ground::redis().await;
    let handler = Handler::new(|_, call| async move {
        tokio::time::sleep(MOMENT).await;
        page(&[("cache-control", "max-age=60")], call.to_string())
    });
    let service = handler.behind(&on(&store).layer());
    get(&service, "/", &[]).await;
    drop(ground.server.take());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let all = join_all((0..20).map(|_| get(&service, "/", &[]))).await;
    assert!(all.iter().all(|answer| answer.status == 200));
    // Once for all of this instance.
    assert_eq!(handler.calls(), 2);
    let change = send(&service, request(Method::POST, "/", &[])).await;
    assert_eq!(change.status, 200);
}

#[tokio::test]
async fn redis_holds_no_address_and_no_principal() {
    let (ground, store) = Ground::redis().await;
    let handler = Handler::fixed(&[("cache-control", "max-age=60")]);
    let principal = |_: &http::request::Parts| std::future::ready(Some("alice".to_owned()));
    let pages = on(&store);
    let service = handler.behind(&pages.layer().principal(principal));
    get(
        &service,
        "/secret-path?token=1",
        &[("cookie", "id=secret-cookie")],
    )
    .await;
    get(&service, "/secret-path?token=1", &[]).await.is_hit();
    let dump = ground.server.as_ref().unwrap().dump().await;
    for secret in ["alice", "secret", "token"] {
        let found = dump
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!found, "{secret}");
    }
    let shown = format!("{pages:?} {:?}", pages.layer().principal(principal));
    for secret in ["alice", "secret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// Anybody can make up addresses; what the store remembers of them for long is bounded.
#[tokio::test]
async fn addresses_with_nothing_to_store_leave_nothing_in_the_store() {
    let (ground, store) = Ground::redis().await;
    let pages = ResponseCache::builder("pages", Arc::clone(&store) as _);
    let pages = pages.pass_for(time::Duration::ZERO).build().unwrap();
    let handler = Handler::new(|request, _| async move {
        match request.uri().path() {
            "/missing" => page(&[(":status", "404")], ""),
            "/private" => page(&[("cache-control", "private, max-age=60")], ""),
            "/failed" => page(&[(":status", "500")], ""),
            _ => page(&[("cache-control", "no-store")], ""),
        }
    });
    let service = handler.behind(&pages.layer());
    let server = ground.server.as_ref().unwrap();
    let before = server.dbsize().await;
    for n in 0..250 {
        for path in ["/missing", "/private", "/failed", "/no-store"] {
            get(&service, &format!("{path}?x={n}"), &[]).await;
        }
    }
    assert_eq!(handler.calls(), 1000);
    // A counter for each bucket's messages, at most.
    let after = server.dbsize().await;
    assert!(after < before + 100, "{before} {after}");
}
