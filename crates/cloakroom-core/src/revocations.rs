//! The contract that every store of revocations keeps.

use crate::{Address, BoxFuture, Bucket, Buckets, Channel, Digest, Result};
use std::{fmt, sync::Arc};
use time::Duration;

/// Where it is remembered what was revoked: what services that check by themselves must no longer
/// accept, for as long as anything they might be shown could live.
///
/// An entry is a digest: of a token's id, or of a session that said when it was made that things
/// derived from it may [outlive it](crate::NewSession::outlived_by). Such a session's end, however it
/// comes, makes the entry in the same step.
///
/// # Consistency
///
/// What is revoked is announced on the [`Channel`], in the step that remembers it. When an operation
/// has returned, every later one, from any instance, sees its effect.
///
/// # Cancel safety
///
/// Dropping a future abandons the answer, not the operation.
pub trait RevocationStore: Send + Sync + fmt::Debug + 'static {
    /// The deployment's buckets.
    fn layout(&self) -> &Buckets;

    /// Where revocations are announced.
    fn announcements(&self) -> Arc<Channel>;

    /// Remembers that something is revoked, for so long. One round trip.
    fn revoke_for(&self, at: Address, lasts: Duration) -> BoxFuture<'_, Result<()>>;

    /// All that is remembered of a bucket. One round trip.
    fn revocations(&self, bucket: Bucket) -> BoxFuture<'_, Result<Revocations>>;

    /// What is remembered of one thing. One round trip.
    fn standing(&self, at: Address) -> BoxFuture<'_, Result<Standing>>;
}

/// What is remembered of a bucket.
#[derive(Clone, PartialEq, Eq)]
pub struct Revocations {
    /// Since everyone's sessions were ended at once: which epoch it is. Empty if they never were.
    pub epoch: String,
    /// What was revoked, and for how long more it is remembered.
    pub revoked: Vec<(Digest, Duration)>,
}

/// What is remembered of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// For how long more it is remembered as revoked, if it is.
    pub revoked: Option<Duration>,
    /// Which epoch it is in its bucket.
    pub epoch: String,
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("epoch", &self.epoch)
            .field("revoked", &self.revoked.len())
            .finish()
    }
}

impl<S: RevocationStore + ?Sized> RevocationStore for Arc<S> {
    fn layout(&self) -> &Buckets {
        (**self).layout()
    }

    fn announcements(&self) -> Arc<Channel> {
        (**self).announcements()
    }

    fn revoke_for(&self, at: Address, lasts: Duration) -> BoxFuture<'_, Result<()>> {
        (**self).revoke_for(at, lasts)
    }

    fn revocations(&self, bucket: Bucket) -> BoxFuture<'_, Result<Revocations>> {
        (**self).revocations(bucket)
    }

    fn standing(&self, at: Address) -> BoxFuture<'_, Result<Standing>> {
        (**self).standing(at)
    }
}
