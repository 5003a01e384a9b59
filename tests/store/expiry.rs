//! Expiry by the server's own clock. Only that what should be dead is dead: what should be alive
//! is the conformance suite's matter, which needs no clock.

use cloakroom_core::{Loaded, NewSession};
use cloakroom_testkit::conformance::Instance;
use cloakroom_testkit::conformance::draft::{Draft, set};
use cloakroom_testkit::eventually;
use time::Duration;

use crate::shared;
use crate::store::support::{LIMIT, anonymous, ask, instance, login};

const SHORT: Duration = Duration::milliseconds(300);

#[tokio::test]
async fn the_server_ends_what_is_not_used() {
    let (server, prefix) = (shared::server().await, "expiry.idle:");
    let store = instance(&server, prefix).await;
    let sessions = [
        login(&store, "alice").living(SHORT, Duration::DAY),
        anonymous(&store).living(SHORT, Duration::DAY),
    ];
    for new in &sessions {
        store.create(new).await;
    }
    dies(&store, &sessions).await;
    let left: Vec<String> = ask(&server, &["KEYS", &format!("{prefix}*:s:*")]).await;
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(store.list(&store.user("alice")).await, []);
    let index: Vec<String> = ask(&server, &["KEYS", &format!("{prefix}*:u:*")]).await;
    assert_eq!(
        index,
        Vec::<String>::new(),
        "the look has cleared the index"
    );
}

#[tokio::test]
async fn the_server_ends_what_is_used_without_end() {
    let (server, prefix) = (shared::server().await, "expiry.absolute:");
    let store = instance(&server, prefix).await;
    let mut sessions = [
        login(&store, "alice").living(Duration::DAY, SHORT),
        anonymous(&store).living(SHORT / 2, SHORT),
    ];
    sessions[0].lifetime.remembered = true;
    for new in &sessions {
        store.create(new).await;
    }
    let used = tokio::spawn({
        let (store, at) = (store.clone(), sessions[0].at);
        async move {
            while matches!(store.load(at).await, Loaded::Found { .. }) {
                store.touch(at, Duration::ZERO).await;
                store.commit(at, &set("n", "1")).await;
            }
        }
    });
    dies(&store, &sessions).await;
    used.await.unwrap();
    // With the last of the sessions their index goes by itself.
    let index = || async {
        let pattern = format!("{prefix}*:u:*");
        ask::<Vec<String>>(&server, &["KEYS", &pattern])
            .await
            .is_empty()
    };
    assert!(eventually(LIMIT, index).await);
}

/// Waits until the sessions are dead, and sees that they stay so, whatever is tried.
async fn dies(store: &Instance, sessions: &[NewSession]) {
    for new in sessions {
        let dead = || async { store.load(new.at).await == Loaded::Absent };
        assert!(eventually(LIMIT, dead).await);
        store.touch(new.at, Duration::ZERO).await;
        store.commit(new.at, &set("n", "1")).await;
        assert_eq!(store.load(new.at).await, Loaded::Absent);
    }
}

/// Touches that arrive as the window closes: whoever has seen the session dead never sees it alive
/// again, on whichever instance.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_edge_a_session_dies_once() {
    let (server, prefix) = (shared::server().await, "expiry.edge:");
    let (one, other) = (
        instance(&server, prefix).await,
        instance(&server, prefix).await,
    );
    let window = Duration::milliseconds(20);
    let deaths: Vec<_> = (0..50_u64)
        .map(|n| {
            let (one, other) = (one.clone(), other.clone());
            let new = anonymous(&one).living(window, Duration::DAY);
            tokio::spawn(async move {
                one.create(&new).await;
                // Now before the window's end and now after it, whatever the machine makes of it.
                let pause = std::time::Duration::from_micros(15_000 + 200 * n);
                let touches = async {
                    for _ in 0..10 {
                        tokio::time::sleep(pause).await;
                        one.touch(new.at, Duration::ZERO).await;
                    }
                };
                let mut dead = false;
                let watch = async {
                    for _ in 0..300 {
                        let found = other.load(new.at).await != Loaded::Absent;
                        assert!(!(dead && found), "it was dead and is alive again");
                        dead = !found;
                        tokio::time::sleep(pause / 20).await;
                    }
                };
                tokio::join!(touches, watch);
            })
        })
        .collect();
    for death in deaths {
        death.await.unwrap();
    }
}
