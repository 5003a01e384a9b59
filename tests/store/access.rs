//! Passwords and permissions.

use cloakroom::redis::{FredDriver, RedisDriver};
use cloakroom_core::{
    Clock, Created, Digest, ErrorKind, Fetch, Freshness, LoadLease, NewValue, OsEntropy,
    SessionStore, Slot, Store, SystemClock, Want, Which,
};
use cloakroom_redis::{Driver, Durability, RedisStore, RedisStoreBuilder};
use cloakroom_testkit::conformance::Instance;
use cloakroom_testkit::conformance::draft::{Draft, login, set};
use cloakroom_testkit::{RedisServer, eventually};
use std::sync::Arc;

use crate::store::support::{LIMIT, PATIENCE, ask};

/// A store to connect to as this user.
fn login_as(server: &RedisServer, credentials: &str) -> RedisStoreBuilder {
    login_with(RedisDriver, server, credentials)
}

/// The same through this driver.
fn login_with(driver: impl Driver, server: &RedisServer, credentials: &str) -> RedisStoreBuilder {
    let url = format!("redis://{credentials}@127.0.0.1:{}", server.port());
    let builder = cloakroom::redis::store_with(driver, url);
    builder.command_timeout(PATIENCE).connect_timeout(PATIENCE)
}

async fn set_user(server: &RedisServer, rules: &[&str]) {
    let command = [&["ACL", "SETUSER", "app", "reset", "on", ">pass"], rules].concat();
    server.command(&command).await;
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let server = RedisServer::start().await;
    set_user(&server, &["+@all", "~*", "&*"]).await;
    login_as(&server, "app:pass").connect().await.unwrap();
    for wrong in ["app:wrong", "nobody:pass", "app:", "app"] {
        let error = login_as(&server, wrong).connect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{wrong}: {error}");
        assert!(!error.to_string().contains("pass@"), "{error}");
    }
    // From here on nobody gets in without one.
    server
        .command(&["CONFIG", "SET", "requirepass", "secret"])
        .await;
    let error = cloakroom::redis::store(server.url())
        .connect()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let error = login_as(&server, ":wrong").connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    login_as(&server, ":secret").connect().await.unwrap();
}

#[tokio::test]
async fn a_user_without_a_password_is_that_user() {
    let server = RedisServer::start().await;
    set_user(&server, &["nopass", "+@all", "~*", "&*"]).await;
    let store = login_as(&server, "app").connect().await.unwrap();
    let users: String = ask(&server, &["CLIENT", "LIST"]).await;
    assert!(users.contains("user=app"), "{users}");
    drop(store);
}

/// The permissions that the manual lists.
pub(crate) fn documented() -> Vec<&'static str> {
    let manual = include_str!("../../crates/cloakroom/manual/operations.md");
    let words = manual.split(|c: char| c.is_whitespace() || c == '`');
    let rules = words.filter(|word| word.starts_with('+'));
    let listening = ["+subscribe", "+echo"];
    assert!(
        listening
            .iter()
            .all(|rule| manual.contains(&format!("`{}`", &rule[1..])))
    );
    let allowed = rules.chain(["~shop:cr1:*", "&shop:cr1:*"]);
    allowed.chain(listening).collect()
}

#[tokio::test]
async fn the_permissions_in_the_manual_suffice() {
    let server = RedisServer::start().await;
    set_user(&server, &documented()).await;
    let store = login_as(&server, "app:pass")
        .prefix("shop:")
        .connect()
        .await;
    let store = Arc::new(store.unwrap());
    let channel = store.channel().unwrap();
    let lease = || channel.lease(store.buckets().get(0).unwrap());
    let proven = || async { lease().age(lease().term, SystemClock.moment()).is_some() };
    assert!(eventually(LIMIT, proven).await, "it can listen");
    everything_else(&*store).await;
    server.command(&["SCRIPT", "FLUSH"]).await;
    everything_else(&*store).await;
    let store = Instance::new(store);
    everything(&store).await;
    server.command(&["SCRIPT", "FLUSH"]).await;
    everything(&store).await;
}

#[tokio::test]
async fn to_ask_replicas_needs_one_more() {
    let server = RedisServer::start().await;
    let main = format!("127.0.0.1 {}", server.port());
    let _replica = RedisServer::builder()
        .arg("--replicaof", main)
        .start()
        .await;
    let within = time::Duration::seconds(10);
    let store = login_as(&server, "app:pass").prefix("shop:");
    let store = store.durability(Durability::Replicas(1, within));
    set_user(&server, &[&documented()[..], &["+wait"]].concat()).await;
    let linked = || async {
        let info: String = ask(&server, &["INFO", "replication"]).await;
        info.contains("state=online")
    };
    assert!(eventually(LIMIT, linked).await);
    let store = store.connect().await.unwrap();
    let alice = store.user("alice").unwrap();
    assert_eq!(store.revoke(&alice, Which::All).await.unwrap(), 0);
    server.command(&["ACL", "SETUSER", "app", "-wait"]).await;
    let error = store.revoke(&alice, Which::All).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReplicated, "{error}");
}

