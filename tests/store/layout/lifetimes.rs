//! How long the server keeps what lies in it.

use cloakroom_core::{Retired, Which};
use cloakroom_testkit::conformance::draft::{Draft, set};
use time::Duration;

use super::clock::{after, assert_expires, create, micros};
use super::{Fields, keys};
use crate::shared;
use crate::store::support::{anonymous, ask, instance, login, record_key};

#[tokio::test]
async fn a_record_lives_as_long_as_the_shorter_of_its_limits() {
    let (server, prefix) = (shared::server().await, "layout.limits:");
    let store = instance(&server, prefix).await;
    let (short, long) = (Duration::minutes(3), Duration::hours(3));
    for (idle, absolute) in [(short, long), (long, short), (short, short)] {
        let new = anonymous(&store).living(idle, absolute);
        let made = create(&server, &store, &new).await;
        let record = record_key(&store, prefix, new.at);
        let window = after(&made, short);
        assert_expires(&server, &record, window).await;
        // A commit sets it anew, by the same rule.
        store.commit(new.at, &set("a", "1")).await;
        let committed = micros(&server).await / 1000;
        let window = after(&(*made.start()..=committed), short);
        assert_expires(&server, &record, window).await;
    }
}

#[tokio::test]
async fn an_index_outlives_the_longest_of_its_sessions_and_no_more() {
    let (server, prefix) = (shared::server().await, "layout.index:");
    let store = instance(&server, prefix).await;
    let day = |days| login(&store, "alice").living(Duration::hours(1), Duration::days(days));
    let [first, second, third] = [day(2), day(1), day(3)];
    let mut made = Vec::new();
    let user = store.user("alice");
    let tag = store.store().buckets().tag(user.bucket).to_owned();
    let index = format!("{prefix}cr1:{{{tag}}}:u:{}", user.digest.to_hex());
    for (new, longest) in [(&first, (0, 2)), (&second, (0, 2)), (&third, (2, 3))] {
        made.push(create(&server, &store, new).await);
        let window = after(&made[longest.0], Duration::days(longest.1));
        assert_expires(&server, &index, window).await;
    }
    let entries: Vec<(String, f64)> =
        ask(&server, &["ZRANGE", &index, "0", "-1", "WITHSCORES"]).await;
    for ((digest, score), (new, made)) in
        entries.iter().zip([first, second, third].iter().zip(made))
    {
        assert_eq!(*digest, new.at.digest.to_hex());
        assert!(
            made.contains(&((*score / 1000.0) as u64)),
            "by microsecond of login"
        );
    }
    assert_eq!(entries.len(), 3);
    store.revoke(&user, Which::All).await;
    let left = keys(&server, prefix).await;
    assert_eq!(left.len(), 2, "the settings and the count: {left:?}");
}

#[tokio::test]
async fn a_superseded_id_leaves_a_mark_that_holds_nothing() {
    let (server, prefix) = (shared::server().await, "layout.mark:");
    let store = instance(&server, prefix).await;
    let [retired, rotated] = [0; 2].map(|_| login(&store, "alice").with("a", "1"));
    for new in [&retired, &rotated] {
        create(&server, &store, new).await;
    }
    let before = micros(&server).await / 1000;
    assert_eq!(store.retire(retired.at, 1).await, Retired::Done);
    let to = login(&store, "alice").at;
    store.rotate(rotated.at, to.digest).await;
    let window = after(
        &(before..=micros(&server).await / 1000),
        Duration::minutes(2),
    );
    for new in [&retired, &rotated] {
        let mark = record_key(&store, prefix, new.at);
        let fields: Fields = ask(&server, &["HGETALL", &mark]).await;
        assert_eq!(
            fields,
            Fields::from([("~s".to_owned(), "superseded".to_owned())])
        );
        assert_expires(&server, &mark, window.clone()).await;
    }
    let index = keys(&server, &format!("{prefix}*:u:")).await;
    let index = index.first().expect("the user is logged in");
    let left: Vec<String> = ask(&server, &["ZRANGE", index, "0", "-1"]).await;
    assert_eq!(left, [to.digest.to_hex()], "no list has the old ids");
}
