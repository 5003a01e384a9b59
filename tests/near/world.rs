//! Some instances of one deployment, each behind its own links, and the sessions that they serve.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use cloakroom::redis::{FredDriver, RedisDriver};
use cloakroom_core::{Address, Bucket, Channel, Freshness, Handle, SessionStore};
use cloakroom_near::{NearStore, Rules};
use cloakroom_redis::{ChannelRules, RedisStore, RedisStoreBuilder};
use cloakroom_testkit::{RedisServer, eventually};
use futures_util::future::join_all;
use time::Duration;
use tokio::time::sleep;

use super::deployment::{Deployment, Topology};
use super::history::{Saw, Scribe};
use super::network::Network;
use super::random::Random;
use super::through::Through;

/// How long the tests wait for what must come.
pub(crate) const LIMIT: std::time::Duration = std::time::Duration::from_secs(30);
/// How stale a read may be.
pub(crate) const BOUND: Duration = Duration::milliseconds(400);
/// How often it is proven that nothing was missed.
const INTERVAL: Duration = Duration::milliseconds(100);
/// How long an operation may take on its way to the store and back.
pub(crate) const COMMAND: Duration = Duration::SECOND;

/// Between attempts to open a store.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

const INSTANCES: usize = 3;
/// Few, so that buckets are shared by users and renewals are short.
pub(crate) const BUCKETS: u16 = 8;
const USERS: usize = 6;
/// A user's devices.
const SEATS: usize = 2;

/// A client crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Crate {
    Redis,
    Fred,
}

/// Which rules the instances follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Obeyed {
    pub(crate) near: Rules,
    pub(crate) channel: ChannelRules,
}

impl Obeyed {
    pub(crate) const ALL: Self = Self {
        near: Rules::ALL,
        channel: ChannelRules::ALL,
    };
}

/// All that a run is made of.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) topology: Topology,
    pub(crate) deployment: Box<dyn Deployment>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) seats: Vec<Seat>,
    pub(crate) scribe: Scribe,
    over: AtomicBool,
    tokens: AtomicU64,
}

/// One instance of the application.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) store: NearStore,
    pub(crate) network: Arc<Network>,
    channel: Arc<Channel>,
}

/// A device of a user, who logs in again whenever the session has ended.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) user: String,
    /// The sessions that it has had, the present one last.
    pub(crate) held: Mutex<Vec<Held>>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) session: usize,
    pub(crate) at: Address,
    pub(crate) handle: Handle,
    pub(crate) alive: bool,
}

