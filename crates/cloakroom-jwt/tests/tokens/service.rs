//! Logins by tokens, as an application uses them.

use crate::ground::{LIMIT, connect, everywhere, proven};
use cloakroom_core::{MemoryStore, SessionStore, Store};
use cloakroom_jwt::{
    KeyRing, LoginService, OnUnavailable, Pair, Refreshed, Refusal, SigningKey, Tokens, Verifier,
};
use cloakroom_testkit::{RedisServer, eventually};
use std::sync::Arc;

async fn service(store: &Arc<dyn Store>, ring: &KeyRing) -> LoginService {
    let tokens = Tokens::builder(ring.clone(), "https://login.example").audience("shop");
    let service = LoginService::builder(Arc::clone(store), tokens);
    service.build().await.unwrap()
}

fn ring() -> KeyRing {
    KeyRing::new(SigningKey::generate().unwrap())
}

async fn is_revoked_soon(verifier: &Verifier, pair: &Pair) -> bool {
    let token = pair.access.token();
    let refused = || async { matches!(verifier.verify(token).await, Err(Refusal::Revoked)) };
    eventually(LIMIT, refused).await
}

#[tokio::test]
async fn a_login_is_checked_renewed_and_ended_on_any_instance() {
    everywhere(|a, b| async move {
        let ring = ring();
        let (blue, green) = (service(&a, &ring).await, service(&b, &ring).await);
        let scope = Some("cart:write".parse().unwrap());
        let pair = blue.log_in("alice", Some("phone"), scope).await.unwrap();
        let verified = green.verifier().verify(pair.access.token()).await.unwrap();
        assert_eq!(verified.registered().subject, "alice");
        assert!(verified.require_scope("cart:write").is_ok());
        let Refreshed::Pair(next) = green.refresh(&pair.refresh.expose_secret()).await.unwrap()
        else {
            panic!("not renewed");
        };
        let verified = blue.verifier().verify(next.access.token()).await.unwrap();
        assert!(verified.require_scope("cart:write").is_ok());
        assert_eq!(green.list("alice").await.unwrap().len(), 1);
        blue.log_out(&next.refresh.expose_secret()).await.unwrap();
        for pair in [&pair, &*next] {
            assert!(is_revoked_soon(&green.verifier(), pair).await);
            assert!(is_revoked_soon(&blue.verifier(), pair).await);
        }
        assert!(matches!(
            green.refresh(&next.refresh.expose_secret()).await.unwrap(),
            Refreshed::Gone
        ));
    })
    .await;
}

#[tokio::test]
async fn one_token_one_login_a_user_and_everyone_are_revoked_apart() {
    everywhere(|a, b| async move {
        let ring = ring();
        let (blue, green) = (service(&a, &ring).await, service(&b, &ring).await);
        let verifier = green.verifier();
        let is_good = |pair: &Pair| {
            let token = pair.access.token().to_owned();
            let verifier = verifier.clone();
            async move { verifier.verify(&token).await.is_ok() }
        };
        let log_in = |user: &'static str| {
            let blue = blue.clone();
            async move { blue.log_in(user, None, None).await.unwrap() }
        };
        let (one, two, bob) = (
            log_in("alice").await,
            log_in("alice").await,
            log_in("bob").await,
        );
        blue.revoke_token(one.access.registered()).await.unwrap();
        assert!(is_revoked_soon(&verifier, &one).await);
        // Its login goes on.
        let Refreshed::Pair(one) = blue.refresh(&one.refresh.expose_secret()).await.unwrap() else {
            panic!("its login ended")
        };
        assert!(is_good(&one).await && is_good(&two).await);
        let first = blue.list("alice").await.unwrap()[0].handle;
        assert!(blue.revoke_login("alice", first).await.unwrap());
        assert!(!blue.revoke_login("bob", first).await.unwrap());
        assert!(is_revoked_soon(&verifier, &one).await);
        assert!(is_good(&two).await);
        assert_eq!(blue.revoke_user("alice").await.unwrap(), 1);
        assert!(is_revoked_soon(&verifier, &two).await);
        assert!(is_good(&bob).await);
        blue.revoke_everyone().await.unwrap();
        assert!(is_revoked_soon(&verifier, &bob).await);
        assert!(is_good(&log_in("bob").await).await);
    })
    .await;
}

