//! What was revoked is refused, without a question where that is proven.

use crate::ground::{LIMIT, connect, everywhere, proven};
use cloakroom_core::{Address, Digest, Entropy, OsEntropy, SessionStore, Store, Which};
use cloakroom_jwt::{Families, FamilyPolicy, Login, OnUnavailable, Revoked, Subject};
use cloakroom_testkit::{RedisServer, eventually};
use std::sync::Arc;
use time::Duration;

const LIFE: Duration = Duration::minutes(5);

fn place(store: &Arc<dyn Store>) -> Address {
    let mut digest = [0; 16];
    OsEntropy.fill(&mut digest).unwrap();
    Address::of_digest(Digest::from_bytes(digest), store.layout())
}

async fn set(store: &Arc<dyn Store>) -> Revoked {
    Revoked::builder(Arc::clone(store) as _)
        .build()
        .await
        .unwrap()
}

fn families(store: &Arc<dyn Store>) -> Families {
    let policy = FamilyPolicy {
        idle: Duration::days(14),
        absolute: Duration::days(30),
        grace: Duration::SECOND,
        access_life: LIFE,
        limit: None,
    };
    Families::new(Arc::clone(store) as _, policy).unwrap()
}

fn token(at: Address) -> Subject<'static> {
    Subject {
        session: None,
        token: at,
        epoch: None,
    }
}

async fn is_refused_soon(set: &Revoked, subject: Subject<'_>) -> bool {
    eventually(LIMIT, || async { set.known(subject) == Some(true) }).await
}

