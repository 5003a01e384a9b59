//! The store that all instances share.

use crate::failure::Failure;
use clap::ValueEnum;
use cloakroom::{Error, ErrorKind, SessionStore, redis::FredDriver};
use std::{fmt, sync::Arc, time::Duration};

/// How long connecting may take: a person should hear of a wrong address within two seconds.
const CONNECT_LIMIT: Duration = Duration::from_millis(1_700);

/// Where sessions are kept. Never prints the password that it may hold.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StoreUrl(String, Driver);

/// The client libraries that options name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Driver {
    Redis,
    Fred,
}

impl StoreUrl {
    /// Checks the scheme of an address; an empty one means memory.
    ///
    /// # Errors
    ///
    /// A usage [`Failure`] for schemes that this version does not serve.
    pub(crate) fn parse(url: &str, driver: Driver) -> Result<Self, Failure> {
        if url.is_empty() {
            return Ok(Self("memory:".to_owned(), driver));
        }
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some(
                "memory" | "redis" | "rediss" | "redis-sentinel" | "rediss-sentinel"
                | "redis-cluster" | "rediss-cluster",
            ) => Ok(Self(url.to_owned(), driver)),
            _ => Err(Failure::usage(
                "--redis needs an address like redis://127.0.0.1:6379 or rediss://HOST:PORT",
            )),
        }
    }

    /// One word for it.
    pub(crate) fn kind(&self) -> &'static str {
        if self.is_memory() { "memory" } else { "redis" }
    }

    /// Nothing outside of this process sees these sessions.
    pub(crate) fn is_memory(&self) -> bool {
        self.0.starts_with("memory:")
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// A start [`Failure`] if the server can't be reached, a usage one if the address is wrong.
    pub(crate) async fn open(&self) -> Result<Arc<dyn SessionStore>, Failure> {
        match tokio::time::timeout(CONNECT_LIMIT, self.connect()).await {
            Ok(opened) => opened.map_err(|error| unusable(&error)),
            Err(_) => Err(Failure::start(
                "can't use the store: no answer within 1.7 s",
            )),
        }
    }
}

impl StoreUrl {
    async fn connect(&self) -> cloakroom::Result<Arc<dyn SessionStore>> {
        if self.1 == Driver::Fred && !self.is_memory() {
            let store = cloakroom::redis::store_with(FredDriver, &self.0);
            return Ok(Arc::new(store.connect().await?));
        }
        Ok(cloakroom::open(&self.0).await?)
    }
}

/// Says why the store can't be used.
pub(crate) fn unusable(error: &Error) -> Failure {
    match error.kind() {
        ErrorKind::Config | ErrorKind::Invalid => Failure::usage(error.to_string()),
        _ => Failure::start(error.to_string()),
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({}…)", self.kind())
    }
}