/// J36.
#[tokio::test]
async fn neither_token_is_taken_for_the_other_nor_for_a_session() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let service = service(&store, &ring()).await;
    let pair = service.log_in("alice", None, None).await.unwrap();
    let refresh = pair.refresh.expose_secret();
    assert!(service.verifier().verify(&refresh).await.is_err());
    assert!(matches!(
        service.refresh(pair.access.token()).await.unwrap(),
        Refreshed::Gone
    ));
    let sid = pair.access.registered().session.clone().unwrap();
    for id in [
        &refresh,
        &refresh[5..],
        &refresh[5..37],
        &sid,
        pair.access.token(),
    ] {
        let id = cloakroom_core::SessionId::parse(id, store.buckets());
        let at = id.and_then(|id| id.address(store.buckets()));
        if let Some(at) = at {
            let need = cloakroom_core::Freshness::NOW;
            assert_eq!(
                store.load(at, need).await.unwrap(),
                cloakroom_core::Loaded::Absent
            );
        }
    }
    // What the access token says leads to no refresh token.
    assert!(matches!(
        service.refresh(&sid).await.unwrap(),
        Refreshed::Gone
    ));
}

/// A server that keeps all it has acknowledged.
async fn lasting() -> RedisServer {
    let server = RedisServer::builder()
        .arg("--appendonly", "yes")
        .arg("--appendfsync", "always");
    server.start().await
}

/// J37.
#[tokio::test]
async fn what_was_refused_once_is_never_accepted_again_whatever_restarts() {
    let (server, ring) = (lasting().await, ring());
    let stores = [connect(&server.url()).await, connect(&server.url()).await];
    let blue = service(&stores[0], &ring).await;
    let green = service(&stores[1], &ring).await;
    for how in ["token", "login", "user", "everyone"] {
        let pair = blue.log_in("alice", None, None).await.unwrap();
        let token = pair.access.token().to_owned();
        assert!(green.verifier().verify(&token).await.is_ok(), "{how}");
        match how {
            "token" => blue.revoke_token(pair.access.registered()).await.unwrap(),
            "login" => blue.log_out(&pair.refresh.expose_secret()).await.unwrap(),
            "user" => drop(blue.revoke_user("alice").await.unwrap()),
            _ => blue.revoke_everyone().await.unwrap(),
        }
        assert!(is_revoked_soon(&green.verifier(), &pair).await, "{how}");
        assert!(is_revoked_soon(&blue.verifier(), &pair).await, "{how}");
        // From now on all the time: with the server away, and while it comes back.
        let watched = [&blue, &green].map(|service| {
            let (verifier, token) = (service.verifier(), token.clone());
            tokio::spawn(async move {
                loop {
                    let answer = verifier.verify(&token).await;
                    assert!(answer.is_err(), "accepted after it was refused");
                    tokio::task::yield_now().await;
                }
            })
        });
        server.kill();
        let refused = green.verifier().verify(&token).await;
        assert!(
            matches!(refused, Err(Refusal::Revoked)),
            "{how}: {refused:?}"
        );
        server.restart().await;
        for store in &stores {
            proven(store).await;
        }
        let later = service(&connect(&server.url()).await, &ring).await;
        for service in [&blue, &green, &later] {
            assert!(is_revoked_soon(&service.verifier(), &pair).await, "{how}");
        }
        for task in watched {
            assert!(!task.is_finished(), "{how}");
            task.abort();
        }
    }
}

/// J39.
#[tokio::test]
async fn without_its_store_a_service_refuses_all_or_accepts_for_as_long_as_it_was_told() {
    let (server, ring) = (lasting().await, ring());
    let store = connect(&server.url()).await;
    let with = |choice| {
        let tokens = Tokens::builder(ring.clone(), "https://login.example").audience("shop");
        let service = LoginService::builder(Arc::clone(&store), tokens);
        service.on_unavailable(choice).build()
    };
    let strict = service(&store, &ring).await;
    let long = with(OnUnavailable::AcceptAsOf(time::Duration::HOUR));
    let short = with(OnUnavailable::AcceptAsOf(time::Duration::milliseconds(
        2_500,
    )));
    let (long, short) = (long.await.unwrap(), short.await.unwrap());
    let good = strict.log_in("alice", None, None).await.unwrap();
    let bad = strict.log_in("bob", None, None).await.unwrap();
    strict.revoke_user("bob").await.unwrap();
    for service in [&strict, &long, &short] {
        assert!(is_revoked_soon(&service.verifier(), &bad).await);
        assert!(service.verifier().verify(good.access.token()).await.is_ok());
    }
    server.kill();
    let answer = |service: &LoginService| {
        let (verifier, token) = (service.verifier(), good.access.token().to_owned());
        async move { verifier.verify(&token).await }
    };
    let is_away = |answer: Result<_, Refusal>| matches!(answer, Err(Refusal::Unavailable(_)));
    // Within its bound even the strict one accepts what is proven; not longer.
    assert!(eventually(LIMIT, || async { is_away(answer(&strict).await) }).await);
    assert!(answer(&short).await.is_ok());
    assert!(eventually(LIMIT, || async { is_away(answer(&short).await) }).await);
    assert!(answer(&long).await.is_ok());
    for service in [&strict, &long, &short] {
        let refused = service.verifier().verify(bad.access.token()).await;
        assert!(matches!(refused, Err(Refusal::Revoked)));
    }
    server.restart().await;
    proven(&store).await;
    for service in [&strict, &long, &short] {
        assert!(eventually(LIMIT, || async { answer(service).await.is_ok() }).await);
    }
}

