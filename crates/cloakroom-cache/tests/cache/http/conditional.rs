//! ETag, 304, HEAD, Age, and what clients ask of the cache.

use super::*;
use cloakroom_core::{ManualClock, MemoryStore};

const FRESH: &[(&str, &str)] = &[("cache-control", "max-age=60")];

#[tokio::test]
async fn a_stored_response_gets_a_tag_and_answers_304() {
    let (pages, handler) = (in_memory(), Handler::fixed(FRESH));
    let service = handler.behind(&pages.layer());
    let first = get(&service, "/", &[]).await;
    let tag: &'static str = first.header("etag").to_owned().leak();
    assert!(tag.starts_with("W/\""), "{tag}");
    assert_eq!(
        (first.header("content-length"), first.header("age")),
        ("1", "")
    );

    let list: &'static str = format!("\"x\", {tag}").leak();
    for condition in [tag, list, "*"] {
        let not_modified = get(&service, "/", &[("if-none-match", condition)]).await;
        not_modified.is_hit();
        assert_eq!(not_modified.status, 304);
        assert_eq!(not_modified.body, "");
        assert_eq!(not_modified.header("etag"), tag);
        assert_eq!(not_modified.header("cache-control"), "max-age=60");
        assert_eq!(not_modified.header("date"), first.header("date"));
        assert_eq!(not_modified.header("age"), "0");
        assert!(!not_modified.headers.contains_key("content-length"));
    }
    let other = get(&service, "/", &[("if-none-match", "\"x\"")]).await;
    assert_eq!((other.status, &*other.body), (StatusCode::OK, "1"));
    assert_eq!(handler.calls(), 1);
}

#[tokio::test]
async fn the_handlers_own_validators_count() {
    let (pages, handler) = (
        in_memory(),
        Handler::new(|request, call| async move {
            // It makes the response for all, so it is told nothing of what one client has.
            assert!(!request.headers().contains_key("if-none-match"));
            let headers = [
                ("cache-control", "max-age=60"),
                ("etag", "\"mine\""),
                ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ("content-type", "text/plain"),
            ];
            page(&headers, call.to_string())
        }),
    );
    let service = handler.behind(&pages.layer());
    let first = get(&service, "/", &[("if-none-match", "W/\"mine\"")]).await;
    assert_eq!(first.status, 304);
    assert_eq!(first.says(), "cloakroom; fwd=uri-miss; stored");
    assert!(!first.headers.contains_key("content-type"));
    let since = |date| [("if-modified-since", date)];
    for (date, status) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 304),
        ("Sun, 06 Nov 1994 08:49:36 GMT", 200),
        ("yesterday", 200),
    ] {
        let headers = since(date);
        let answer = send(&service, request(Method::GET, "/", &headers)).await;
        assert_eq!(answer.status, status, "{date}");
    }
    let bare = handler.behind(&pages.layer().etags(false));
    assert_eq!(get(&bare, "/", &[]).await.header("etag"), "\"mine\"");
}

#[tokio::test]
async fn conditions_are_judged_on_what_is_not_stored_too() {
    let headers = &[("etag", "\"a\""), ("cache-control", "no-store")];
    let (pages, handler) = (in_memory(), Handler::fixed(headers));
    let service = handler.behind(&pages.layer());
    let answer = get(&service, "/", &[("if-none-match", "\"a\"")]).await;
    assert_eq!(
        (answer.status, &*answer.body),
        (StatusCode::NOT_MODIFIED, "")
    );
    assert_eq!(answer.says(), "cloakroom; fwd=uri-miss; detail=no-store");
}

#[tokio::test]
async fn head_is_answered_from_a_get() {
    let (pages, handler) = (in_memory(), Handler::fixed(FRESH));
    let service = handler.behind(&pages.layer());
    let head = |headers: &'static [_]| send(&service, request(Method::HEAD, "/", headers));
    assert_eq!(head(&[]).await.says(), "cloakroom; fwd=uri-miss");
    let stored = get(&service, "/", &[]).await;
    assert_eq!(stored.body, "2");
    let answer = head(&[]).await;
    answer.is_hit();
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, ""));
    assert_eq!(answer.header("content-length"), "1");
    assert_eq!(head(&[("if-none-match", "*")]).await.status, 304);
    assert_eq!(handler.calls(), 2);
}

