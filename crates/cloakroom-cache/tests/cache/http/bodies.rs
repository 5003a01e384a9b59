//! Bodies that are too large, too slow, endless or broken; clients that go away.

use super::*;
use cloakroom_core::MemoryStore;
use std::io::Error;
use tokio::time::{Instant, timeout};

const FRESH: &[(&str, &str)] = &[("cache-control", "max-age=60")];
const SOON: Duration = Duration::from_secs(5);

fn small() -> ResponseCache {
    let pages = ResponseCache::builder("pages", Arc::new(MemoryStore::new()));
    let pages = pages
        .max_body(8)
        .body_timeout(time::Duration::milliseconds(300));
    pages.early(0.0).build().unwrap()
}

async fn response<S>(service: &S) -> Response<CacheBody<Body>>
where
    S: Service<Request<Body>, Response = Response<CacheBody<Body>>, Error = Infallible> + Clone,
{
    let Ok(response) = service
        .clone()
        .oneshot(request(Method::GET, "/", &[]))
        .await;
    response
}

fn says(response: &Response<CacheBody<Body>>) -> &str {
    response.headers()["cache-status"].to_str().unwrap()
}

#[tokio::test]
async fn one_that_says_that_it_is_too_large_is_not_read() {
    let handler = Handler::new(|_, _| async { page(FRESH, "123456789") });
    let service = handler.behind(&small().layer());
    let answer = Answer::of(response(&service).await).await;
    assert_eq!(answer.body, "123456789");
    assert_eq!(answer.says(), "cloakroom; fwd=uri-miss; detail=too-large");
}

#[tokio::test]
async fn as_large_as_may_be_is_stored() {
    let handler = Handler::new(|_, _| async { page(FRESH, "12345678") });
    let service = handler.behind(&small().layer());
    get(&service, "/", &[]).await;
    get(&service, "/", &[]).await.is_hit();
}

#[tokio::test]
async fn one_that_grows_too_large_goes_through_whole() {
    let handler = Handler::new(|_, _| async {
        let parts = ["1234", "5678", "9", "10"].map(Ok).into();
        page(FRESH, stream(parts, Duration::from_millis(1), false))
    });
    let service = handler.behind(&small().layer());
    for _ in 0..2 {
        let answer = Answer::of(response(&service).await).await;
        assert_eq!(answer.body, "12345678910");
    }
    assert_eq!(handler.calls(), 2);
}

#[tokio::test]
async fn an_endless_one_begins_at_once_and_goes_on() {
    let handler = Handler::new(|_, _| async {
        page(FRESH, stream(vec![Ok("1")], Duration::from_millis(1), true))
    });
    let service = handler.behind(&small().layer());
    let response = timeout(SOON, response(&service)).await.unwrap();
    assert_eq!(says(&response), "cloakroom; fwd=uri-miss; detail=too-large");
    let mut body = response.into_body();
    let mut read = Vec::new();
    while read.len() < 100 {
        let frame = timeout(SOON, body.frame()).await.unwrap().unwrap().unwrap();
        read.extend(frame.into_data().unwrap());
    }
    assert!(read.starts_with(b"1moremoremore"));
}

#[tokio::test]
async fn a_slow_one_begins_after_a_while() {
    let handler = Handler::new(|_, _| async {
        page(
            FRESH,
            stream(["1", "2"].map(Ok).into(), Duration::from_millis(200), false),
        )
    });
    let service = handler.behind(&small().layer());
    let response = response(&service).await;
    assert_eq!(says(&response), "cloakroom; fwd=uri-miss; detail=stream");
    assert_eq!(Answer::of(response).await.body, "12");
}

#[tokio::test]
async fn what_is_not_to_be_stored_is_not_held_up() {
    for headers in [
        &[
            ("content-type", "text/event-stream"),
            ("cache-control", "max-age=60"),
        ][..],
        &[("cache-control", "no-store")],
        &[],
    ] {
        let handler = Handler::new(move |_, _| async move {
            page(
                headers,
                stream(vec![Ok("1")], Duration::from_secs(3600), true),
            )
        });
        let began = Instant::now();
        let service = handler.behind(&in_memory().layer());
        timeout(SOON, response(&service)).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(3), "{headers:?}");
    }
}

#[tokio::test]
async fn one_that_breaks_off_does_so_for_its_client_and_is_not_stored() {
    let handler = Handler::new(|_, call| async move {
        let parts = match call {
            1 => vec![Ok("1"), Err(Error::other("broken"))],
            _ => vec![Ok("12")],
        };
        page(FRESH, stream(parts, Duration::from_millis(1), false))
    });
    let pages = ResponseCache::builder("pages", Arc::new(MemoryStore::new()));
    let pages = pages.pass_for(time::Duration::ZERO).build().unwrap();
    let service = handler.behind(&pages.layer());
    let mut body = response(&service).await.into_body();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "1"
    );
    body.frame().await.unwrap().unwrap_err();
    assert_eq!(get(&service, "/", &[]).await.body, "12");
    get(&service, "/", &[]).await.is_hit();
}

#[tokio::test]
async fn trailers_go_through() {
    let handler = Handler::new(|_, _| async {
        let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "7".parse().unwrap())]);
        let body = http_body_util::Full::new(Bytes::from_static(b"1"));
        let body = body.with_trailers(std::future::ready(Some(Ok(trailers))));
        page(FRESH, Body::new(body))
    });
    let service = handler.behind(&in_memory().layer());
    let response = response(&service).await;
    assert_eq!(says(&response), "cloakroom; fwd=uri-miss; detail=stream");
    let read = response.into_body().collect().await.unwrap();
    assert_eq!(read.trailers().unwrap()["x-sum"], "7");
    assert_eq!(read.to_bytes(), "1");
}

#[tokio::test]
async fn a_client_that_goes_away_neither_stops_the_handler_nor_leaves_half_a_body() {
    let handler = Handler::new(|_, call| async move {
        let parts = ["1", "2", "3"].map(Ok).into();
        page(FRESH, stream(parts, MOMENT, false)).map(|body| {
            assert_eq!(call, 1);
            body
        })
    });
    let service = handler.behind(&in_memory().layer());
    let gone = tokio::spawn({
        let service = service.clone();
        async move { get(&service, "/", &[]).await }
    });
    tokio::time::sleep(MOMENT + MOMENT / 2).await;
    gone.abort();
    let next = get(&service, "/", &[]).await;
    assert_eq!(next.body, "123");
    // Made by the run of the one that has gone.
    assert_eq!(handler.calls(), 1);
    get(&service, "/", &[]).await.is_hit();
}

#[tokio::test]
async fn a_client_that_leaves_what_goes_through_ends_it() {
    let (ended, mut end) = tokio::sync::mpsc::unbounded_channel::<()>();
    let handler = Handler::new(move |_, _| {
        let held = ended.clone();
        async move {
            let endless = stream(vec![Ok("123456789")], Duration::from_millis(1), true);
            let body = http_body_util::BodyExt::map_frame(endless, move |frame| {
                let _ = &held;
                frame
            });
            page(FRESH, Body::new(body))
        }
    });
    let service = handler.behind(&small().layer());
    let response = response(&service).await;
    drop((handler, service));
    assert!(end.try_recv().is_err());
    drop(response);
    // All who could send are gone, the body among them.
    assert_eq!(timeout(SOON, end.recv()).await.unwrap(), None);
    assert!(end.is_closed());
}
