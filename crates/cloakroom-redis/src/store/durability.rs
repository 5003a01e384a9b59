//! How sure an end must be before it is acknowledged.

use super::RedisStore;
use crate::{Reply, node::Confirmation, scripts::Script, store::arguments::Arguments};
use bytes::Bytes;
use cloakroom_core::{Bucket, Error, ErrorKind, Result};
use time::Duration;

/// When a logout or a revocation is acknowledged.
///
/// Replication is asynchronous: a master that dies may take with it what it acknowledged last, and
/// the session is alive again on the replica that takes over, until this instance sees that and says
/// again what it ended (within moments, for ends of the last five minutes).
///
/// ```
/// use cloakroom_redis::Durability;
/// use time::Duration;
///
/// let sure = Durability::Replicas(1, Duration::milliseconds(100));
/// assert_ne!(sure, Durability::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// As soon as the master has done it. One round trip.
    #[default]
    Master,
    /// As soon as this many of the master's replicas have it too, asked by `WAIT`. One round trip
    /// more, on a connection of its own. If fewer have it after this time, the operation fails with
    /// [`ErrorKind::NotReplicated`]: it is done, and may be lost with the master. To ask again, until
    /// it succeeds, is safe.
    ///
    /// With as many replicas as the master has, an end that was acknowledged outlives the master;
    /// with fewer, one may be promoted that lacks it. A replica has it in memory: whether it is on
    /// its disk, `WAIT` does not say.
    Replicas(u32, Duration),
}

impl Durability {
    pub(super) fn check(self) -> Result<Self> {
        match self {
            Self::Replicas(0, _) => Err(Error::new(
                ErrorKind::Config,
                "Durability::Replicas must ask for one replica at least; Durability::Master asks for none",
            )),
            Self::Replicas(_, within) if within < Duration::MILLISECOND => Err(Error::new(
                ErrorKind::Config,
                format!("replicas need 1 ms at least to confirm, not {within}"),
            )),
            durability => Ok(durability),
        }
    }
}

/// Whether an end is as sure as was wished.
#[must_use]
pub(super) struct Sure(Result<()>);

impl Sure {
    /// What the operation answers, when all is noted that it did.
    pub(super) fn and<T>(self, answer: T) -> Result<T> {
        self.0.map(|()| answer)
    }
}

impl RedisStore {
    /// Runs a script that ends sessions.
    pub(super) async fn run_to_end(
        &self,
        bucket: Bucket,
        script: Script,
        keys: &[Bytes],
        argv: Arguments,
    ) -> Result<(Reply, Sure)> {
        let Durability::Replicas(..) = self.durability else {
            let reply = self.run(bucket, script, keys, argv).await?;
            return Ok((reply, Sure(Ok(()))));
        };
        let (argv, wish) = (argv.into_vec(), self.wish(bucket));
        let run = self
            .servers
            .run_confirmed(bucket, script, keys, &argv, &wish);
        let (reply, confirmed) = run.await?;
        Ok((reply, self.sure(confirmed)))
    }

    /// What replicas are asked; nobody asks them unless that is wished.
    pub(super) fn wish(&self, bucket: Bucket) -> Confirmation {
        let (replicas, within) = match self.durability {
            Durability::Master => (0, Duration::ZERO),
            Durability::Replicas(replicas, within) => (replicas, within),
        };
        Confirmation {
            key: self.keys.confirmed(bucket),
            replicas,
            within: within.try_into().unwrap_or_default(),
        }
    }

    pub(super) fn sure(&self, confirmed: u32) -> Sure {
        Sure(match self.durability {
            Durability::Replicas(wished, within) if confirmed < wished => Err(Error::new(
                ErrorKind::NotReplicated,
                format!(
                    "it is done, but {confirmed} of {wished} replicas confirmed it within {within}: \
                     it may be lost with the master; to ask again is safe"
                ),
            )),
            _ => Ok(()),
        })
    }
}