#[tokio::test]
async fn the_fred_driver_needs_two_more_and_says_so() {
    let server = RedisServer::start().await;
    let store = || {
        let builder = login_with(FredDriver, &server, "app:pass");
        builder.prefix("shop:").connect()
    };
    set_user(&server, &documented()).await;
    let error = store().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("multi"), "{error}");
    set_user(&server, &[&documented()[..], &["+multi", "+exec"]].concat()).await;
    let store = Arc::new(store().await.unwrap());
    everything_else(&*store).await;
    everything(&Instance::new(store)).await;
}

/// Every operation, in each of its ways through a script; every one fails the test on an error.
pub(crate) async fn everything(store: &Instance) {
    use cloakroom_core::OnLimit::{EvictOldest, Refuse};
    let alice = store.user("alice");
    let new = || login(&alice).on_device("phone").with("a", "1");
    let first = new();
    store.create(&first).await;
    store.create(&first).await;
    store.create(&new().limited(1, EvictOldest)).await;
    assert_eq!(
        store.create(&new().limited(1, Refuse)).await,
        Created::LimitReached
    );
    let [rotated, retired, ended] = [(); 3].map(|()| new());
    for new in [&rotated, &retired, &ended] {
        store.create(new).await;
    }
    store.commit(rotated.at, &set("b", "2")).await;
    store
        .commit(
            rotated.at,
            &cloakroom_testkit::conformance::draft::remove("b"),
        )
        .await;
    store.touch(rotated.at, time::Duration::ZERO).await;
    store.rotate(rotated.at, new().at.digest).await;
    store.rotate(rotated.at, new().at.digest).await;
    store.retire(retired.at, 9).await;
    store.retire(retired.at, 9).await;
    store.load(retired.at).await;
    store.end(ended.at).await;
    store.list(&alice).await;
    store.revoke(&alice, Which::One(first.handle)).await;
    store.revoke(&alice, Which::All).await;
    store.revoke_everyone().await;
}

#[tokio::test]
async fn each_permission_in_the_manual_is_needed() {
    let server = RedisServer::start().await;
    set_user(&server, &documented()).await;
    let all: Vec<_> = documented();
    let manual = all.iter().take_while(|rule| !rule.starts_with('~'));
    let commands = manual.filter(|rule| rule.starts_with('+'));
    for missing in commands {
        let others: Vec<_> = all
            .iter()
            .filter(|rule| *rule != missing)
            .copied()
            .collect();
        set_user(&server, &others).await;
        server.command(&["FLUSHALL"]).await;
        let store = login_as(&server, "app:pass")
            .prefix("shop:")
            .connect()
            .await;
        let Ok(store) = store else { continue };
        assert!(
            fails_somewhere(&server, store).await,
            "{missing} is not needed"
        );
    }
}

/// The same of cached values and revocations.
pub(crate) async fn everything_else(store: &dyn Store) {
    let at = store.place(Digest::from_bytes([7; 16]));
    let slot = Slot { at, schema: 1 };
    let [lease, mark] = [(); 2].map(|()| LoadLease::generate(&OsEntropy).unwrap());
    let minute = time::Duration::MINUTE;
    let (want, lasts) = (Want::Missing, minute);
    let fetch = Fetch {
        slot,
        want,
        lease,
        lasts,
    };
    let value = NewValue {
        bytes: "value".into(),
        fresh_for: minute,
        usable_for: minute,
    };
    store.fetch(&fetch).await.unwrap();
    store.fetch(&fetch).await.unwrap();
    store.extend(slot, lease, minute).await.unwrap();
    store.put(slot, lease, &value).await.unwrap();
    store.release(slot, lease).await.unwrap();
    store.insert(slot, &value).await.unwrap();
    store.mark(at, mark, minute).await.unwrap();
    store.unmark(at, mark).await.unwrap();
    store.invalidate(at).await.unwrap();
    store.tag(at).await.unwrap();
    store.change_tag(at).await.unwrap();
    store.revoke_for(at, minute).await.unwrap();
    store.standing(at).await.unwrap();
    store.revocations(at.bucket).await.unwrap();
}

async fn fails_somewhere(server: &RedisServer, store: RedisStore) -> bool {
    let (store, mut failed) = (Arc::new(store), false);
    for _ in 0..2 {
        let store = Arc::clone(&store);
        let run = tokio::spawn(async move {
            everything_else(&*store).await;
            everything(&Instance::new(store)).await;
        });
        failed |= run.await.is_err();
        server.command(&["SCRIPT", "FLUSH"]).await;
    }
    failed
}

#[tokio::test]
async fn a_permission_that_is_taken_away_is_a_matter_of_configuration() {
    let server = RedisServer::start().await;
    set_user(&server, &documented()).await;
    let store = login_as(&server, "app:pass")
        .prefix("shop:")
        .connect()
        .await;
    let store = store.unwrap();
    let alice = store.user("alice").unwrap();
    let new = login(&alice);
    store.create(&new).await.unwrap();
    for taken in ["-hgetall", "-evalsha", "-del"] {
        server.command(&["ACL", "SETUSER", "app", taken]).await;
        let error = match taken {
            "-hgetall" => store.load(new.at, Freshness::NOW).await.unwrap_err(),
            "-evalsha" => store.list(&alice).await.unwrap_err(),
            _ => store.end(new.at).await.unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::Config, "{taken}: {error}");
        assert!(error.to_string().contains("NOPERM"), "{taken}: {error}");
        let back = taken.replace('-', "+");
        server.command(&["ACL", "SETUSER", "app", &back]).await;
    }
}
