//! "Your copy is stale": published by the very script that made it so.

use cloakroom_core::{Digest, Invalidation, OnLimit, Stale, Which};
use cloakroom_redis::Event;
use cloakroom_testkit::RedisServer;
use cloakroom_testkit::conformance::draft::{Also, Draft, set};
use time::Duration;

use crate::store::listener::Listener;
use crate::store::support::{instance, login};

/// The bus of one bucket.
struct Bus {
    listener: Listener,
    channel: String,
    server: RedisServer,
    numbered: u64,
}

impl Bus {
    async fn subscribe(server: RedisServer, channel: String) -> Self {
        let mut listener = Listener::connect(&server).await;
        listener.call(&["SUBSCRIBE", &channel]).await;
        let confirmed = Event::Subscribed {
            channel: channel.clone().into(),
        };
        assert_eq!(listener.event().await, confirmed);
        Self {
            listener,
            channel,
            server,
            numbered: 0,
        }
    }

    /// What was published since the last look to be stale; numbered without a gap.
    async fn heard(&mut self) -> Vec<Stale> {
        let end = "end of the look";
        self.server.command(&["PUBLISH", &self.channel, end]).await;
        let mut heard = Vec::new();
        loop {
            let Event::Message { channel, payload } = self.listener.event().await else {
                panic!("only messages come");
            };
            assert_eq!(channel, self.channel);
            if payload == end {
                return heard;
            }
            let decoded = Invalidation::decode(&payload).expect("it can be read");
            // Where the count begins is anything but what it was before.
            let follows = self.numbered == 0 || decoded.number == self.numbered + 1;
            assert!(follows && decoded.number > 1_000_000_000_000_000);
            self.numbered = decoded.number;
            heard.push(decoded.stale);
        }
    }
}

fn stale(digest: Digest, revision: u64) -> Stale {
    Stale::One {
        digest,
        revision: Some(revision),
        remembered: time::Duration::ZERO,
    }
}

fn ended(digest: Digest) -> Stale {
    Stale::One {
        digest,
        revision: None,
        remembered: time::Duration::ZERO,
    }
}

#[tokio::test]
async fn a_commit_tells_the_new_revision() {
    let server = RedisServer::start().await;
    let store = instance(&server, "shop:").await;
    let tag = store
        .store()
        .buckets()
        .tag(store.user("alice").bucket)
        .to_owned();
    let mut bus = Bus::subscribe(server, format!("shop:cr1:{{{tag}}}:bus")).await;
    let new = login(&store, "alice").with("a", "1");
    store.create(&new).await;
    assert_eq!(bus.heard().await, [], "nobody has a copy of what is new");
    for revision in 2..5 {
        store.commit(new.at, &set("a", "2")).await;
        assert_eq!(bus.heard().await, [stale(new.at.digest, revision)]);
    }
    // What changes nothing says nothing.
    store.touch(new.at, Duration::ZERO).await;
    store
        .commit(new.at, &set("a", "3").expecting("a", None))
        .await;
    store.commit_within(0, new.at, &set("a", "33")).await;
    store
        .commit(login(&store, "alice").at, &set("a", "3"))
        .await;
    store.load(new.at).await;
    store.list(&store.user("alice")).await;
    assert_eq!(bus.heard().await, []);
}

#[tokio::test]
async fn every_end_is_told() {
    let server = RedisServer::start().await;
    let store = instance(&server, "shop:").await;
    let alice = store.user("alice");
    let tag = store.store().buckets().tag(alice.bucket).to_owned();
    let mut bus = Bus::subscribe(server, format!("shop:cr1:{{{tag}}}:bus")).await;
    let [rotated, retired, revoked, evicted, last] = [(); 5].map(|()| login(&store, "alice"));
    for new in [&rotated, &retired, &revoked, &evicted] {
        store.create(new).await;
    }
    let to = login(&store, "alice").at;
    store.rotate(rotated.at, to.digest).await;
    assert_eq!(bus.heard().await, [ended(rotated.at.digest)]);
    store.retire(retired.at, 1).await;
    assert_eq!(bus.heard().await, [ended(retired.at.digest)]);
    store.revoke(&alice, Which::One(revoked.handle)).await;
    assert_eq!(bus.heard().await, [ended(revoked.at.digest)]);
    store
        .create(&last.clone().limited(2, OnLimit::EvictOldest))
        .await;
    assert_eq!(
        bus.heard().await,
        [ended(to.digest)],
        "the oldest was evicted"
    );
    store.end(last.at).await;
    store.end(last.at).await;
    assert_eq!(bus.heard().await, [ended(last.at.digest)]);
    store.create(&login(&store, "alice")).await;
    store.revoke(&alice, Which::All).await;
    let heard = bus.heard().await;
    assert_eq!((heard.len(), heard[0]), (2, ended(evicted.at.digest)));
}

#[tokio::test]
async fn each_bucket_has_its_own_bus() {
    let server = RedisServer::start().await;
    let store = instance(&server, "").await;
    let buckets = store.store().buckets().clone();
    let near = login(&store, "alice");
    let far = buckets.iter().find(|b| *b != near.at.bucket).unwrap();
    let channel = format!("cr1:{{{}}}:bus", buckets.tag(far));
    let mut bus = Bus::subscribe(server, channel).await;
    store.create(&near).await;
    store.end(near.at).await;
    assert_eq!(bus.heard().await, []);
    let new = cloakroom_testkit::conformance::draft::anonymous(far);
    store.create(&new).await;
    store.end(new.at).await;
    assert_eq!(bus.heard().await, [ended(new.at.digest)]);
}
