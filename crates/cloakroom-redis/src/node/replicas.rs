//! Asking how many replicas have what was written.

use super::{Confirmation, handshake::run_of};
use crate::{Command, Connection, Driver, DriverError, Endpoint, Reply, connecting::connect};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::{Instant, timeout_at};

/// Idle connections that are kept for the next time.
const MOST_IDLE: usize = 4;
/// What is written so that replicas can be asked for it is gone after it.
const KEPT: &str = "60000";

/// Asks a master's replicas. `WAIT` holds up its connection until they have answered, so each
/// question has a connection of its own.
#[derive(Debug)]
pub(super) struct Replicas {
    driver: Arc<dyn Driver>,
    endpoint: Endpoint,
    idle: Mutex<Vec<Box<dyn Connection>>>,
}

impl Replicas {
    pub(super) fn new(driver: &Arc<dyn Driver>, endpoint: &Endpoint) -> Self {
        Self {
            driver: Arc::clone(driver),
            endpoint: endpoint.clone(),
            idle: Mutex::default(),
        }
    }

    /// How many replicas have all that this run of the server has done until now; 0 when that can't
    /// be found out in time.
    pub(super) async fn confirm(&self, run: &str, wish: &Confirmation) -> i64 {
        let until = Instant::now() + wish.within;
        let asked = timeout_at(until, self.ask(run, wish, until)).await;
        match asked {
            Ok(Ok(replicas)) => replicas,
            Ok(Err(error)) => {
                tracing::debug!(%error, "replicas can't be asked");
                0
            }
            Err(_) => 0,
        }
    }

    async fn ask(
        &self,
        run: &str,
        wish: &Confirmation,
        until: Instant,
    ) -> Result<i64, DriverError> {
        // One that was idle may have ended; to ask twice does no harm.
        while let Some(connection) = self.take() {
            if let Ok(replicas) = self.ask_on(connection, wish, until).await {
                return Ok(replicas);
            }
        }
        let connection = self.connect(run).await?;
        self.ask_on(connection, wish, until).await
    }

    async fn ask_on(
        &self,
        connection: Box<dyn Connection>,
        wish: &Confirmation,
        until: Instant,
    ) -> Result<i64, DriverError> {
        // Less than a millisecond would be no limit at all: `WAIT` takes 0 for ever.
        let left = (until - Instant::now()).as_millis().max(1);
        let write = Command::new("SET").arg(wish.key.clone()).arg("");
        let wait = Command::new("WAIT").arg(wish.replicas.to_string());
        let commands = vec![write.arg("PX").arg(KEPT), wait.arg(left.to_string())];
        match connection.pipeline(commands).await?.as_slice() {
            [Reply::Error(refused), _] => {
                let code = &refused.code;
                let why = format!("the write to confirm was refused: {code}");
                Err(DriverError::lost(why))
            }
            [_, Reply::Int(replicas)] => {
                self.put_back(connection);
                Ok(*replicas)
            }
            _ => Err(DriverError::lost("WAIT was not answered with a number")),
        }
    }

    /// Another run of a server at the same place may lack what is asked about.
    async fn connect(&self, run: &str) -> Result<Box<dyn Connection>, DriverError> {
        let unheard = Arc::new(|_| {});
        let connection = connect(&*self.driver, &self.endpoint, unheard).await?;
        match run_of(&*connection).await? == run {
            true => Ok(connection),
            false => Err(DriverError::lost("another server has taken its place")),
        }
    }

    fn take(&self) -> Option<Box<dyn Connection>> {
        self.idle().pop()
    }

    fn put_back(&self, connection: Box<dyn Connection>) {
        let mut idle = self.idle();
        if idle.len() < MOST_IDLE {
            idle.push(connection);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Box<dyn Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
