//! A load that several callers wait for, and that belongs to none of them.

use crate::near::Kept;
use cloakroom_core::{Error, ErrorKind, Moment, Result, Term};
use tokio::sync::watch;

/// A load under way.
pub(crate) struct Flight<V> {
    pub(crate) number: u64,
    /// The bucket's term when it began.
    pub(crate) term: Term,
    /// When it began: what it brings is true as of then, or later.
    pub(crate) began: Moment,
    landed: watch::Receiver<Option<Result<Kept<V>>>>,
}

/// Where a flight's load reports.
pub(crate) type Landing<V> = watch::Sender<Option<Result<Kept<V>>>>;

impl<V> Flight<V> {
    pub(crate) fn new(number: u64, term: Term, began: Moment) -> (Landing<V>, Self) {
        let (landing, landed) = watch::channel(None);
        let flight = Self {
            number,
            term,
            began,
            landed,
        };
        (landing, flight)
    }

    /// Waits for what it brings. Dropping this leaves the load alone.
    pub(crate) async fn landed(&self) -> Result<Kept<V>> {
        let mut landed = self.landed.clone();
        let brought = landed.wait_for(Option::is_some).await;
        brought
            .ok()
            .and_then(|brought| brought.clone())
            .unwrap_or_else(|| {
                Err(Error::new(
                    ErrorKind::Internal,
                    "a load ended without a result: it panicked, or its runtime has ended",
                ))
            })
    }
}

impl<V> Clone for Flight<V> {
    fn clone(&self) -> Self {
        Self {
            landed: self.landed.clone(),
            ..*self
        }
    }
}
