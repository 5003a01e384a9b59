//! Masters whose place another server takes, and what is lost by it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use cloakroom::redis::RedisDriver;
use cloakroom_core::{Bucket, Digest, Freshness, Loaded, SessionStore};
use cloakroom_testkit::{Direction, RedisServer, eventually};
use tokio::time::sleep;

use super::{Fault, Strike};
use crate::near::deployment::{Topology, says};
use crate::near::history::Span;
use crate::near::loss::{Left, Loss, hears_no_more, sessions_on};
use crate::near::world::{LIMIT, World};

/// How far apart the moments may lie when the server acknowledges, an instance hears of it, and this
/// process asks another server what it is.
const APART: Duration = Duration::from_millis(50);

/// A master that is about to be replaced.
struct Old<'a> {
    world: &'a World,
    server: &'a RedisServer,
    replicas: Vec<&'a RedisServer>,
    buckets: Vec<Bucket>,
}

pub(super) async fn strike(world: &World, mut strike: Strike) {
    let server = world.any_master(&mut strike.random).await;
    let old = Old {
        world,
        server,
        replicas: world.deployment.replicas_of(server).await,
        buckets: world.buckets_of(server).await,
    };
    match strike.fault {
        Fault::FailOver if world.topology == Topology::Sentinel => old.is_sent_away().await,
        Fault::FailOver => {
            let networks = world.networks();
            world.deployment.fail_over(server, &networks).await;
            world.scribe.healed(Instant::now());
        }
        Fault::LoseLast => old.dies_unheard(&mut strike).await,
        Fault::CutOff => old.is_cut_off(&mut strike).await,
        _ => old.stands_still().await,
    }
    sleep(strike.lasts).await;
    if strike.fault == Fault::CutOff {
        world.deployment.rejoin(server).await;
    }
}

impl Old<'_> {
    /// Nobody tells it. What it takes after its successor was made is lost, until its other replica
    /// leaves it too and it takes nothing more.
    async fn is_sent_away(&self) {
        let networks = self.world.networks();
        let fail_over = async {
            self.world
                .deployment
                .fail_over(self.server, &networks)
                .await;
            Instant::now()
        };
        let (alone, over, refused) = tokio::join!(self.is_alone(), fail_over, self.refuses());
        let change = Span {
            asked: alone,
            answered: over,
        };
        let in_vain = Span {
            asked: alone - APART,
            answered: refused + APART,
        };
        self.told(change, Left::AllBut(vec![in_vain])).await;
    }

    /// Its replicas hear nothing for a while; then it is killed.
    async fn dies_unheard(&self, strike: &mut Strike) {
        self.server.link().stall(Direction::Both);
        sleep(strike.lasts / 3).await;
        self.server.kill();
        self.server.link().cut();
        let left = self.left().await;
        let began = Instant::now();
        let random = strike.random.fork();
        self.world.deployment.promote(self.server, random).await;
        self.succeeded(Span::since(began), left).await;
    }

    /// It notices that its replicas are gone, and refuses to write from then on.
    async fn is_cut_off(&self, strike: &mut Strike) {
        let servers = &self.world.deployment;
        servers.cut_off(self.server).await;
        let left = self.left().await;
        self.refuses().await;
        let began = Instant::now();
        if strike.fault.needs(self.world.topology).automatic {
            servers.replaced(self.server).await;
        } else {
            servers.promote(self.server, strike.random.fork()).await;
        }
        self.succeeded(Span::since(began), left).await;
    }

    /// What it had acknowledged when it stopped, its replicas have, but for the last moment. When it
    /// wakes it may serve what waits, until it notices that it is alone.
    async fn stands_still(&self) {
        let stopped = Instant::now();
        self.server.pause();
        self.world.deployment.replaced(self.server).await;
        let change = Span::since(stopped);
        let last = Span {
            asked: stopped - APART,
            answered: stopped + APART,
        };
        let woken = Instant::now();
        self.server.resume();
        let awake = Span {
            asked: woken,
            answered: self.refuses().await + APART,
        };
        self.told(change, Left::AllBut(vec![last, awake])).await;
    }

    /// What each replica has, when it will hear no more.
    async fn left(&self) -> Vec<HashMap<Digest, u64>> {
        let mut left = Vec::new();
        for replica in &self.replicas {
            hears_no_more(replica).await;
            left.push(sessions_on(&RedisDriver, replica).await);
            assert!(says(replica, "role:slave").await, "it took over too soon");
        }
        left
    }

    /// One of the replicas has taken over, with what it had.
    async fn succeeded(&self, change: Span, left: Vec<HashMap<Digest, u64>>) {
        for (replica, these) in self.replicas.iter().zip(left) {
            if says(replica, "role:master").await {
                return self.told(change, Left::These(these)).await;
            }
        }
        panic!("no replica has taken over");
    }

    /// Waits until what had been ended has ended on the new master too, and notes what was lost.
    async fn told(&self, change: Span, left: Left) {
        let scribe = &self.world.scribe;
        scribe.healed(change.answered);
        let mut loss = Loss {
            change,
            buckets: self.buckets.clone(),
            left,
            said_again: None,
        };
        let store = self.world.truth().await;
        let over = || async {
            for at in scribe.ended_in_vain(&loss) {
                if !matches!(
                    store.load(at, Freshness::NOW).await,
                    Ok(Loaded::Ended | Loaded::Superseded | Loaded::Absent)
                ) {
                    return false;
                }
            }
            true
        };
        assert!(eventually(LIMIT, over).await, "what was ended lives on");
        loss.said_again = Some(Instant::now());
        scribe.lost(loss);
    }

    /// The last moment at which none of its replicas was known to lead.
    async fn is_alone(&self) -> Instant {
        let until = Instant::now() + LIMIT;
        loop {
            let before = Instant::now();
            for replica in &self.replicas {
                if says(replica, "role:master").await {
                    return before;
                }
            }
            assert!(before < until, "nobody takes over");
        }
    }

    /// When it is first seen to refuse a write.
    async fn refuses(&self) -> Instant {
        let buckets = self.world.instances[0].store.buckets();
        let key = format!("{{{}}}:probe", buckets.tag(self.buckets[0]));
        let refused = || async {
            let write = ["SET", &key, "x", "PX", "1000"];
            self.server.try_command(&write).await.is_err()
        };
        assert!(eventually(LIMIT, refused).await, "it takes writes for ever");
        Instant::now()
    }
}