impl World {
    pub(crate) async fn open(
        topology: Topology,
        deployment: Box<dyn Deployment>,
        through: Crate,
        rules: Obeyed,
        random: &mut Random,
    ) -> Self {
        let opened = |_| {
            // Those of a real deployment don't look for their servers all at the same moment.
            let later = topology != Topology::Single;
            let later = later.then(|| random.milliseconds(0, 1000));
            let instance = Instance::open(&*deployment, through, rules);
            async move {
                sleep(later.unwrap_or_default()).await;
                instance.await
            }
        };
        let instances: Vec<_> = (0..INSTANCES).map(opened).collect();
        let instances = join_all(instances).await;
        let seat = |number| Seat {
            user: format!("user {}", number / SEATS),
            held: Mutex::default(),
        };
        Self {
            topology,
            deployment,
            instances,
            seats: (0..USERS * SEATS).map(seat).collect(),
            scribe: Scribe::default(),
            over: AtomicBool::default(),
            tokens: AtomicU64::default(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Lets the workers go home, as soon as they have done enough to show anything.
    pub(crate) async fn end(&self) {
        let enough = || async { self.scribe.has(200, 20) };
        assert!(eventually(LIMIT, enough).await, "hardly anything is served");
        self.over.store(true, Relaxed);
    }

    /// A value that nothing else is written with.
    pub(crate) fn token(&self) -> u64 {
        self.tokens.fetch_add(1, Relaxed)
    }

    pub(crate) fn networks(&self) -> Vec<Arc<Network>> {
        let networks = self.instances.iter();
        networks.map(|i| Arc::clone(&i.network)).collect()
    }

    /// Waits until every instance trusts its channel again, as it must by itself.
    pub(crate) async fn recovers(&self) -> bool {
        let trusted = || async { self.instances.iter().all(Instance::is_trusted) };
        eventually(LIMIT, trusted).await
    }

    pub(crate) fn any_bucket(&self, random: &mut Random) -> Bucket {
        let index = random.below(BUCKETS.into());
        let buckets = self.instances[0].store.buckets();
        buckets.get(index as u16).expect("there is such a bucket")
    }

    /// A master that serves somebody.
    pub(crate) async fn any_master(&self, random: &mut Random) -> &RedisServer {
        let seat = &self.seats[random.below(self.seats.len())];
        let user = self.instances[0].store.user(&seat.user).unwrap();
        self.deployment.master_of(user.bucket).await
    }

    /// The buckets that a master serves.
    pub(crate) async fn buckets_of(&self, master: &RedisServer) -> Vec<Bucket> {
        let mut of_it = Vec::new();
        for bucket in self.instances[0].store.buckets().iter() {
            if self.deployment.master_of(bucket).await.port() == master.port() {
                of_it.push(bucket);
            }
        }
        of_it
    }

    /// A store without copies, on a way on which nothing breaks.
    pub(crate) async fn truth(&self) -> RedisStore {
        let network = network(&*self.deployment);
        let store = settings(led(RedisDriver, &network, &self.deployment.truth()));
        let patience = Duration::seconds(30);
        let store = store.command_timeout(patience).connect_timeout(patience);
        connected(&store).await
    }

    /// What each session is in the end.
    pub(crate) async fn finally(&self) -> Vec<Saw> {
        let store = self.truth().await;
        let mut finally = Vec::new();
        for at in self.scribe.sessions() {
            let loaded = store.load(at, Freshness::NOW).await.unwrap();
            finally.push(Saw::of(&loaded));
        }
        finally
    }
}

impl Instance {
    async fn open(deployment: &dyn Deployment, through: Crate, rules: Obeyed) -> Self {
        let (url, network) = (deployment.url(), network(deployment));
        let store = Arc::new(opened(&url, through, rules.channel, &network).await);
        let channel = store.channel().unwrap();
        let store = NearStore::with_rules(store, rules.near);
        let instance = Self {
            store,
            network,
            channel,
        };
        let trusted = || async { instance.is_trusted() };
        assert!(eventually(LIMIT, trusted).await, "nothing is trusted");
        instance
    }

    /// Whether anything was proven of each bucket of late.
    fn is_trusted(&self) -> bool {
        use cloakroom_core::{Clock, SystemClock};
        let now = SystemClock.moment();
        self.store.buckets().iter().all(|bucket| {
            let lease = self.channel.lease(bucket);
            lease.age(lease.term, now).is_some_and(|age| age < BOUND)
        })
    }
}

/// Links to these servers.
fn network(deployment: &dyn Deployment) -> Arc<Network> {
    let network = Network::default();
    for (known, reached) in deployment.doors() {
        network.redirect(known, reached);
    }
    Arc::new(network)
}

async fn opened(
    url: &str,
    through: Crate,
    rules: ChannelRules,
    network: &Arc<Network>,
) -> RedisStore {
    let builder = match through {
        Crate::Redis => led(RedisDriver, network, url),
        Crate::Fred => led(FredDriver, network, url),
    };
    connected(&settings(builder).rules(rules)).await
}

/// Opens a store. A busy machine may need more than one attempt within the short limits, and a new
/// master that is guarded takes no writes before it has a replica.
async fn connected(builder: &RedisStoreBuilder) -> RedisStore {
    let until = Instant::now() + LIMIT;
    loop {
        match builder.clone().connect().await {
            Err(error) if error.is_unavailable() && Instant::now() < until => {
                sleep(PAUSE).await;
            }
            opened => return opened.expect("a store on healthy servers"),
        }
    }
}

fn led<D>(driver: D, network: &Arc<Network>, url: &str) -> RedisStoreBuilder
where
    D: cloakroom_redis::Driver + Copy,
{
    let network = Arc::clone(network);
    cloakroom::redis::store_with(Through { driver, network }, url)
}

fn settings(builder: RedisStoreBuilder) -> RedisStoreBuilder {
    builder
        .buckets(BUCKETS)
        .command_timeout(COMMAND)
        .connect_timeout(COMMAND)
        .renewal_interval(INTERVAL)
}

impl Seat {
    /// The session that it has, or now and then the one before, which may have ended.
    pub(crate) fn any(&self, former: bool) -> Option<Held> {
        let held = self.held.lock().unwrap();
        let back = usize::from(former);
        held.iter().rev().nth(back).or(held.last()).copied()
    }

    pub(crate) fn live(&self) -> Option<Held> {
        self.held
            .lock()
            .unwrap()
            .last()
            .copied()
            .filter(|held| held.alive)
    }

    /// The session of this number has ended, or may have.
    pub(crate) fn left(&self, session: usize) {
        for held in self.held.lock().unwrap().iter_mut() {
            held.alive &= held.session != session;
        }
    }
}
