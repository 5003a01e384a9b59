//! One Sentinel, asked now and then over a connection that is kept.

use super::answer::{self, Address};
use crate::{Command, Connection, Driver, DriverError, Endpoint, connecting::connect};
use std::sync::Arc;
use tokio::sync::Mutex;

/// One Sentinel.
#[derive(Debug)]
pub(super) struct Witness {
    pub(super) endpoint: Endpoint,
    connection: Mutex<Option<Arc<dyn Connection>>>,
}

/// What a Sentinel says.
#[derive(Debug)]
pub(super) struct Testimony {
    /// The master's address; `None` if it knows no such master.
    pub(super) master: Option<Address>,
    /// Other Sentinels of the same master.
    pub(super) others: Vec<Address>,
}

impl Witness {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        let connection = Mutex::default();
        Self {
            endpoint,
            connection,
        }
    }

    /// Asks for the master of this name. The caller sets the limit; who gives up, or is told
    /// anything but an answer, leaves no connection behind.
    pub(super) async fn ask(
        &self,
        driver: &dyn Driver,
        name: &str,
    ) -> Result<Testimony, DriverError> {
        let mut place = self.connection.lock().await;
        // Taken out while it is used: should the caller give up, then it is dropped.
        let connection = match place.take() {
            Some(connection) => connection,
            None => Arc::from(connect(driver, &self.endpoint, Arc::new(|_| ())).await?),
        };
        let ask = |what| {
            let command = Command::new("SENTINEL").arg(what);
            command.arg(name.to_owned())
        };
        let commands = vec![ask("GET-MASTER-ADDR-BY-NAME"), ask("SENTINELS")];
        let mut replies = connection.pipeline(commands).await?.into_iter();
        let (Some(master), Some(others)) = (replies.next(), replies.next()) else {
            return Err(DriverError::lost("the Sentinel left commands unanswered"));
        };
        let master = answer::master(master)?;
        let others = answer::others(others);
        *place = Some(connection);
        Ok(Testimony { master, others })
    }
}
