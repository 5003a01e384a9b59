//! The instances: each serves at its own port, with its own connection to the store and its own near
//! copies.

use crate::{
    database::{Database, Product},
    failure::Failure,
    options::Options,
    shop::Shop,
};
use cloakroom::{
    ErrorKind, Store,
    cache::{Cache, CacheStats},
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{net::TcpListener, task::AbortHandle, time::timeout};

/// How long connecting to the store may take.
const CONNECTING: Duration = Duration::from_secs(3);

/// The instances, which end when this is dropped.
pub(crate) struct Fleet {
    pub(crate) database: Arc<Database>,
    addresses: Vec<SocketAddr>,
    caches: Vec<Cache<u32, Product>>,
    cached: Arc<AtomicBool>,
    serving: Vec<AbortHandle>,
}

impl Fleet {
    /// Starts them.
    ///
    /// # Errors
    ///
    /// A [`Failure`] if the store can't be reached, or there is no port or no database.
    pub(crate) async fn start(options: &Options) -> Result<Self, Failure> {
        let database = Arc::new(Database::create(options.products, options.latency())?);
        let cached = Arc::new(AtomicBool::new(!options.no_cache));
        let mut fleet = Self {
            database,
            addresses: Vec::new(),
            caches: Vec::new(),
            cached,
            serving: Vec::new(),
        };
        // What another run left in the store is of another database.
        let name = format!("products of run {:016x}", fastrand::u64(..));
        let mut shared = None;
        for _ in 0..options.instances {
            let store = match &shared {
                Some(store) => Arc::clone(store),
                None => open(&options.store).await?,
            };
            if options.store_kind() == "memory" {
                // There is no other way to share a process's memory.
                shared = Some(Arc::clone(&store));
            }
            fleet.add(&name, store).await?;
        }
        Ok(fleet)
    }

    async fn add(&mut self, name: &str, store: Arc<dyn Store>) -> Result<(), Failure> {
        let products: Cache<u32, Product> = Cache::builder(name, store)
            .build()
            .map_err(|error| Failure::run(error.to_string()))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(|e| Failure::run(format!("there is no free port: {e}")))?;
        let address = listener.local_addr();
        let address = address.map_err(|e| Failure::run(format!("a port has no address: {e}")))?;
        let shop = Shop {
            database: Arc::clone(&self.database),
            products: products.clone(),
            cached: Arc::clone(&self.cached),
        };
        let serving = tokio::spawn(axum::serve(listener, shop.router()).into_future());
        self.serving.push(serving.abort_handle());
        self.addresses.push(address);
        self.caches.push(products);
        Ok(())
    }

    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether reads go through the cache from now on.
    pub(crate) fn use_cache(&self, yes: bool) {
        self.cached.store(yes, Relaxed);
    }

    /// What each instance's cache has done.
    pub(crate) fn stats(&self) -> impl Iterator<Item = CacheStats> {
        self.caches.iter().map(Cache::stats)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for serving in &self.serving {
            serving.abort();
        }
    }
}

async fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    match timeout(CONNECTING, cloakroom::open(url)).await {
        Ok(Ok(store)) => Ok(store),
        Ok(Err(error)) if error.kind() == ErrorKind::Config => {
            Err(Failure::usage(error.to_string()))
        }
        Ok(Err(error)) => Err(Failure::run(error.to_string())),
        Err(_) => Err(Failure::run("the store did not answer within 3 s")),
    }
}