#[tokio::test]
async fn the_permissions_in_the_manual_suffice() {
    let manual = include_str!("../../../cloakroom/manual/operations.md");
    let words = manual.split(|c: char| c.is_whitespace() || c == '`');
    let rules = words.filter(|word| word.starts_with('+'));
    let user = ["ACL", "SETUSER", "app", "on", ">pass", "~cr1:*", "&cr1:*"];
    let rules: Vec<_> = user.into_iter().chain(rules).collect();
    let listening = ["+subscribe", "+echo"];
    let server = RedisServer::start().await;
    server.command(&[&rules[..], &listening].concat()).await;
    let url = format!("redis://app:pass@127.0.0.1:{}", server.port());
    let service = service(&connect(&url).await, &ring()).await;
    let first = service.log_in("alice", Some("phone"), None).await.unwrap();
    let Refreshed::Pair(next) = service
        .refresh(&first.refresh.expose_secret())
        .await
        .unwrap()
    else {
        panic!("not renewed");
    };
    service
        .revoke_token(next.access.registered())
        .await
        .unwrap();
    assert!(is_revoked_soon(&service.verifier(), &next).await);
    service
        .log_out(&next.refresh.expose_secret())
        .await
        .unwrap();
    let second = service.log_in("alice", None, None).await.unwrap();
    let handle = service.list("alice").await.unwrap()[0].handle;
    assert!(service.revoke_login("alice", handle).await.unwrap());
    assert!(is_revoked_soon(&service.verifier(), &second).await);
    assert_eq!(service.revoke_user("alice").await.unwrap(), 0);
    service.revoke_everyone().await.unwrap();
}

#[tokio::test]
async fn an_access_token_lives_no_longer_than_its_login() {
    everywhere(|a, _| async move {
        let tokens = Tokens::builder(ring(), "https://login.example").audience("shop");
        let service = LoginService::builder(Arc::clone(&a), tokens);
        let service = service.idle_timeout(time::Duration::seconds(20));
        let service = service.build().await.unwrap();
        let pair = service.log_in("alice", None, None).await.unwrap();
        assert!(pair.access.life() <= time::Duration::seconds(20));
        let next = service
            .refresh(&pair.refresh.expose_secret())
            .await
            .unwrap();
        let Refreshed::Pair(next) = next else {
            panic!("not renewed")
        };
        assert!(next.access.life() <= time::Duration::seconds(20));
    })
    .await;
}

#[tokio::test]
async fn a_refresh_token_with_another_bucket_is_none() {
    everywhere(|a, _| async move {
        let service = service(&a, &ring()).await;
        let text = service.log_in("alice", None, None).await.unwrap();
        let text = text.refresh.expose_secret();
        // The second character holds the upper bits of the bucket's number, which is below 64.
        for upper in ["A", "B", "C", "D"] {
            let mut other = text.clone();
            other.replace_range(6..7, upper);
            if other != text {
                assert!(matches!(
                    service.refresh(&other).await.unwrap(),
                    Refreshed::Gone
                ));
            }
        }
        assert!(matches!(
            service.refresh(&text).await.unwrap(),
            Refreshed::Pair(_)
        ));
    })
    .await;
}

#[tokio::test]
async fn a_token_without_a_login_is_refused_unless_that_is_wished() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    for accepted in [false, true] {
        let revoked = cloakroom_jwt::Revoked::builder(Arc::clone(&store) as _);
        let revoked = revoked
            .tokens_without_login(accepted)
            .build()
            .await
            .unwrap();
        let tokens = Tokens::builder(ring(), "https://login.example").audience("shop");
        let tokens = tokens.revocation(Arc::new(revoked)).build().unwrap();
        let issued = tokens
            .issue(&cloakroom_jwt::Grant::new("a service"))
            .unwrap();
        assert_eq!(
            tokens.verifier().verify(issued.token()).await.is_ok(),
            accepted
        );
    }
}

#[tokio::test]
async fn lives_that_outlast_what_is_remembered_are_refused() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let build = |life, longest| {
        let tokens = Tokens::builder(ring(), "https://login.example").audience("shop");
        let service = LoginService::builder(Arc::clone(&store), tokens.life(life));
        service.longest_life(longest).build()
    };
    let minutes = time::Duration::minutes;
    assert!(build(minutes(5), minutes(5)).await.is_ok());
    for (life, longest) in [(minutes(6), minutes(5)), (minutes(5), minutes(61))] {
        let error = build(life, longest).await.unwrap_err();
        assert_eq!(error.kind(), cloakroom_core::ErrorKind::Config);
    }
}
