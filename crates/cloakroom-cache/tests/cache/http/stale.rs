//! What is served though it is stale, and handlers that fail.

use super::*;
use cloakroom_core::{ManualClock, MemoryStore};
use futures_util::future::join_all;
use std::sync::atomic::AtomicU16;

fn with_clock() -> (ResponseCache, ManualClock) {
    let clock = ManualClock::default();
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let pages = ResponseCache::builder("pages", store).clock(clock.clone());
    (pages.early(0.0).jitter(0.0).build().unwrap(), clock)
}

/// Answers with the status that it is told.
fn switched(headers: &'static [(&'static str, &'static str)]) -> (Handler, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(200));
    let told = Arc::clone(&status);
    let handler = Handler::new(move |_, call| {
        let status = told.load(SeqCst);
        async move {
            assert_ne!(status, 0, "told to panic");
            let mut response = page(headers, call.to_string());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response
        }
    });
    (handler, status)
}

#[tokio::test]
async fn stale_while_it_is_made_anew() {
    let (pages, clock) = with_clock();
    let headers = &[("cache-control", "max-age=10, stale-while-revalidate=30")];
    let (handler, _) = switched(headers);
    let service = handler.behind(&pages.layer());
    get(&service, "/", &[]).await;
    clock.advance(time::Duration::seconds(15));
    let stale = get(&service, "/", &[]).await;
    assert_eq!(
        (&*stale.body, stale.says()),
        ("1", "cloakroom; hit; ttl=-5")
    );
    assert_eq!(stale.header("age"), "15");
    let anew = || async { get(&service, "/", &[]).await.body == "2" };
    assert!(cloakroom_testkit::eventually(Duration::from_secs(5), anew).await);
    assert_eq!(handler.calls(), 2);
    clock.advance(time::Duration::seconds(41));
    assert_eq!(get(&service, "/", &[]).await.body, "3");
}

#[tokio::test]
async fn stale_if_the_handler_fails() {
    let (pages, clock) = with_clock();
    let (handler, status) = switched(&[("cache-control", "max-age=10, stale-if-error=30")]);
    let service = handler.behind(&pages.layer());
    get(&service, "/", &[]).await;
    for failure in [500, 503, 0] {
        clock.advance(time::Duration::seconds(12));
        status.store(failure, SeqCst);
        let stale = get(&service, "/", &[]).await;
        assert_eq!(stale.status, 200, "{failure}");
        assert!(
            stale.says().starts_with("cloakroom; hit; ttl=-"),
            "{stale:?}"
        );
        status.store(200, SeqCst);
        clock.advance(time::Duration::seconds(2));
        let anew = get(&service, "/", &[]).await;
        assert_eq!(anew.says(), "cloakroom; fwd=stale; stored");
    }
    status.store(503, SeqCst);
    clock.advance(time::Duration::seconds(41));
    let failed = get(&service, "/", &[]).await;
    assert_eq!(failed.status, 503);
    assert_eq!(failed.says(), "cloakroom; fwd=uri-miss; detail=failed");
}

#[tokio::test]
async fn stale_by_the_layers_own_word_unless_the_response_forbids_it() {
    for (says, is_served) in [
        ("max-age=10", true),
        ("max-age=10, must-revalidate", false),
        ("s-maxage=10", false),
        ("s-maxage=10, stale-if-error=60", true),
    ] {
        let (pages, clock) = with_clock();
        let headers: &'static [_] = Box::leak(Box::new([("cache-control", says)]));
        let (handler, status) = switched(headers);
        let layer = pages.layer().stale_if_error(time::Duration::MINUTE);
        let service = handler.behind(&layer);
        get(&service, "/", &[]).await;
        status.store(500, SeqCst);
        clock.advance(time::Duration::seconds(15));
        let answer = get(&service, "/", &[]).await;
        assert_eq!(answer.status == 200, is_served, "{says}");
    }
}

/// The stale response of an address is of another variant than the one that could not be made.
#[tokio::test]
async fn a_failure_beside_another_variants_stale_response_is_told() {
    let (pages, clock) = with_clock();
    let says = "max-age=10, stale-if-error=30, stale-while-revalidate=30";
    for says in [says, "max-age=10, stale-if-error=30"] {
        let headers: &'static [_] = Box::leak(Box::new([("cache-control", says), ("vary", "x-a")]));
        let (handler, status) = switched(headers);
        let service = handler.behind(&pages.layer());
        get(&service, says_path(says), &[("x-a", "1")]).await;
        clock.advance(time::Duration::seconds(15));
        status.store(503, SeqCst);
        let failed = get(&service, says_path(says), &[("x-a", "2")]).await;
        assert_eq!(failed.status, 503, "{failed:?}");
        status.store(200, SeqCst);
        clock.advance(time::Duration::seconds(2));
        let made = get(&service, says_path(says), &[("x-a", "2")]).await;
        assert_eq!(made.status, 200);
    }
}

fn says_path(says: &str) -> &'static str {
    if says.contains("revalidate") {
        "/a"
    } else {
        "/b"
    }
}

#[tokio::test]
async fn each_gets_its_own_failure() {
    let (pages, handler) = (
        in_memory(),
        Handler::new(|_, call| async move {
            tokio::time::sleep(MOMENT).await;
            page(
                &[(":status", "500"), ("cache-control", "max-age=60")],
                call.to_string(),
            )
        }),
    );
    let service = handler.behind(&pages.layer());
    let all = join_all((0..20).map(|_| get(&service, "/", &[]))).await;
    let mut bodies: Vec<_> = all.iter().map(|answer| answer.body.clone()).collect();
    bodies.sort_unstable();
    bodies.dedup();
    assert_eq!((bodies.len(), handler.calls()), (20, 20));
    assert!(all.iter().all(|answer| answer.status == 500));
}

