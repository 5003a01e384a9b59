//! The shop's database: SQLite, as slow as one that is reached over a network.

use crate::failure::Failure;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::Semaphore, time::sleep};

/// So many connections are open at most, as a pool would have it.
const CONNECTIONS: usize = 64;
/// A change waits this long for another.
const BUSY: Duration = Duration::from_secs(5);

/// A product, as its page shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Product {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) cents: i64,
    /// How often its price has changed.
    pub(crate) version: u64,
}

/// All instances' database.
#[derive(Debug)]
pub(crate) struct Database {
    path: PathBuf,
    latency: Duration,
    idle: Mutex<Vec<Connection>>,
    places: Semaphore,
    loads: AtomicU64,
    /// The file goes with it.
    _folder: tempfile::TempDir,
}

impl Database {
    /// Makes one in a temporary folder, with so many products.
    ///
    /// # Errors
    ///
    /// A [`Failure`] if the folder or the file can't be written.
    pub(crate) fn create(products: u32, latency: Duration) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()
            .map_err(|error| Failure::run(format!("can't make a temporary folder: {error}")))?;
        let database = Self {
            path: folder.path().join("shop.sqlite"),
            latency,
            idle: Mutex::default(),
            places: Semaphore::new(CONNECTIONS),
            loads: AtomicU64::new(0),
            _folder: folder,
        };
        let filled = database.fill(products);
        filled.map_err(|error| Failure::run(format!("can't make the database: {error}")))?;
        Ok(database)
    }

    fn fill(&self, products: u32) -> rusqlite::Result<()> {
        let mut connection = self.connection()?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        let table = "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, \
                     cents INTEGER NOT NULL, version INTEGER NOT NULL)";
        connection.execute(table, [])?;
        let all = connection.transaction()?;
        for id in 1..=products {
            let row = "INSERT INTO products VALUES (?1, ?2, ?3, 0)";
            all.execute(row, params![id, format!("product {id}"), 100 + id])?;
        }
        all.commit()
    }

    /// How many products were asked for.
    pub(crate) fn loads(&self) -> u64 {
        self.loads.load(Relaxed)
    }

    /// A product, if there is one of this number.
    pub(crate) async fn product(self: Arc<Self>, id: u32) -> io::Result<Option<Product>> {
        self.loads.fetch_add(1, Relaxed);
        self.run(move |connection| {
            let query = "SELECT name, cents, version FROM products WHERE id = ?1";
            let product = connection.query_row(query, [id], |row| {
                Ok(Product {
                    id,
                    name: row.get(0)?,
                    cents: row.get(1)?,
                    version: row.get::<_, i64>(2)?.unsigned_abs(),
                })
            });
            product.optional()
        })
        .await
    }

    /// Changes a price; says how often it has changed now.
    pub(crate) async fn set_price(self: Arc<Self>, id: u32, cents: i64) -> io::Result<Option<u64>> {
        self.run(move |connection| {
            let change = "UPDATE products SET cents = ?2, version = version + 1 WHERE id = ?1 \
                          RETURNING version";
            let version = connection.query_row(change, params![id, cents], |row| row.get(0));
            Ok(version.optional()?.map(i64::unsigned_abs))
        })
        .await
    }

    /// Runs a query where it may block, on a connection of its own.
    async fn run<T: Send + 'static>(
        self: Arc<Self>,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let _place = self.places.acquire().await.map_err(io::Error::other)?;
        sleep(self.latency).await;
        let database = Arc::clone(&self);
        let task = tokio::task::spawn_blocking(move || {
            let connection = database.connection()?;
            let result = query(&connection);
            database.idle().push(connection);
            result
        });
        task.await?.map_err(io::Error::other)
    }

    fn connection(&self) -> rusqlite::Result<Connection> {
        if let Some(connection) = self.idle().pop() {
            return Ok(connection);
        }
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "synchronous", "off")?;
        Ok(connection)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
