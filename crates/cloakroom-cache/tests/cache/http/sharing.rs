//! Who waits for whom, and what nobody is ever shown.

use super::*;
use cloakroom_cache::{Tag, http::CacheTags};
use futures_util::future::join_all;

const FRESH: &[(&str, &str)] = &[("cache-control", "max-age=60")];

fn slow(headers: &'static [(&'static str, &'static str)]) -> Handler {
    Handler::new(move |_, call| async move {
        tokio::time::sleep(MOMENT).await;
        page(headers, call.to_string())
    })
}

#[tokio::test]
async fn all_who_want_the_same_wait_for_one_run() {
    let (pages, handler) = (in_memory(), slow(FRESH));
    let service = handler.behind(&pages.layer());
    let all = join_all((0..100).map(|_| get(&service, "/", &[]))).await;
    assert!(all.iter().all(|answer| answer.body == "1"));
    let stored = all
        .iter()
        .filter(|a| a.says() == "cloakroom; fwd=uri-miss; stored");
    let collapsed = all
        .iter()
        .filter(|a| a.says() == "cloakroom; fwd=uri-miss; collapsed");
    assert_eq!((stored.count(), collapsed.count()), (1, 99));
    assert_eq!(handler.calls(), 1);
}

#[tokio::test]
async fn what_is_not_shared_is_made_for_each_and_they_do_not_queue() {
    let headers = &[("cache-control", "no-store")];
    let (pages, handler) = (in_memory(), slow(headers));
    let service = handler.behind(&pages.layer());
    let began = tokio::time::Instant::now();
    let all = join_all((0..50).map(|_| get(&service, "/", &[]))).await;
    let mut bodies: Vec<_> = all.into_iter().map(|answer| answer.body).collect();
    bodies.sort_unstable();
    bodies.dedup();
    assert_eq!(bodies.len(), 50);
    // One run to learn it, and then all at once.
    assert!(began.elapsed() < MOMENT * 40, "{:?}", began.elapsed());
}

