//! Ids that travel in a header of the application's own, for clients without cookies.

use axum::body::Body;
use cloakroom::Header;
use http::{Method, Request};

use crate::web::support::{Answer, Browser, Instance, Op, World, call, on_both};

on_both!(
    a_session_lives_by_its_header,
    the_other_transport_s_ids_are_ignored,
    malformed_and_ambiguous_headers_are_none,
);

async fn instance(world: &World) -> Instance {
    let header = Header::new("X-Session").unwrap();
    world.configured(|b| b.transport(header)).await
}

async fn ask(instance: &Instance, method: Method, path: &str, ids: &[&[u8]]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for id in ids {
        request = request.header("x-session", *id);
    }
    call(&instance.app, request.body(Body::from("value")).unwrap()).await
}

async fn a_session_lives_by_its_header(world: World) {
    let (a, b) = (instance(&world).await, instance(&world).await);
    let login = ask(&a, Method::POST, "/login/alice", &[]).await.is(200);
    let [id] = login.header("x-session")[..] else {
        panic!("{login:?}")
    };
    assert_eq!(login.header("x-session-revision").len(), 1);
    assert_eq!(login.header("set-cookie"), [""; 0]);
    assert_eq!(login.header("cache-control"), ["no-store"]);
    assert_eq!(login.header("vary"), ["x-session"]);

    let me = ask(&b, Method::GET, "/info", &[id.as_bytes()])
        .await
        .is(200);
    assert!(me.text.contains("alice"));
    assert_eq!(me.header("vary"), ["x-session"]);
    assert_eq!(me.header("x-session"), [""; 0], "it is not repeated");

    let write = ask(&b, Method::PUT, "/attr/k", &[id.as_bytes()])
        .await
        .is(200);
    assert!(write.header("x-session-revision")[0].ends_with(".2"));
    assert_eq!(write.header("x-session"), [""; 0]);

    let logout = ask(&a, Method::POST, "/logout", &[id.as_bytes()])
        .await
        .is(204);
    assert_eq!(logout.header("x-session"), [""], "forget it");
    assert_eq!(logout.header("cache-control"), ["no-store"]);
    let me = ask(&b, Method::GET, "/info", &[id.as_bytes()])
        .await
        .is(200);
    assert!(!me.text.contains("alice"));
}

async fn the_other_transport_s_ids_are_ignored(world: World) {
    let (a, cookies) = (instance(&world).await, world.instance().await);
    let login = ask(&a, Method::POST, "/login/alice", &[]).await.is(200);
    let id = login.header("x-session")[0].to_owned();
    a.store.calls();
    assert_eq!(Browser::with_id(&id).user(&a.app).await, None);
    let other = ask(&cookies, Method::GET, "/info", &[id.as_bytes()])
        .await
        .is(200);
    assert!(!other.text.contains("alice"));
    for instance in [&a, &cookies] {
        assert!(instance.store.calls().is_empty());
    }
}

async fn malformed_and_ambiguous_headers_are_none(world: World) {
    let a = instance(&world).await;
    let issue = async || {
        let login = ask(&a, Method::POST, "/login/alice", &[]).await.is(200);
        login.header("x-session")[0].to_owned()
    };
    let (one, two) = (issue().await, issue().await);
    let (one, two) = (one.as_bytes(), two.as_bytes());
    a.store.calls();
    let long = [one, one].concat();
    let cases: [&[&[u8]]; 7] = [
        &[one, two],
        &[one, b""],
        &[b""],
        &[b"x"],
        &[&long],
        &[&one[1..]],
        &[b"\xff\xfe"],
    ];
    for ids in cases {
        let me = ask(&a, Method::GET, "/info", ids).await.is(200);
        assert!(!me.text.contains("alice"));
        assert_eq!(me.header("x-session"), [""; 0]);
    }
    assert!(a.store.calls().is_empty(), "nobody was asked");
    let me = ask(&a, Method::GET, "/info", &[one, one]).await.is(200);
    assert!(me.text.contains("alice"), "the same twice is no ambiguity");
    assert_eq!(a.store.calls()[&Op::Load], 1);
}
