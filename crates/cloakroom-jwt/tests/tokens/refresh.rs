//! Refresh tokens: each good once, and a copy ends its family.

use crate::ground::{connect, everywhere};
use cloakroom_core::{Freshness, Loaded, SessionId, SessionStore, Store, Which};
use cloakroom_jwt::{Families, Family, FamilyPolicy, Login, RefreshToken, Used};
use cloakroom_testkit::RedisServer;
use std::sync::Arc;
use time::Duration;

fn policy(grace: Duration) -> FamilyPolicy {
    FamilyPolicy {
        idle: Duration::days(14),
        absolute: Duration::days(30),
        grace,
        access_life: Duration::minutes(5),
        limit: None,
    }
}

fn families(store: &Arc<dyn Store>, grace: Duration) -> Families {
    Families::new(Arc::clone(store) as _, policy(grace)).unwrap()
}

async fn next(families: &Families, token: &RefreshToken) -> Family {
    match families.refresh(token).await.unwrap() {
        Used::Next(family) => *family,
        other => panic!("{other:?}"),
    }
}

async fn is_reused(families: &Families, token: &RefreshToken) -> bool {
    matches!(families.refresh(token).await.unwrap(), Used::Reused { user, .. } if &*user == "alice")
}

async fn is_gone(families: &Families, token: &RefreshToken) -> bool {
    matches!(families.refresh(token).await.unwrap(), Used::Gone)
}

const GRACE: Duration = Duration::SECOND;

#[tokio::test]
async fn each_token_brings_the_next_on_any_instance() {
    everywhere(|a, b| async move {
        let (a, b) = (families(&a, GRACE), families(&b, GRACE));
        let login = Login {
            device: Some("phone".into()),
            grant: serde_json::json!({"scope": "read"}),
        };
        let family = a.begin("alice", login).await.unwrap();
        let mut token = family.token.clone();
        for at in [&a, &b, &a, &b] {
            let text = token.expose_secret();
            let after = next(at, &at.parse(&text).unwrap()).await;
            assert_ne!(after.token.expose_secret(), text);
            assert_eq!((after.at, &*after.user), (family.at, "alice"));
            assert_eq!(after.grant["scope"], "read");
            assert!(after.expires_in > Duration::days(13));
            token = after.token;
        }
    })
    .await;
}

/// J40.
#[tokio::test]
async fn a_copy_ends_its_family_everywhere() {
    everywhere(|a, b| async move {
        let (one, two) = (families(&a, GRACE), families(&b, GRACE));
        let first = one.begin("alice", Login::default()).await.unwrap();
        let second = next(&one, &first.token).await;
        let third = next(&two, &second.token).await;
        // Not the last one that was used, so no grace.
        assert!(is_reused(&two, &first.token).await);
        for token in [&first.token, &second.token, &third.token] {
            assert!(is_gone(&one, token).await && is_gone(&two, token).await);
        }
        // What the family's access tokens are refused by.
        assert!(a.standing(first.at).await.unwrap().revoked.is_some());
    })
    .await;
}

/// J40.
#[tokio::test]
async fn without_a_grace_the_last_one_is_a_copy_too() {
    everywhere(|a, b| async move {
        let (a, b) = (families(&a, Duration::ZERO), families(&b, Duration::ZERO));
        let first = a.begin("alice", Login::default()).await.unwrap();
        next(&a, &first.token).await;
        assert!(is_reused(&b, &first.token).await);
    })
    .await;
}

#[tokio::test]
async fn within_the_grace_a_lost_answer_is_given_again() {
    everywhere(|a, b| async move {
        let (a, b) = (families(&a, GRACE), families(&b, GRACE));
        let first = a.begin("alice", Login::default()).await.unwrap();
        let one = next(&a, &first.token).await.token.expose_secret();
        let other = next(&b, &first.token).await.token.expose_secret();
        assert_eq!(one, other);
        // And it goes on from there.
        let third = next(&b, &b.parse(&one).unwrap()).await;
        next(&a, &third.token).await;
    })
    .await;
}

/// J40.
#[tokio::test]
async fn uses_side_by_side_get_one_successor() {
    everywhere(|a, b| async move {
        for _ in 0..20 {
            let all = [families(&a, GRACE), families(&b, GRACE)];
            let first = all[0].begin("alice", Login::default()).await.unwrap();
            let uses = (0..6).map(|n| {
                let (families, token) = (all[n % 2].clone(), first.token.clone());
                tokio::spawn(async move { next(&families, &token).await.token.expose_secret() })
            });
            let mut tokens = Vec::new();
            for used in uses.collect::<Vec<_>>() {
                tokens.push(used.await.unwrap());
            }
            tokens.dedup();
            assert_eq!(tokens.len(), 1);
        }
    })
    .await;
}

