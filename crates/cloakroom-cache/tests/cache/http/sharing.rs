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
        ("http://three/a", "three"),
        ("https://three/a", "three"),
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

/// The inner one would wait for the outer one's answer, which is made of its own.
#[tokio::test]
async fn a_layer_inside_another_of_the_same_cache_keeps_out() {
    let pages = in_memory();
    let handler = Handler::fixed(&[("cache-control", "max-age=60")]);
    let inner = handler.behind(&pages.layer().fresh_for(time::Duration::MINUTE));
    let inner = service_fn(move |request| {
        let response = inner.clone().oneshot(request);
        async move { Ok::<_, Infallible>(response.await?.map(Body::new)) }
    });
    let service = pages.layer().layer(inner);
    let both = crate::support::within(async {
        let first = get(&service, "/", &[]).await;
        (first, get(&service, "/", &[]).await)
    });
    let (first, second) = both.await;
    let says: Vec<_> = first.headers.get_all("cache-status").iter().collect();
    assert_eq!(says[0], "cloakroom; fwd=bypass; detail=nested");
    assert_eq!(says[1], "cloakroom; fwd=uri-miss; stored");
    assert_eq!((&*second.body, handler.calls()), ("1", 1));
}

/// What the answer is made of may believe either.
#[tokio::test]
async fn a_request_that_names_two_hosts_is_nobody_elses() {
    let pages = in_memory();
    let handler = Handler::fixed(&[("cache-control", "max-age=60")]);
    let service = handler.behind(&pages.layer());
    let uri = "https://shop.example/";
    let evil = get(&service, uri, &[("host", "evil.example")]).await;
    assert_eq!(evil.says(), "cloakroom; fwd=bypass; detail=host");
    let twice = [("host", "shop.example"), ("host", "evil.example")];
    for uri in [uri, "/"] {
        let two = get(&service, uri, &twice).await;
        assert_eq!(two.says(), "cloakroom; fwd=bypass; detail=host");
    }
    let good = get(&service, uri, &[("host", "Shop.example")]).await;
    assert_eq!(good.body, "4");
    get(&service, uri, &[]).await.is_hit();
}

#[tokio::test]
async fn what_is_forwarded_for_another_host_scheme_or_prefix_is_not_shared() {
    let pages = in_memory();
    let handler = Handler::fixed(&[("cache-control", "max-age=60")]);
    let service = handler.behind(&pages.layer());
    let all: [&[(&str, &str)]; 8] = [
        &[],
        &[("x-forwarded-host", "evil.example")],
        &[
            ("x-forwarded-host", "a"),
            ("x-forwarded-host", "evil.example"),
        ],
        &[("x-forwarded-proto", "http")],
        &[("x-forwarded-proto", "https")],
        &[("x-forwarded-prefix", "/evil")],
        &[("forwarded", "for=1.2.3.4;host=evil.example")],
        &[("forwarded", "for=1.2.3.4;proto=http")],
    ];
    for (n, headers) in all.into_iter().enumerate() {
        let first = get(&service, "/", headers).await;
        assert_eq!(first.body, (n + 1).to_string(), "{headers:?}");
        get(&service, "/", headers).await.is_hit();
    }
    // For whom it was forwarded is another for each client.
    let other = [("forwarded", "For=\"[::1]\";host=evil.example")];
    get(&service, "/", &other).await.is_hit();
    // They are all of one address.
    pages.invalidate("/").await.unwrap();
    for headers in all {
        let anew = get(&service, "/", headers).await;
        assert!(anew.says().contains("fwd"), "{headers:?}");
    }
}

/// A service that is never ready again once it was asked.
#[derive(Clone)]
struct Once(Arc<std::sync::atomic::AtomicBool>);

impl Service<Request<Body>> for Once {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        match self.0.load(SeqCst) {
            true => std::task::Poll::Pending,
            false => std::task::Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(!self.0.swap(true, SeqCst), "it is ready");
        std::future::ready(Ok(page(FRESH, "once")))
    }
}

#[tokio::test]
async fn what_is_stored_waits_for_no_busy_handler() {
    let service = in_memory().layer().layer(Once(Arc::default()));
    get(&service, "/", &[]).await;
    for _ in 0..3 {
        crate::support::within(get(&service, "/", &[]))
            .await
            .is_hit();
    }
    let other = tokio::time::timeout(MOMENT, get(&service, "/other", &[]));
    assert!(other.await.is_err());
}
