//! The whole fleet over the embedded store, asked through the balancer's router.

use super::{Balancer, Split, router, slots};
use crate::options::{self, Asked};
use axum::{
    Router,
    body::Body,
    extract::{Request, connect_info::MockConnectInfo},
    response::Response,
};
use http::{
    Method, StatusCode,
    header::{CONTENT_TYPE, COOKIE, HOST, SET_COOKIE},
};
use http_body_util::BodyExt;
use serde_json::Value;
use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::timeout;
use tower::ServiceExt;

async fn fleet() -> (Arc<Balancer>, Router) {
    let asked = options::parse(["fleet".into(), "--redis=memory:".into()]).unwrap();
    let Asked::Fleet(options) = asked else {
        panic!("not a fleet")
    };
    let store = options.store.open().await.unwrap();
    let balancer = Balancer::start(&options, store).await.unwrap();
    let peer = MockConnectInfo(SocketAddr::from(([127, 0, 0, 1], 40_000)));
    let app = router(balancer.clone()).layer(peer);
    (balancer, app)
}

async fn send(app: &Router, method: Method, path: &str, cookie: &str, form: &str) -> Response {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "127.0.0.1")
        .header(COOKIE, cookie)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = request.body(Body::from(form.to_owned())).unwrap();
    let answer = timeout(Duration::from_secs(20), app.clone().oneshot(request));
    answer.await.unwrap().unwrap()
}

async fn post(app: &Router, path: &str, body: &str) -> StatusCode {
    send(app, Method::POST, path, "", body).await.status()
}

