//! All that a session can go through.

use cloakroom::Header;
use cloakroom_core::{Buckets, OsEntropy, SessionId};

use super::ids::Ids;
use crate::web::support::{Browser, Instance, Op, World, call};

/// Runs it on two instances; they are returned for a look at what is left.
pub(super) async fn run(world: &World, ids: &mut Ids) -> [Instance; 2] {
    let limited = |b: cloakroom::SessionsBuilder| b.max_sessions_per_user(2).max_size(4096);
    let (a, b) = (
        world.configured(limited).await,
        world.configured(limited).await,
    );
    life(&a, &b, ids).await;
    knocking(&a, ids).await;
    failing(&a, ids).await;
    by_header(world, ids).await;
    ends(&a, &b, ids).await;
    [a, b]
}

/// Anonymous, logged in, used, rotated, as another user, on several devices.
async fn life(a: &Instance, b: &Instance, ids: &mut Ids) {
    let mut browser = Browser::new();
    for line in [
        "GET /info",
        "PUT /attr/k",
        "POST /login/alice?device=phone&remember=true",
        "GET /attr/k",
        "PUT /lazy/other",
        "POST /counter",
        "POST /append/list/planted-value-of-an-attribute",
        "DELETE /attr/other",
        "POST /rotate",
        "POST /login/alice",
        "POST /others",
        "POST /login/bob",
        "PUT /attr/k",
    ] {
        for instance in [a, b] {
            let answer = ids.ask(&instance.app, &mut browser, line).await;
            assert!(answer.status.is_success(), "{line}: {answer:?}");
        }
    }
    for instance in [a, b] {
        instance.sessions.shutdown().await.unwrap();
    }
}

/// Ids that lead nowhere: malformed, forged, ended, two at once.
async fn knocking(a: &Instance, ids: &mut Ids) {
    let buckets = Buckets::default();
    let forged = SessionId::generate(buckets.get(9).unwrap(), &OsEntropy).unwrap();
    let forged = forged.expose_secret();
    ids.add(&forged);
    let mut gone = Browser::new();
    ids.ask(&a.app, &mut gone, "PUT /attr/k").await;
    let ended = gone.id().unwrap().to_owned();
    ids.ask(&a.app, &mut gone, "POST /logout").await;
    let wrong = [
        forged.clone(),
        ended.clone(),
        format!("{ended}x"),
        ended[1..].to_owned(),
        format!("{ended}; __Host-id={forged}"),
        format!("x; other={ended}"),
    ];
    for wrong in wrong {
        for line in [
            "GET /info",
            "PUT /lazy/k",
            "POST /counter",
            "POST /rotate",
            "POST /logout",
        ] {
            ids.ask(&a.app, &mut Browser::with_id(&wrong), line).await;
        }
    }
}

/// What does not decode or fit, a store that is away, a limit that is reached.
async fn failing(a: &Instance, ids: &mut Ids) {
    let mut browser = Browser::new();
    ids.ask(&a.app, &mut browser, "PUT /attr/count")
        .await
        .is(200);
    ids.ask(&a.app, &mut browser, "POST /counter").await.is(500);
    ids.ask(&a.app, &mut browser, "PUT /answer/500")
        .await
        .is(500);
    let huge = browser
        .request(http::Method::PUT, "/attr/k")
        .body("x".repeat(5000).into());
    ids.note(&call(&a.app, huge.unwrap()).await.is(413));
    unavailable(a, &mut browser, ids).await;
}

async fn unavailable(a: &Instance, browser: &mut Browser, ids: &mut Ids) {
    let lines = [
        "PUT /attr/k",
        "POST /append/l/x",
        "POST /rotate",
        "POST /login/eve",
        "POST /logout",
    ];
    for op in [
        Op::Load,
        Op::Commit,
        Op::Rotate,
        Op::End,
        Op::Create,
        Op::Retire,
    ] {
        a.store.lose(op);
        for line in lines {
            ids.ask(&a.app, browser, line).await;
        }
    }
    a.store.down(true);
    for line in lines {
        let mut forged = Browser::with_id(&"A".repeat(32));
        ids.ask(&a.app, &mut forged, line).await;
    }
    a.store.down(false);
}

async fn by_header(world: &World, ids: &mut Ids) {
    let header = Header::new("x-session").unwrap();
    let c = world.configured(|b| b.transport(header)).await;
    let login = ids
        .ask(&c.app, &mut Browser::new(), "POST /login/carol")
        .await
        .is(200);
    let id = login.header("x-session")[0].to_owned();
    for path in ["/info", "/attr/k"] {
        let request = Browser::new()
            .request(http::Method::GET, path)
            .header("x-session", &id);
        ids.note(&call(&c.app, request.body(Default::default()).unwrap()).await);
    }
}

/// Evicted, revoked, logged out while others write.
async fn ends(a: &Instance, b: &Instance, ids: &mut Ids) {
    let mut browsers = [Browser::new(), Browser::new(), Browser::new()];
    for browser in &mut browsers {
        ids.ask(&a.app, browser, "POST /login/alice?device=tv")
            .await
            .is(200);
    }
    let handle = b.sessions.list("alice").await.unwrap()[0].handle;
    assert!(b.sessions.revoke("alice", &handle).await.unwrap());
    let gate = a.store.hold(Op::Commit);
    let mut slow = browsers[2].clone();
    let logout = async {
        gate.reached().await;
        browsers[2].post(&b.app, "/logout").await.is(204);
        gate.open();
    };
    tokio::join!(ids.ask(&a.app, &mut slow, "PUT /attr/late"), logout);
    b.sessions.revoke_user("alice").await.unwrap();
    // One is left, for whoever looks at what is stored.
    let mut last = Browser::new();
    ids.ask(&a.app, &mut last, "POST /login/last?remember=true")
        .await
        .is(200);
    ids.ask(&a.app, &mut last, "PUT /attr/k").await.is(200);
}
