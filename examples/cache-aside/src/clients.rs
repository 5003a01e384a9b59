//! Who reads and changes, round the instances, and what they note.

use crate::{database::Product, failure::Failure, fleet::Fleet, options::Options};
use axum::{
    body::{Body, to_bytes},
    http::{Method, Request},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::timeout};

/// A request that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(10);
/// No answer is longer.
const LONGEST: usize = 64 * 1024;

/// What was noted.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    pub(crate) took: Duration,
    pub(crate) requests: u64,
    pub(crate) changes: u64,
    pub(crate) failed: u64,
    /// Answers older than a change that had been acknowledged before they were asked for.
    pub(crate) stale: u64,
    /// Products that the database was asked for.
    pub(crate) loads: u64,
    /// Reads that near copies answered.
    pub(crate) near: u64,
    /// Reads that a value in the store answered.
    pub(crate) store: u64,
    /// Reads that shared another's load.
    pub(crate) shared: u64,
    /// How long reads took, sorted.
    pub(crate) reads: Vec<Duration>,
}

/// What all clients know.
struct Known {
    addresses: Vec<SocketAddr>,
    http: Client<HttpConnector, Body>,
    /// For each product, the latest change that was acknowledged.
    versions: Vec<AtomicU64>,
    /// How often the products up to one are asked for, relative to the first.
    sums: Vec<f64>,
    /// Of 1,000 requests.
    writes: u32,
}

/// Lets all clients work for the time that the options say.
///
/// # Errors
///
/// A [`Failure`] if not one request succeeded.
pub(crate) async fn run(fleet: &Fleet, options: &Options) -> Result<Noted, Failure> {
    let known = Arc::new(Known::new(fleet, options));
    let before = counts(fleet);
    let began = Instant::now();
    let until = began + Duration::from_secs(options.seconds);
    let mut clients: JoinSet<Noted> = (0..options.clients as usize)
        .map(|client| Arc::clone(&known).work(client, until))
        .collect();
    let mut all = Noted::default();
    while let Some(noted) = clients.join_next().await {
        all.add(noted.map_err(|error| Failure::run(format!("a client failed: {error}")))?);
    }
    all.took = began.elapsed();
    all.reads.sort_unstable();
    let after = counts(fleet);
    let [loads, near, store, shared] = std::array::from_fn(|n| after[n] - before[n]);
    (all.loads, all.near, all.store, all.shared) = (loads, near, store, shared);
    if all.requests == all.failed {
        return Err(Failure::run("no request succeeded"));
    }
    Ok(all)
}

/// Database loads, near hits, store hits, and reads that shared a load.
fn counts(fleet: &Fleet) -> [u64; 4] {
    let mut counts = [fleet.database.loads(), 0, 0, 0];
    for stats in fleet.stats() {
        counts[1] += stats.near_hits;
        counts[2] += stats.store_hits;
        counts[3] += stats.coalesced;
    }
    counts
}

impl Known {
    fn new(fleet: &Fleet, options: &Options) -> Self {
        let mut sum = 0.0;
        let sums = (1..=options.products).map(|rank| {
            sum += 1.0 / f64::from(rank);
            sum
        });
        Self {
            addresses: fleet.addresses().to_vec(),
            http: Client::builder(TokioExecutor::new()).build_http(),
            versions: (0..=options.products).map(|_| AtomicU64::new(0)).collect(),
            sums: sums.collect(),
            writes: options.writes,
        }
    }

    /// Asks for one product after the other, each time of the next instance.
    async fn work(self: Arc<Self>, client: usize, until: Instant) -> Noted {
        let mut noted = Noted::default();
        let mut turn = client;
        while Instant::now() < until {
            let address = self.addresses[turn % self.addresses.len()];
            turn += 1;
            let id = self.drawn();
            let done = if fastrand::u32(0..1000) < self.writes {
                noted.changes += 1;
                self.change(address, id).await
            } else {
                self.read(address, id, &mut noted).await
            };
            noted.requests += 1;
            noted.failed += u64::from(done.is_none());
        }
        noted
    }

    /// A product's number: the first is asked for about 1,000 times as often as the thousandth.
    fn drawn(&self) -> usize {
        let drawn = fastrand::f64() * self.sums.last().copied().unwrap_or_default();
        let place = self.sums.partition_point(|sum| *sum < drawn);
        place.min(self.sums.len() - 1) + 1
    }

    async fn read(&self, address: SocketAddr, id: usize, noted: &mut Noted) -> Option<()> {
        let known = self.versions[id].load(SeqCst);
        let began = Instant::now();
        let path = format!("http://{address}/products/{id}");
        let answer = self.ask(Method::GET, path).await?;
        noted.reads.push(began.elapsed());
        let product: Product = serde_json::from_slice(&answer).ok()?;
        noted.stale += u64::from(product.version < known);
        Some(())
    }

    async fn change(&self, address: SocketAddr, id: usize) -> Option<()> {
        let cents = fastrand::u32(100..10_000);
        let path = format!("http://{address}/products/{id}/price?cents={cents}");
        let answer = self.ask(Method::POST, path).await?;
        let version: u64 = serde_json::from_slice(&answer).ok()?;
        self.versions[id].fetch_max(version, SeqCst);
        Some(())
    }

    async fn ask(&self, method: Method, path: String) -> Option<axum::body::Bytes> {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::empty()).ok()?;
        let asking = async {
            let answer = self.http.request(request).await.ok()?;
            let good = answer.status().is_success();
            let body = to_bytes(Body::new(answer.into_body()), LONGEST)
                .await
                .ok()?;
            good.then_some(body)
        };
        timeout(LIMIT, asking).await.ok().flatten()
    }
}

impl Noted {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.changes += other.changes;
        self.failed += other.failed;
        self.stale += other.stale;
        self.reads.extend(other.reads);
    }

    /// So many a second.
    pub(crate) fn rate(&self, count: u64) -> f64 {
        count as f64 / self.took.as_secs_f64()
    }

    /// The time within which this part of all reads was answered.
    pub(crate) fn within(&self, part: f64) -> Duration {
        let last = self.reads.len().saturating_sub(1);
        let place = (last as f64 * part).round() as usize;
        self.reads.get(place).copied().unwrap_or_default()
    }
}