/// J40.
#[tokio::test]
async fn a_restart_of_everything_changes_nothing() {
    let server = RedisServer::builder()
        .arg("--appendonly", "yes")
        .arg("--appendfsync", "always")
        .start()
        .await;
    let store = connect(&server.url()).await;
    let before = families(&store, GRACE);
    let first = before.begin("alice", Login::default()).await.unwrap();
    let second = next(&before, &first.token).await;
    let third = next(&before, &second.token).await;
    let texts = [&first, &second, &third].map(|family| family.token.expose_secret());
    drop((before, store));
    server.restart().await;
    let store = connect(&server.url()).await;
    let after = families(&store, GRACE);
    let [first, _, third] = texts.map(|text| after.parse(&text).unwrap());
    let fourth = next(&after, &third).await;
    assert!(is_reused(&after, &first).await);
    assert!(is_gone(&after, &fourth.token).await);
    assert!(
        store
            .standing(first.address())
            .await
            .unwrap()
            .revoked
            .is_some()
    );
}

#[tokio::test]
async fn a_users_families_are_listed_and_revoked_like_sessions() {
    everywhere(|a, b| async move {
        let families = families(&a, GRACE);
        let login = |device: &str| Login {
            device: Some(device.into()),
            ..Login::default()
        };
        let phone = families.begin("alice", login("phone")).await.unwrap();
        let laptop = families.begin("alice", login("laptop")).await.unwrap();
        let user = b.user("alice").unwrap();
        let devices = b.list(&user).await.unwrap();
        let devices: Vec<_> = devices
            .iter()
            .filter_map(|listed| listed.device.as_deref())
            .collect();
        assert_eq!(devices, ["phone", "laptop"]);
        assert_eq!(b.revoke(&user, Which::One(phone.handle)).await.unwrap(), 1);
        assert!(is_gone(&families, &phone.token).await);
        let laptop = next(&families, &laptop.token).await;
        families.end(&laptop.token).await.unwrap();
        assert!(is_gone(&families, &laptop.token).await);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_token_is_none() {
    let (store, _): (Arc<dyn Store>, ()) = (Arc::new(cloakroom_core::MemoryStore::new()), ());
    let families = families(&store, GRACE);
    let token = families
        .begin("alice", Login::default())
        .await
        .unwrap()
        .token;
    let text = token.expose_secret();
    for wrong in [
        "",
        "crr1_",
        &text[1..],
        &text[..text.len() - 1],
        &format!("{text}A"),
        &format!("{text} "),
        &text.replace("crr1_", "crr2_"),
        "eyJhbGciOiJFZERTQSJ9.e30.AA",
    ] {
        assert!(families.parse(wrong).is_none(), "{wrong}");
    }
    assert!(!format!("{token:?}").contains(&text[5..]));
    // Its parts are no session's id.
    let id = &text[5..37];
    if let Some(id) = SessionId::parse(id, store.buckets()) {
        let at = id.address(store.buckets()).unwrap();
        assert_eq!(
            store.load(at, Freshness::NOW).await.unwrap(),
            Loaded::Absent
        );
        assert_ne!(at.digest, token.address().digest);
    }
    // Of the right family, but with another secret: a copy that was tampered with.
    let mut other: Vec<char> = text.chars().collect();
    let place = 40;
    other[place] = if other[place] == 'A' { 'B' } else { 'A' };
    let other: String = other.into_iter().collect();
    assert!(is_reused(&families, &families.parse(&other).unwrap()).await);
}

/// J40.
#[tokio::test]
async fn without_a_grace_two_at_once_end_the_family() {
    everywhere(|a, b| async move {
        for _ in 0..20 {
            let all = [&a, &b].map(|store| families(store, Duration::ZERO));
            let first = all[0].begin("alice", Login::default()).await.unwrap();
            let uses = all.clone().map(|families| {
                let token = first.token.clone();
                tokio::spawn(async move { families.refresh(&token).await.unwrap() })
            });
            let (mut next, mut reused) = (Vec::new(), 0);
            for used in uses {
                match used.await.unwrap() {
                    Used::Next(family) => next.push(family.token),
                    Used::Reused { .. } => reused += 1,
                    Used::Gone => panic!("nobody ended it"),
                }
            }
            assert_eq!((next.len(), reused), (1, 1));
            assert!(is_gone(&all[0], &next[0]).await && is_gone(&all[1], &first.token).await);
            assert!(a.standing(first.at).await.unwrap().revoked.is_some());
        }
    })
    .await;
}

/// J40.
#[tokio::test]
async fn a_copys_use_is_told_at_warn_and_tells_no_secret() {
    #[derive(Clone, Default)]
    struct Log(Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let store: Arc<dyn Store> = Arc::new(cloakroom_core::MemoryStore::new());
    let families = families(&store, Duration::ZERO);
    let first = families.begin("alice", Login::default()).await.unwrap();
    let second = next(&families, &first.token).await;
    let text = || String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(!text().contains("WARN"), "{}", text());
    assert!(is_reused(&families, &first.token).await);
    let told = text();
    let line = told.lines().find(|line| line.contains("WARN")).unwrap();
    assert!(line.contains("a used refresh token came again"), "{line}");
    assert!(line.contains(&format!("{:?}", first.at.digest)), "{line}");
    for token in [first.token, second.token] {
        let secret = token.expose_secret();
        assert!(!told.contains(&secret[5..]) && !told.contains(&secret[30..]));
    }
}
