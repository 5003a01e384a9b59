//! What works over TLS: all that works without.

use std::sync::Arc;

use cloakroom_core::{
    Address, Clock, Committed, Created, Freshness, Loaded, SessionStore, SystemClock, Which,
};
use cloakroom_near::{Limits, NearStore};
use cloakroom_redis::{Driver, RedisStore};
use cloakroom_testkit::conformance::draft::{CAP, login, set};
use cloakroom_testkit::{
    Authority, Failover, RedisCluster, RedisSentinel, RedisServer, eventually,
};
use time::Duration;

use super::{here, hosts, trusting};
use crate::store::support::{LIMIT, ask, with_each_driver};

/// A copy is good for so long, unless a message says that it isn't.
const AN_HOUR: Freshness = Freshness {
    within: Duration::HOUR,
    revision: 0,
    at_worst: Duration::ZERO,
};

/// Two instances: the first changes, the second reads from copies.
struct Two {
    first: RedisStore,
    second: Arc<dyn SessionStore>,
    copies: NearStore,
}

impl Two {
    async fn open(driver: impl Driver + Copy, url: &str, authority: &Authority) -> Self {
        let store = || trusting(driver, url, authority).connect();
        let second: Arc<dyn SessionStore> = Arc::new(store().await.unwrap());
        Self {
            first: store().await.unwrap(),
            copies: NearStore::new(Arc::clone(&second), Limits::default()),
            second,
        }
    }

    /// A login, a read, a copy that a write and a revocation elsewhere drop.
    async fn serve(&self, user: &str) {
        let user = self.first.user(user).unwrap();
        let new = login(&user);
        let created = self.first.create(&new).await.unwrap();
        assert!(matches!(created, Created::Done { .. }), "{created:?}");
        self.listens(new.at).await;
        self.is_copied(new.at).await;
        let written = self.first.commit(new.at, &set("a", "1"), CAP).await;
        assert!(matches!(written.unwrap(), Committed::Done { .. }));
        let seen = || async {
            let read = self.copies.load(new.at, AN_HOUR).await.unwrap();
            matches!(read, Loaded::Found { record, .. } if record.attributes.raw("a").is_some())
        };
        assert!(eventually(LIMIT, seen).await, "the copy stays");
        self.is_copied(new.at).await;
        let ended = self.first.revoke(&user, Which::All).await.unwrap();
        assert_eq!(ended, 1);
        let gone = || async { self.copies.load(new.at, AN_HOUR).await.unwrap() == Loaded::Absent };
        assert!(eventually(LIMIT, gone).await, "the copy stays");
    }

    /// Waits until the second instance hears what happens to this session.
    async fn listens(&self, at: Address) {
        let channel = self.second.channel().unwrap();
        // Of now: what was proven before a failover says nothing of the new master.
        let asked = SystemClock.moment();
        let proven = || async {
            let (lease, now) = (channel.lease(at.bucket), SystemClock.moment());
            let age = lease.age(lease.term, now);
            age.is_some_and(|age| age < now.since(asked))
        };
        assert!(eventually(LIMIT, proven).await, "it doesn't listen");
    }

    /// Reads until a copy answers: a late message of the write before may drop the first one.
    async fn is_copied(&self, at: Address) {
        let copied = || async {
            let before = self.copies.stats().hits;
            let read = self.copies.load(at, AN_HOUR).await.unwrap();
            assert!(matches!(read, Loaded::Found { .. }), "{read:?}");
            self.copies.stats().hits > before
        };
        assert!(eventually(LIMIT, copied).await, "no copy is kept");
    }
}

async fn a_server_serves(driver: impl Driver + Copy) {
    let authority = Authority::new();
    let server = RedisServer::builder().tls(here(&authority)).start().await;
    let two = Two::open(driver, &server.url(), &authority).await;
    two.serve("alice").await;
    let list: String = ask(&server, &["CLIENT", "LIST"]).await;
    let secured = format!("laddr=127.0.0.1:{}", server.public_port());
    let others = list.lines().filter(|line| !line.contains("cmd=client"));
    let (ours, open): (Vec<_>, Vec<_>) = others.partition(|line| line.contains(&secured));
    // Two of commands, one that listens.
    assert!(ours.len() >= 3 && open.is_empty(), "{list}");
    server.restart().await;
    let bob = two.first.user("bob").unwrap();
    let back = || async { two.first.list(&bob).await.is_ok() };
    assert!(eventually(LIMIT, back).await, "it stays away");
    two.serve("bob").await;
}

async fn sentinels_and_their_master_serve_before_and_after_a_failover(driver: impl Driver + Copy) {
    let authority = Authority::new();
    let builder = RedisSentinel::builder().replicas(1).tls(here(&authority));
    let all = builder.start().await;
    let sentinels = hosts(all.sentinels());
    let url = format!("rediss-sentinel://{sentinels}/?master={}", all.name());
    let two = Two::open(driver, &url, &authority).await;
    two.serve("alice").await;
    let old = all.master().await.public_port();
    let new = all.failover().await;
    assert_ne!(new.public_port(), old);
    let before: usize = ask(new, &["DBSIZE"]).await;
    let bob = two.first.user("bob").unwrap();
    let arrived = || async {
        let _ = two.first.create(&login(&bob)).await;
        ask::<usize>(new, &["DBSIZE"]).await > before
    };
    assert!(
        eventually(LIMIT, arrived).await,
        "it stays with the old one"
    );
    // A replica has what was written before, and no write but by us.
    two.serve("carol").await;
}

async fn a_cluster_serves_before_and_after_a_failover(driver: impl Driver + Copy) {
    let authority = Authority::new();
    let builder = RedisCluster::builder().tls(here(&authority));
    let cluster = builder.start().await;
    let seeds = cluster.nodes().iter().take(2);
    let url = format!("rediss-cluster://{}", hosts(seeds.map(|node| &**node)));
    let two = Two::open(driver, &url, &authority).await;
    // Enough users for all masters.
    for user in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        two.serve(user).await;
    }
    let replica = cluster.replicas_of(&cluster.nodes()[0]).await[0];
    cluster.failover(replica, Failover::Planned).await;
    for user in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        two.serve(user).await;
    }
}

/// Redis asks clients for a certificate unless it is told not to.
async fn a_client_shows_its_certificate(driver: impl Driver + Copy) {
    let authority = Authority::new();
    let server = RedisServer::builder()
        .tls(here(&authority))
        .arg("--tls-auth-clients", "yes")
        .start()
        .await;
    let client = authority.certify(&["app.test"]);
    let builder = || trusting(driver, &server.url(), &authority);
    let known = builder().client_certificate(client.chain, client.key);
    let store = known.connect().await.unwrap();
    let new = login(&store.user("alice").unwrap());
    assert!(store.create(&new).await.is_ok());
    let error = builder().connect().await.unwrap_err().to_string();
    assert!(error.contains("`client_certificate`"), "{error}");
}

with_each_driver! {
    #[tokio::test] a_server_serves,
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    sentinels_and_their_master_serve_before_and_after_a_failover,
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    a_cluster_serves_before_and_after_a_failover,
    #[tokio::test] a_client_shows_its_certificate,
}