#[tokio::test]
async fn a_token_is_refused_on_every_instance_and_by_those_that_start_later() {
    everywhere(|a, b| async move {
        let (near, far) = (set(&a).await, set(&b).await);
        let (bad, good) = (place(&a), place(&a));
        assert_eq!(far.known(token(bad)), Some(false));
        a.revoke_for(bad, LIFE).await.unwrap();
        assert!(is_refused_soon(&near, token(bad)).await);
        assert!(is_refused_soon(&far, token(bad)).await);
        let later = set(&b).await;
        assert_eq!(later.known(token(bad)), Some(true));
        for set in [near, far, later] {
            assert_eq!(set.known(token(good)), Some(false));
            assert_eq!(set.stats().asked, 0);
        }
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_session_refuses_its_tokens_however_it_comes() {
    everywhere(|a, b| async move {
        let far = set(&b).await;
        let families = families(&a);
        let user = a.user("alice").unwrap();
        for how in ["logout", "one", "others", "all", "reuse"] {
            let family = families.begin("alice", Login::default()).await.unwrap();
            let subject = Subject {
                session: Some(family.at),
                token: place(&a),
                epoch: Some(""),
            };
            assert_eq!(far.known(subject), Some(false), "{how}");
            match how {
                "logout" => families.end(&family.token).await.unwrap(),
                "one" => drop(a.revoke(&user, Which::One(family.handle)).await.unwrap()),
                "others" => {
                    let other = families.begin("alice", Login::default()).await.unwrap();
                    a.revoke(&user, Which::Others(other.handle)).await.unwrap();
                }
                "all" => drop(a.revoke(&user, Which::All).await.unwrap()),
                _ => {
                    let mut token = family.token.clone();
                    for _ in 0..2 {
                        let used = families.refresh(&token).await.unwrap();
                        let cloakroom_jwt::Used::Next(next) = used else {
                            panic!()
                        };
                        token = next.token;
                    }
                    families.refresh(&family.token).await.unwrap();
                }
            }
            assert!(is_refused_soon(&far, subject).await, "{how}");
            assert_eq!(set(&b).await.known(subject), Some(true), "{how}");
        }
    })
    .await;
}

#[tokio::test]
async fn everyones_end_is_another_epoch() {
    everywhere(|a, b| async move {
        let far = set(&b).await;
        let family = families(&a).begin("alice", Login::default()).await.unwrap();
        let epoch = far.epoch(family.at).await.unwrap();
        let subject = Subject {
            session: Some(family.at),
            token: place(&a),
            epoch: Some(&epoch),
        };
        assert_eq!(far.known(subject), Some(false));
        a.revoke_everyone().await.unwrap();
        assert!(is_refused_soon(&far, subject).await);
        let family = families(&a).begin("alice", Login::default()).await.unwrap();
        let epoch = far.epoch(family.at).await.unwrap();
        let subject = Subject {
            session: Some(family.at),
            token: place(&a),
            epoch: Some(&epoch),
        };
        assert!(!far.is_revoked(subject).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn without_trust_the_store_is_asked_and_without_it_none_is_accepted() {
    let server = RedisServer::builder()
        .arg("--appendonly", "yes")
        .arg("--appendfsync", "always")
        .start()
        .await;
    let store = connect(&server.url()).await;
    let (refusing, open) = (set(&store).await, Revoked::builder(Arc::clone(&store) as _));
    let open = open
        .on_unavailable(OnUnavailable::AcceptAsOf(Duration::HOUR))
        .build()
        .await
        .unwrap();
    let (good, bad) = (place(&store), place(&store));
    store.revoke_for(bad, LIFE).await.unwrap();
    assert!(is_refused_soon(&refusing, token(bad)).await);
    assert!(is_refused_soon(&open, token(bad)).await);
    server.kill();
    let untrusted = || async { refusing.known(token(good)).is_none() };
    assert!(eventually(LIMIT, untrusted).await);
    let error = refusing.is_revoked(token(good)).await.unwrap_err();
    assert!(error.is_unavailable());
    assert!(!open.is_revoked(token(good)).await.unwrap());
    // What was heard to be revoked stays so.
    assert!(refusing.is_revoked(token(bad)).await.unwrap());
    assert!(open.is_revoked(token(bad)).await.unwrap());
    server.restart().await;
    proven(&store).await;
    let trusted = || async { refusing.known(token(good)) == Some(false) };
    assert!(eventually(LIMIT, trusted).await);
    assert!(refusing.is_revoked(token(bad)).await.unwrap());
}

#[tokio::test]
async fn what_was_revoked_while_nothing_was_heard_is_read_again() {
    let server = RedisServer::start().await;
    let (store, other) = (connect(&server.url()).await, connect(&server.url()).await);
    let set = set(&store).await;
    for _ in 0..10 {
        server.kill_subscribers().await;
        let bad = place(&store);
        other.revoke_for(bad, LIFE).await.unwrap();
        let asked = set.is_revoked(token(bad));
        // Within the bound it may not have been heard; then it must be.
        let first = asked.await.unwrap();
        assert!(first || is_refused_soon(&set, token(bad)).await);
        proven(&store).await;
    }
}

#[tokio::test]
async fn entries_are_forgotten_when_their_tokens_can_live_no_more() {
    everywhere(|a, _| async move {
        let short = Duration::milliseconds(300);
        let set = set(&a).await;
        for _ in 0..500 {
            a.revoke_for(place(&a), short).await.unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        for _ in 0..64 * 70 {
            a.revoke_for(place(&a), short).await.unwrap();
        }
        let all = set.stats().entries;
        assert!(all < 64 * 70 + 500, "{all}");
    })
    .await;
}

#[tokio::test]
async fn more_than_fits_is_asked_of_the_store() {
    everywhere(|a, b| async move {
        let small = Revoked::builder(Arc::clone(&b) as _)
            .max_entries(100)
            .build()
            .await
            .unwrap();
        let bad: Vec<_> = (0..300).map(|_| place(&a)).collect();
        for at in &bad {
            a.revoke_for(*at, LIFE).await.unwrap();
        }
        for at in &bad {
            let refused = || async { small.is_revoked(token(*at)).await.unwrap() };
            assert!(eventually(LIMIT, refused).await);
        }
        assert!(small.stats().entries <= 100 && small.stats().asked > 0);
    })
    .await;
}