async fn json(response: Response) -> Value {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

/// The instance that answers, and the cookies it sets.
async fn anon(app: &Router, cookie: &str) -> (String, String) {
    let response = send(app, Method::GET, "/anon", cookie, "").await;
    assert_eq!(response.status(), StatusCode::OK);
    let cookies = cookies(&response);
    let name = json(response).await["instance"]
        .as_str()
        .unwrap()
        .to_owned();
    (name, cookies)
}

fn cookies(response: &Response) -> String {
    let lines = response.headers().get_all(SET_COOKIE).iter();
    let pairs = lines.map(|line| line.to_str().unwrap().split(';').next().unwrap());
    pairs.collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn one_login_is_served_by_all_instances() {
    let (_balancer, app) = fleet().await;
    let login = send(&app, Method::POST, "/login", "", "user=alice").await;
    let cookie = cookies(&login);
    let mut seen = BTreeSet::new();
    for _ in 0..40 {
        let me = json(send(&app, Method::GET, "/me", &cookie, "").await).await;
        assert_eq!(me["user"], "alice");
        seen.insert(me["instance"].as_str().unwrap().to_owned());
    }
    let four = ["blue-1", "blue-2", "green-1", "green-2"];
    assert!(seen.iter().eq(four.iter()), "{seen:?}");
}

#[tokio::test]
async fn a_client_stays_with_its_version_while_the_split_stands() {
    let (balancer, app) = fleet().await;
    balancer.split.set(Split::new(50));
    let (first, cookie) = anon(&app, "").await;
    for _ in 0..8 {
        let (name, cookies) = anon(&app, &cookie).await;
        assert_eq!(name.split('-').next(), first.split('-').next());
        assert_eq!(cookies, "", "a known client gets no new cookie");
    }
    balancer.split.set(Split::new(0));
    assert!(anon(&app, &cookie).await.0.starts_with("blue"));
    balancer.split.set(Split::new(100));
    assert!(anon(&app, &cookie).await.0.starts_with("green"));
}

#[tokio::test]
async fn the_other_version_takes_over_and_without_any_there_is_a_503() {
    let (balancer, app) = fleet().await;
    balancer.split.set(Split::new(100));
    for path in ["/admin/instances/2/stop", "/admin/instances/3/stop"] {
        assert_eq!(post(&app, path, "").await, StatusCode::OK);
    }
    assert!(anon(&app, "").await.0.starts_with("blue"));
    for path in ["/admin/instances/0/stop", "/admin/instances/1/stop"] {
        assert_eq!(post(&app, path, "").await, StatusCode::OK);
    }
    let nobody = send(&app, Method::GET, "/anon", "", "").await;
    assert_eq!(nobody.status(), StatusCode::SERVICE_UNAVAILABLE);
    let page = send(&app, Method::GET, "/", "", "").await;
    assert_eq!(page.status(), StatusCode::OK, "or nobody could start one");
    assert_eq!(
        post(&app, "/admin/instances/3/start", "").await,
        StatusCode::OK
    );
    assert_eq!(anon(&app, "").await.0, "green-2");
}

#[tokio::test]
async fn a_refused_connection_goes_on_to_the_next_with_the_whole_body() {
    let (balancer, app) = fleet().await;
    let gone = crate::net::listen(0).await.unwrap();
    balancer.slots[0].seat().port = crate::net::port_of(&gone);
    drop(gone);
    let cart = json(send(&app, Method::POST, "/cart", "", "item=scarf").await).await;
    assert_eq!(
        (&cart["items"][0], &cart["instance"]),
        (&"scarf".into(), &"blue-2".into())
    );
}

#[tokio::test]
async fn a_paused_instance_leaves_the_rotation_and_keeps_what_it_holds() {
    let (balancer, app) = fleet().await;
    for other in [1, 2, 3] {
        balancer.slots[other].stop().await;
    }
    assert!(balancer.slots[0].pause().await);
    let held = tokio::spawn({
        let app = app.clone();
        async move { anon(&app, "").await.0 }
    });
    while balancer.slots[0].is_available() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(
        post(&app, "/admin/instances/0/resume", "").await,
        StatusCode::OK
    );
    assert_eq!(
        timeout(Duration::from_secs(5), held)
            .await
            .unwrap()
            .unwrap(),
        "blue-1"
    );
    assert_eq!(anon(&app, "").await.0, "blue-1");
}

#[tokio::test]
async fn stopping_ends_event_streams_and_finishes_requests() {
    let (balancer, app) = fleet().await;
    for other in [1, 2, 3] {
        balancer.slots[other].stop().await;
    }
    let cookie = cookies(&send(&app, Method::POST, "/login", "", "user=bob").await);
    let events = send(&app, Method::GET, "/events", &cookie, "").await;
    assert_eq!(events.headers()[CONTENT_TYPE], "text/event-stream");
    let events = tokio::spawn(events.into_body().collect());
    let slow = tokio::spawn({
        let (app, cookie) = (app.clone(), cookie.clone());
        async move {
            send(
                &app,
                Method::POST,
                "/slow?ms=300&key=k&value=v",
                &cookie,
                "",
            )
            .await
        }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    timeout(Duration::from_secs(5), balancer.slots[0].stop())
        .await
        .unwrap();
    assert_eq!(slow.await.unwrap().status(), StatusCode::NO_CONTENT);
    let events = events.await.unwrap().unwrap().to_bytes();
    assert!(events.starts_with(b"event: session\n"));
    assert!(!events.windows(7).any(|part| part == b"revoked"));
}

#[tokio::test]
async fn wrong_admin_requests_say_what_is_right() {
    let (_balancer, app) = fleet().await;
    for (path, body, status) in [
        ("/admin/split", r#"{"green":101}"#, StatusCode::BAD_REQUEST),
        ("/admin/instances/4/stop", "", StatusCode::NOT_FOUND),
        ("/admin/instances/0/melt", "", StatusCode::NOT_FOUND),
        ("/admin/nothing", "", StatusCode::NOT_FOUND),
    ] {
        let response = send(&app, Method::POST, path, "", body).await;
        assert_eq!(response.status(), status, "{path}");
        assert!(json(response).await["error"].is_string(), "{path}");
    }
}

#[test]
fn half_of_the_instances_are_blue_and_names_are_unique() {
    let names = |count| {
        let slots = slots(count);
        slots
            .iter()
            .map(|slot| slot.name().to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(4), ["blue-1", "blue-2", "green-1", "green-2"]);
    assert_eq!(names(3), ["blue-1", "blue-2", "green-1"]);
    assert_eq!(names(1), ["blue-1"]);
}