#[tokio::test]
async fn addresses_hosts_and_queries_have_their_own() {
    let (pages, handler) = (in_memory(), Handler::fixed(FRESH));
    let service = handler.behind(&pages.layer());
    let mut seen = Vec::new();
    for (uri, host) in [
        ("/a", "one"),
        ("/a", "two"),
        ("/a?x", "one"),
        ("/a?x=1", "one"),
        ("/A", "one"),
        ("/a/", "one"),
        ("http://three/a", "one"),
        ("https://three/a", "one"),
    ] {
        let headers: &'static [_] = Box::leak(Box::new([("host", host)]));
        for _ in 0..2 {
            seen.push(get(&service, uri, headers).await.body);
        }
    }
    let all: Vec<_> = (1..=8)
        .flat_map(|call: u8| [call.to_string(), call.to_string()])
        .collect();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn vary_splits_however_many_there_are() {
    let handler = Handler::new(|request, _| async move {
        let by = |name: &str| {
            request
                .headers()
                .get(name)
                .map(|v| v.to_str().unwrap().to_owned())
        };
        let text = format!("{:?} {:?}", by("accept-language"), by("x-theme"));
        let vary = match by("accept-language").as_deref() {
            // One variant varies by more than others do.
            Some("de") => "accept-language, x-theme",
            _ => "accept-language",
        };
        page(&[("cache-control", "max-age=60"), ("vary", vary)], text)
    });
    let service = handler.behind(&in_memory().layer());
    let cases: &[&'static [(&'static str, &'static str)]] = &[
        &[("accept-language", "en")],
        &[("accept-language", "de")],
        &[("accept-language", "de"), ("x-theme", "dark")],
        &[],
        &[("accept-language", "")],
        &[("accept-language", "fr"), ("x-theme", "dark")],
    ];
    let mut firsts = Vec::new();
    for headers in cases {
        firsts.push(get(&service, "/", headers).await);
    }
    assert_eq!(handler.calls(), cases.len());
    assert_eq!(firsts[1].says(), "cloakroom; fwd=vary-miss; stored");
    for (headers, first) in cases.iter().zip(&firsts) {
        let again = get(&service, "/", headers).await;
        again.is_hit();
        assert_eq!(again.body, first.body);
    }
    // What the response doesn't vary by makes no difference.
    let same = get(
        &service,
        "/",
        &[("accept-language", "en"), ("x-theme", "dark")],
    )
    .await;
    assert_eq!(same.body, firsts[0].body);
    assert_eq!(handler.calls(), cases.len());
}

#[tokio::test]
async fn variants_that_come_at_once_are_each_made_once() {
    let handler = Handler::new(|request, _| async move {
        tokio::time::sleep(MOMENT).await;
        let language = request.headers()["accept-language"]
            .to_str()
            .unwrap()
            .to_owned();
        page(
            &[("cache-control", "max-age=60"), ("vary", "accept-language")],
            language,
        )
    });
    let service = handler.behind(&in_memory().layer());
    let languages = ["en", "de", "fr", "it"];
    let all = (0..80).map(|n| {
        let language = languages[n % 4];
        let headers: &'static [_] = Box::leak(Box::new([("accept-language", language)]));
        let service = &service;
        async move { (language, get(service, "/", headers).await.body) }
    });
    assert!(
        join_all(all)
            .await
            .iter()
            .all(|(language, body)| language == body)
    );
    assert_eq!(handler.calls(), 4);
}

#[tokio::test]
async fn two_users_never_see_each_others_page() {
    let handler = Handler::new(|request, call| async move {
        let user = request.headers()["x-user"].to_str().unwrap().to_owned();
        tokio::time::sleep(Duration::from_millis(call as u64 % 7)).await;
        page(&[("cache-control", "private, max-age=60")], user)
    });
    let by_header = |parts: &http::request::Parts| {
        let user = parts
            .headers
            .get("x-user")
            .map(|value| value.to_str().unwrap().to_owned());
        std::future::ready(user)
    };
    let pages = in_memory();
    let service = handler.behind(&pages.layer().principal(by_header));
    let all = (0..400).map(|n| {
        let user: &'static str = format!("user {}", n % 8).leak();
        let headers: &'static [_] = Box::leak(Box::new([("x-user", user)]));
        let service = &service;
        async move {
            tokio::time::sleep(Duration::from_millis(n as u64 % 13)).await;
            (user, get(service, "/me", headers).await)
        }
    });
    let all = join_all(all).await;
    assert!(all.iter().all(|(user, answer)| *user == answer.body));
    assert_eq!(handler.calls(), 8);
    // Nor does the same address without a principal.
    let nobody = handler.behind(&pages.layer());
    let stranger = get(&nobody, "/me", &[("x-user", "stranger")]).await;
    assert_eq!(stranger.body, "stranger");
}

#[tokio::test]
async fn what_may_change_something_invalidates_all_of_its_address() {
    let handler = Handler::new(|request, call| async move {
        if request.method() == Method::GET {
            return page(
                &[("cache-control", "max-age=60"), ("vary", "x-a")],
                call.to_string(),
            );
        }
        let status = request
            .headers()
            .get("x-status")
            .map_or("200", |v| v.to_str().unwrap());
        let mut response = page(&[("location", "/b")], "");
        *response.status_mut() = status.parse().unwrap();
        response
    });
    let service = handler.behind(&in_memory().layer());
    let fill = || async {
        get(&service, "/a", &[]).await;
        get(&service, "/a", &[("x-a", "1")]).await;
        get(&service, "/b", &[]).await;
        get(&service, "/c", &[]).await;
        get(&service, "/a", &[]).await.is_hit();
        get(&service, "/a", &[("x-a", "1")]).await.is_hit();
        get(&service, "/b", &[]).await.is_hit();
    };
    fill().await;
    for (method, status) in [("POST", "500"), ("POST", "404"), ("OPTIONS", "200")] {
        let headers: &'static [_] = Box::leak(Box::new([("x-status", status)]));
        send(&service, request(method.parse().unwrap(), "/a", headers)).await;
        get(&service, "/a", &[]).await.is_hit();
    }
    for (method, status) in [
        ("POST", "200"),
        ("PUT", "204"),
        ("PATCH", "303"),
        ("DELETE", "200"),
    ] {
        fill().await;
        let headers: &'static [_] = Box::leak(Box::new([("x-status", status)]));
        send(&service, request(method.parse().unwrap(), "/a", headers)).await;
        assert!(
            get(&service, "/a", &[]).await.says().contains("fwd"),
            "{method}"
        );
        assert!(
            get(&service, "/a", &[("x-a", "1")])
                .await
                .says()
                .contains("fwd"),
            "{method}"
        );
        assert!(
            get(&service, "/b", &[]).await.says().contains("fwd"),
            "{method}"
        );
        get(&service, "/c", &[]).await.is_hit();
    }
}

#[tokio::test]
async fn a_change_whose_client_goes_away_invalidates_too() {
    let handler = Handler::new(|request, call| async move {
        if request.method() == Method::POST {
            std::future::pending::<()>().await;
        }
        page(FRESH, call.to_string())
    });
    let service = handler.behind(&in_memory().layer());
    get(&service, "/", &[]).await;
    get(&service, "/", &[]).await.is_hit();
    let change = send(&service, request(Method::POST, "/", &[]));
    tokio::time::timeout(MOMENT, change).await.unwrap_err();
    let gone = || async { get(&service, "/", &[]).await.says().contains("fwd") };
    assert!(cloakroom_testkit::eventually(Duration::from_secs(5), gone).await);
}

#[tokio::test]
async fn tags_and_addresses_are_invalidated() {
    let handler = Handler::new(|request, call| async move {
        let mut response = page(FRESH, call.to_string());
        let tags = CacheTags::new([Tag::from("all"), Tag::of(request.uri().path())]);
        response.extensions_mut().insert(tags);
        response
    });
    let pages = in_memory();
    let service = handler.behind(&pages.layer());
    let Ok(response) = service
        .clone()
        .oneshot(request(Method::GET, "/a", &[]))
        .await;
    assert!(response.extensions().get::<CacheTags>().is_none());
    get(&service, "/b", &[]).await;
    pages.invalidate_tag(Tag::of("/a")).await.unwrap();
    assert_eq!(get(&service, "/a", &[]).await.body, "3");
    get(&service, "/b", &[]).await.is_hit();
    pages.invalidate_tag("all").await.unwrap();
    assert_eq!(get(&service, "/a", &[]).await.body, "4");
    assert_eq!(get(&service, "/b", &[]).await.body, "5");
    pages
        .invalidate("https://whatever.example/b")
        .await
        .unwrap();
    assert_eq!(get(&service, "/b", &[]).await.body, "6");
    get(&service, "/a", &[]).await.is_hit();
    pages.invalidate("no address").await.unwrap_err();
}

#[tokio::test]
async fn what_is_made_while_it_is_invalidated_is_not_stored() {
    let (pages, handler) = (in_memory(), slow(FRESH));
    let service = handler.behind(&pages.layer());
    let (first, ()) = tokio::join!(get(&service, "/", &[]), async {
        tokio::time::sleep(MOMENT / 2).await;
        pages.invalidate("/").await.unwrap();
    });
    assert_eq!(first.body, "1");
    assert_eq!(get(&service, "/", &[]).await.body, "2");
}

#[tokio::test]
async fn nested_routers_of_axum_are_told_apart() {
    use axum::{Router, routing};
    let pages = in_memory();
    let inner = |text: &'static str| {
        let handler = move || async move { ([("cache-control", "max-age=60")], text) };
        Router::new()
            .route("/x", routing::get(handler))
            .layer(pages.layer())
    };
    let app: Router = Router::new().nest("/a", inner("a")).nest("/b", inner("b"));
    for (uri, text) in [("/a/x", "a"), ("/b/x", "b"), ("/a/x", "a")] {
        let response = app
            .clone()
            .oneshot(request(Method::GET, uri, &[]))
            .await
            .unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, text);
    }
    pages.invalidate("/a/x").await.unwrap();
    let response = app
        .oneshot(request(Method::GET, "/a/x", &[]))
        .await
        .unwrap();
    assert_eq!(
        response.headers()["cache-status"],
        "cloakroom; fwd=uri-miss; stored"
    );
}