#[tokio::test]
async fn age_grows_and_ttl_shrinks() {
    let clock = ManualClock::default();
    let pages = ResponseCache::builder("pages", Arc::new(MemoryStore::new()));
    let pages = pages
        .clock(clock.clone())
        .early(0.0)
        .jitter(0.0)
        .build()
        .unwrap();
    let headers = &[("cache-control", "max-age=60"), ("age", "10")];
    let handler = Handler::fixed(headers);
    let service = handler.behind(&pages.layer());
    let first = get(&service, "/", &[]).await;
    assert_eq!(first.header("age"), "10");
    clock.advance(time::Duration::seconds(20));
    let second = get(&service, "/", &[]).await;
    assert_eq!(second.header("age"), "30");
    assert_eq!(second.says(), "cloakroom; hit; ttl=30");
    let young = get(&service, "/", &[("cache-control", "max-age=20")]).await;
    assert_eq!(young.says(), "cloakroom; fwd=request; stored");
    assert_eq!(young.body, "2");
}

#[tokio::test]
async fn a_reload_is_for_all() {
    let (pages, handler) = (in_memory(), Handler::fixed(FRESH));
    let service = handler.behind(&pages.layer());
    get(&service, "/", &[]).await;
    for (number, wish) in [("cache-control", "no-cache"), ("pragma", "no-cache")]
        .into_iter()
        .enumerate()
    {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let headers: &'static [_] = Box::leak(Box::new([wish]));
        let anew = get(&service, "/", headers).await;
        assert_eq!(anew.says(), "cloakroom; fwd=request; stored");
        assert_eq!(anew.body, (number + 2).to_string());
        let next = get(&service, "/", &[]).await;
        next.is_hit();
        assert_eq!(next.body, anew.body);
    }
}

#[tokio::test]
async fn only_if_cached_asks_nobody() {
    let (pages, handler) = (in_memory(), Handler::fixed(FRESH));
    let service = handler.behind(&pages.layer());
    let only = &[("cache-control", "only-if-cached")];
    let nothing = get(&service, "/", only).await;
    assert_eq!(
        (nothing.status, handler.calls()),
        (StatusCode::GATEWAY_TIMEOUT, 0)
    );
    assert_eq!(nothing.says(), "cloakroom; detail=only-if-cached");
    get(&service, "/", &[]).await;
    let stored = get(&service, "/", only).await;
    stored.is_hit();
    assert_eq!(stored.body, "1");
    let head = send(&service, request(Method::HEAD, "/", only)).await;
    assert_eq!(head.body, "");
}

#[tokio::test]
async fn headers_come_back_as_they_were() {
    let headers = &[
        ("cache-control", "max-age=60"),
        ("link", "</a>; rel=preload"),
        ("link", "</b>; rel=preload"),
        ("x-own", "yes"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("content-security-policy", "default-src 'self'"),
        ("cache-status", "upstream; hit"),
    ];
    let (pages, handler) = (in_memory(), Handler::fixed(headers));
    let service = handler.behind(&pages.layer());
    get(&service, "/", &[]).await;
    let stored = get(&service, "/", &[]).await;
    assert_eq!(stored.headers.get_all("link").iter().count(), 2);
    assert_eq!(stored.header("x-own"), "yes");
    assert_eq!(
        stored.header("content-security-policy"),
        "default-src 'self'"
    );
    assert!(!stored.headers.contains_key("connection") && !stored.headers.contains_key("x-hop"));
    let says: Vec<_> = stored.headers.get_all("cache-status").iter().collect();
    assert_eq!(
        (says.len(), says[0].to_str().unwrap()),
        (2, "upstream; hit")
    );
}
