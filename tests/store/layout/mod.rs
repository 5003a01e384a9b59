//! What lies in Redis: exactly what `cloakroom-redis` documents.

mod clock;
mod lifetimes;

use std::collections::{BTreeMap, BTreeSet};

use cloakroom_core::{NewSession, SessionId, User, key_slot};
use cloakroom_testkit::RedisServer;
use cloakroom_testkit::conformance::draft::{Draft, set};
use time::Duration;

use crate::shared;
use crate::store::support::{anonymous, ask, instance, login, record_key};
use clock::{after, assert_expires, create};

/// A hash's fields.
type Fields = BTreeMap<String, String>;

async fn keys(server: &RedisServer, prefix: &str) -> BTreeSet<String> {
    ask(server, &["KEYS", &format!("{prefix}*")]).await
}

#[tokio::test]
async fn a_login_is_a_hash_and_an_entry_in_its_users_index() {
    let (server, prefix) = (shared::server().await, "layout.login:");
    let store = instance(&server, prefix).await;
    let user = store.user("alice");
    let mut new = login(&store, "alice").on_device("phone").with("n", "7");
    new.lifetime.remembered = true;
    let new = new.with("~r", "\"x\"");
    let made = create(&server, &store, &new).await;

    let tag = format!(
        "{prefix}cr1:{{{}}}:",
        store.store().buckets().tag(user.bucket)
    );
    let first = store.store().buckets().get(0).unwrap();
    let settings = format!(
        "{prefix}cr1:{{{}}}:settings",
        store.store().buckets().tag(first)
    );
    let record = format!("{tag}s:{}", new.at.digest.to_hex());
    let index = format!("{tag}u:{}", user.digest.to_hex());
    let expected = BTreeSet::from([record.clone(), index.clone(), settings]);
    assert_eq!(keys(&server, prefix).await, expected);

    let window = after(&made, Duration::minutes(30));
    assert_expires(&server, &record, window).await;
    let fields: Fields = ask(&server, &["HGETALL", &record]).await;
    let created: u64 = fields["~c"].parse().unwrap();
    assert!(made.contains(&created));
    assert_eq!(fields, documented(&new, &user, created));
}

/// The fields of the login above.
fn documented(new: &NewSession, user: &User, created: u64) -> Fields {
    let deadline = created + 12 * 3_600_000;
    let fields = [
        ("~c", created.to_string()),
        ("~t", created.to_string()),
        ("~a", created.to_string()),
        ("~x", deadline.to_string()),
        ("~i", "1800000".to_owned()),
        ("~d", new.at.digest.to_hex()),
        ("~k", user.digest.to_hex()),
        ("~h", new.handle.to_string()),
        ("~r", "1".to_owned()),
        ("~m", "1".to_owned()),
        ("~u", "alice".to_owned()),
        ("~l", "phone".to_owned()),
        ("~z", "7".to_owned()),
        ("n", "7".to_owned()),
        ("~~r", "\"x\"".to_owned()),
    ];
    fields
        .map(|(field, value)| (field.to_owned(), value))
        .into()
}

#[tokio::test]
async fn an_anonymous_session_is_one_hash() {
    let (server, prefix) = (shared::server().await, "layout.anonymous:");
    let store = instance(&server, prefix).await;
    let new = anonymous(&store);
    create(&server, &store, &new).await;
    let record = record_key(&store, prefix, new.at);
    let mut left = keys(&server, prefix).await;
    assert!(left.remove(&record));
    assert!(
        left.iter().all(|key| key.ends_with(":settings")),
        "{left:?}"
    );
    let fields: BTreeSet<String> = ask(&server, &["HKEYS", &record]).await;
    let expected = ["~c", "~d", "~h", "~i", "~m", "~r", "~t", "~x", "~z"];
    assert_eq!(fields, expected.map(str::to_owned).into());
    let remembered: String = ask(&server, &["HGET", &record, "~m"]).await;
    assert_eq!(remembered, "0");
}

#[tokio::test]
async fn the_settings_lie_in_the_first_bucket_for_ever() {
    let (server, prefix) = (shared::server().await, "layout.settings:");
    let store = instance(&server, prefix).await;
    let left = keys(&server, prefix).await;
    let settings = left.first().unwrap();
    let tag = store
        .store()
        .buckets()
        .tag(store.store().buckets().get(0).unwrap());
    assert_eq!(*settings, format!("{prefix}cr1:{{{tag}}}:settings"));
    let fields: Fields = ask(&server, &["HGETALL", settings]).await;
    assert_eq!(fields["buckets"], "64");
    assert_eq!(fields["users"].len(), 16);
    assert_eq!(fields.len(), 2);
    let left: i64 = ask(&server, &["PTTL", settings]).await;
    assert_eq!(left, -1);
}

#[tokio::test]
async fn all_keys_of_a_bucket_share_a_slot() {
    let (server, prefix) = (shared::server().await, "layout.slots:");
    let store = instance(&server, prefix).await;
    for n in 0..200 {
        create(&server, &store, &login(&store, &format!("user {n}"))).await;
    }
    let mut slots: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
    for key in keys(&server, prefix).await {
        let tag = key.split(['{', '}']).nth(1).unwrap().to_owned();
        slots
            .entry(tag)
            .or_default()
            .insert(key_slot(key.as_bytes()));
    }
    assert!(slots.len() > 32, "the users are spread: {slots:?}");
    assert!(slots.values().all(|slots| slots.len() == 1), "{slots:?}");
}

#[tokio::test]
async fn who_steals_the_data_holds_no_id() {
    let server = RedisServer::start().await;
    let monitor = server.monitor().await;
    let store = instance(&server, "").await;
    let bucket = store.user("alice").bucket;
    let id = SessionId::generate(bucket, &cloakroom_core::OsEntropy).unwrap();
    let mut new = login(&store, "alice").with("a", "1");
    new.at.digest = id.digest();
    create(&server, &store, &new).await;
    store.commit(new.at, &set("a", "2")).await;
    store.load(new.at).await;
    let (dump, said) = (server.dump().await, monitor.finish().await);
    let hex = new.at.digest.to_hex();
    for (place, bytes) in [("the dump", &dump), ("what was sent", &said)] {
        assert!(contains(bytes, hex.as_bytes()), "{place} has the digest");
        assert!(!contains(bytes, id.expose_secret().as_bytes()), "{place}");
    }
    // The digest has an id's length and alphabet, but as one it leads elsewhere.
    let buckets = store.store().buckets();
    if let Some(forged) = SessionId::parse(&hex, buckets) {
        assert_ne!(forged.digest(), id.digest());
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
