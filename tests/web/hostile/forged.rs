//! Well-formed ids that lead nowhere.

use cloakroom_core::{Entropy, Result, SessionId};
use cloakroom_testkit::RedisServer;
use http::Method;
use std::sync::Arc;

use super::{BUCKETS, address, ask, forged, id_cookie};
use crate::web::support::{Browser, World, on_both};

on_both!(
    a_forged_id_is_never_adopted,
    what_a_store_knows_of_an_id_is_no_id,
    an_ended_id_stays_ended,
);

async fn a_forged_id_is_never_adopted(world: World) {
    let a = world.instance().await;
    let requests = [
        (Method::GET, "/info", 200),
        (Method::PUT, "/lazy/k", 200),
        (Method::DELETE, "/lazy/k", 200),
        (Method::DELETE, "/attr/k", 200),
        (Method::POST, "/logout", 204),
        (Method::POST, "/rotate", 200),
        (Method::POST, "/others", 401),
    ];
    for (method, path, status) in requests {
        let forged = forged().expose_secret();
        let answer = ask(&a.app, method, path, &[&id_cookie(&forged)]).await;
        assert_eq!(answer.is(status).new_id(), None, "{path}");
        assert_eq!(world.live().await, 0, "{path}");
    }
    let issuing = [
        (Method::PUT, "/attr/k"),
        (Method::POST, "/counter"),
        (Method::POST, "/login/a"),
    ];
    for (n, (method, path)) in issuing.into_iter().enumerate() {
        let forged = forged().expose_secret();
        let answer = ask(&a.app, method, path, &[&id_cookie(&forged)])
            .await
            .is(200);
        assert_ne!(answer.new_id().unwrap(), forged, "{path}");
        assert_eq!(world.live().await, n + 1, "a session of our own making");
        assert_eq!(
            Browser::with_id(&forged).info(&a.app).await["revision"].as_u64(),
            None
        );
    }
}

/// Fills an id with these bytes, then zeros.
#[derive(Debug)]
struct Chosen(Vec<u8>);

impl Entropy for Chosen {
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        let bytes = self.0.iter().copied().chain(std::iter::repeat(0));
        buffer
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, byte)| *to = byte);
        Ok(())
    }
}

/// A3: whoever reads the store can't log in with what stands there.
async fn what_a_store_knows_of_an_id_is_no_id(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    let id = alice.id().unwrap().to_owned();
    let at = address(&id);
    let bytes = at.digest.as_bytes();
    let in_its_bucket = SessionId::generate(at.bucket, &Chosen(bytes.to_vec())).unwrap();
    let tag = BUCKETS.tag(at.bucket);
    let hex = at.digest.to_hex();
    let handle = alice.info(&a.app).await["handle"]
        .as_str()
        .unwrap()
        .to_owned();
    let revision = alice.cookie("__Host-id-rev").unwrap().to_owned();
    let (mark, _) = revision.split_once('.').unwrap();
    let known = [
        hex.clone(),
        hex.to_uppercase(),
        format!("cr1:{{{tag}}}:s:{hex}"),
        in_its_bucket.expose_secret(),
        handle.clone(),
        format!("{handle:A<32}"),
        revision.clone(),
        format!("{}{mark:A<29}", &id[..3]),
    ];
    for known in known {
        assert_ne!(known, id);
        let me = ask(&a.app, Method::GET, "/info", &[&id_cookie(&known)])
            .await
            .is(200);
        assert!(me.text.contains("\"user\":null"), "{known}");
        ask(&a.app, Method::POST, "/logout", &[&id_cookie(&known)])
            .await
            .is(204);
    }
    assert_eq!(alice.user(&a.app).await.as_deref(), Some("alice"));
}

/// A19: logged out, rotated, revoked or expired, it leads nowhere on any instance.
async fn an_ended_id_stays_ended(world: World) {
    let [a, b] = world.instances().await;
    let mut alice = Browser::new();
    let mut ended = Vec::new();
    for path in ["/logout", "/rotate", "/login/alice", "/login/bob"] {
        alice.log_in(&a.app, "alice").await;
        ended.push(alice.id().unwrap().to_owned());
        alice.post(&b.app, path).await;
    }
    alice.log_in(&a.app, "alice").await;
    ended.push(alice.id().unwrap().to_owned());
    a.sessions.revoke_user("alice").await.unwrap();
    // What was replaced is answered so for a while; what has ended takes what it is told.
    for statuses in [[200, 409, 409, 409, 200], [200; 5]] {
        let instances = [&a, &b].into_iter().cycle();
        for ((id, status), instance) in ended.iter().zip(statuses).zip(instances) {
            for path in ["/lazy/k", "/attr/k"] {
                let mut old = Browser::with_id(id);
                old.put(&instance.app, path, "late").await.is(status);
                assert_eq!(Browser::with_id(id).user(&instance.app).await, None);
                assert_eq!(Browser::with_id(id).attr(&instance.app, "k").await, None);
            }
        }
        // Long after nobody knows any more that it ever was.
        world.pass(time::Duration::hours(13)).await;
    }
}

/// 10,000 requests that change nothing of what there is.
#[tokio::test]
async fn ten_thousand_forged_ids_leave_no_key() {
    let server = Arc::new(RedisServer::start().await);
    let world = World::redis_on(Arc::clone(&server), "forged");
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    let before = server.keys().await;
    for turn in 0..10_000 {
        let cookie = id_cookie(forged().expose_secret());
        let (method, path) = match turn % 5 {
            0 => (Method::GET, "/info"),
            1 => (Method::PUT, "/lazy/k"),
            2 => (Method::DELETE, "/lazy/k"),
            3 => (Method::POST, "/logout"),
            _ => (Method::POST, "/rotate"),
        };
        let answer = ask(&a.app, method, path, &[&cookie]).await;
        assert!(
            answer.status.is_success() && answer.new_id().is_none(),
            "{answer:?}"
        );
    }
    assert_eq!(server.dbsize().await, before.len() as u64);
    assert_eq!(server.keys().await, before);
    println!(
        "10,000 forged ids: DBSIZE {} before and after",
        before.len()
    );
}