#[tokio::test]
async fn a_panic_is_its_requests_own() {
    let handler = Handler::new(|request, call| async move {
        assert!(!request.headers().contains_key("x-panic"), "as told");
        page(&[("cache-control", "max-age=60")], call.to_string())
    });
    let service = handler.behind(&in_memory().layer());
    let panics = {
        let service = service.clone();
        tokio::spawn(async move { get(&service, "/", &[("x-panic", "1")]).await })
    };
    let panic = panics.await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"as told"));
    assert_eq!(get(&service, "/", &[]).await.status, 200);
}

#[tokio::test]
async fn an_error_of_the_service_is_its_requests_own() {
    let pages = in_memory();
    let service = pages.layer().layer(service_fn(async |_: Request<Body>| {
        Err::<Response<Body>, _>(std::io::Error::other("no"))
    }));
    let error = service
        .oneshot(request(Method::GET, "/", &[]))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "no");
}

#[tokio::test]
async fn what_is_no_longer_to_be_stored_is_not_served_stale() {
    let (pages, clock) = with_clock();
    let handler = Handler::new(|_, call| async move {
        let says = match call {
            1 => "max-age=10, stale-while-revalidate=600",
            _ => "no-store",
        };
        page(&[("cache-control", says)], call.to_string())
    });
    let service = handler.behind(&pages.layer());
    get(&service, "/", &[]).await;
    clock.advance(time::Duration::seconds(11));
    get(&service, "/", &[]).await;
    let gone = || async { get(&service, "/", &[]).await.body.as_str() > "1" };
    assert!(cloakroom_testkit::eventually(Duration::from_secs(5), gone).await);
    clock.advance(time::Duration::seconds(6));
    assert!(get(&service, "/", &[]).await.body.as_str() > "1");
}

#[tokio::test]
async fn a_handler_that_takes_longer_than_others_wait_is_not_ended() {
    let store = Arc::new(MemoryStore::new());
    let pages = ResponseCache::builder("pages", store);
    let pages = pages
        .load_timeout(time::Duration::milliseconds(100))
        .build()
        .unwrap();
    let handler = Handler::new(|_, call| async move {
        tokio::time::sleep(MOMENT * 5).await;
        page(&[("cache-control", "max-age=60")], call.to_string())
    });
    let service = handler.behind(&pages.layer());
    let all = join_all((0..2).map(|_| get(&service, "/", &[]))).await;
    assert!(all.iter().all(|answer| answer.status == 200));
    assert_ne!(all[0].body, all[1].body);
}

#[tokio::test]
async fn a_reload_of_what_cannot_be_made_takes_nothing_from_anybody() {
    let anew = &[("cache-control", "no-cache")];
    for (says, is_served) in [
        ("max-age=10, stale-if-error=30", true),
        ("max-age=10", false),
    ] {
        let (pages, clock) = with_clock();
        let headers: &'static [_] = Box::leak(Box::new([("cache-control", says)]));
        let (handler, status) = switched(headers);
        let service = handler.behind(&pages.layer());
        get(&service, "/", &[]).await;
        clock.advance(time::Duration::seconds(1));
        for failure in [500, 0] {
            status.store(failure, SeqCst);
            if failure == 500 || is_served {
                let reload = get(&service, "/", anew).await;
                assert_eq!(reload.status == 200, is_served, "{says} {reload:?}");
            }
            // Others have what there was.
            let other = get(&service, "/", &[]).await;
            other.is_hit();
            assert_eq!(other.body, "1");
        }
        clock.advance(time::Duration::seconds(15));
        status.store(500, SeqCst);
        let stale = get(&service, "/", &[]).await;
        assert_eq!(stale.status == 200, is_served, "{says}");
        let reload = get(&service, "/", anew).await;
        assert_eq!(reload.status == 200, is_served, "{says}");
        status.store(200, SeqCst);
        clock.advance(time::Duration::seconds(2));
        let made = get(&service, "/", anew).await;
        assert_ne!(made.body, "1");
        let next = get(&service, "/", &[]).await;
        next.is_hit();
        assert_eq!(next.body, made.body);
    }
}

#[tokio::test]
async fn after_a_reload_nobody_sees_what_is_not_to_be_stored_any_more() {
    for pass_for in [0, 5] {
        let pages = ResponseCache::builder("pages", Arc::new(MemoryStore::new()));
        let pages = pages.pass_for(time::Duration::seconds(pass_for));
        let handler = Handler::new(|_, call| async move {
            let says = if call == 1 { "max-age=60" } else { "no-store" };
            page(&[("cache-control", says)], call.to_string())
        });
        let service = handler.behind(&pages.early(0.0).build().unwrap().layer());
        get(&service, "/", &[]).await;
        let reload = get(&service, "/", &[("cache-control", "no-cache")]).await;
        assert_eq!(reload.body, "2");
        let gone = || async { get(&service, "/", &[]).await.body != "1" };
        assert!(cloakroom_testkit::eventually(Duration::from_secs(5), gone).await);
    }
}

/// RFC 9111 would let it.
#[tokio::test]
async fn a_failure_is_not_stored_though_it_says_that_it_is_fresh() {
    for status in ["500", "501", "503"] {
        let headers: &'static [_] = Box::leak(Box::new([
            (":status", status),
            ("cache-control", "max-age=60"),
        ]));
        let handler = Handler::fixed(headers);
        let service = handler.behind(&in_memory().layer());
        let failed = get(&service, "/", &[]).await;
        assert_eq!(failed.says(), "cloakroom; fwd=uri-miss; detail=failed");
        assert_eq!(get(&service, "/", &[]).await.body, "2", "{status}");
    }
}
