//! Revocations on Redis.

use super::RedisStore;
use crate::{
    Reply,
    codec::{self, corrupt},
    scripts::Script,
};
use cloakroom_core::{
    Address, BoxFuture, Bucket, Buckets, Channel, Digest, Result, RevocationStore, Revocations,
    Standing,
};
use std::sync::Arc;
use time::Duration;

/// For how long what was ended is remembered behind a master that was replaced, where nothing else is
/// known: as long as the longest token lives, and a little more.
const OUTLIVED_BY: Duration = Duration::minutes(62);

impl RedisStore {
    async fn revoke_for_now(&self, at: Address, lasts: Duration) -> Result<()> {
        let argv = self
            .arguments(at.bucket)
            .digest(at.digest)
            .milliseconds(lasts);
        // Whatever comes of it: should its server be replaced, it is said again.
        self.recent.note_revoked(at, lasts);
        let keys = [self.keys.revoked(at.bucket)];
        let run = self.run_to_end(at.bucket, Script::TokenRevoke, &keys, argv);
        let (reply, sure) = run.await?;
        codec::status(reply)?;
        sure.and(())
    }

    async fn revocations_now(&self, bucket: Bucket) -> Result<Revocations> {
        let argv = self.arguments(bucket);
        let keys = [self.keys.revoked(bucket)];
        let reply = self.run(bucket, Script::TokenList, &keys, argv).await?;
        let (_, mut rest) = codec::status(reply)?;
        let epoch = latest(rest.next())?;
        let pairs = rest.next();
        let pairs = pairs.ok_or_else(|| corrupt("a list of revocations is short"))?;
        let mut pairs = codec::array(pairs)?.into_iter();
        let mut revoked = Vec::with_capacity(pairs.len() / 2);
        while let Some(digest) = pairs.next() {
            let digest = Digest::from_hex(&codec::bytes(digest)?)?;
            let left = codec::next_number(&mut pairs)?;
            revoked.push((digest, Duration::milliseconds(left)));
        }
        Ok(Revocations { epoch, revoked })
    }

    async fn standing_now(&self, at: Address) -> Result<Standing> {
        let argv = self.arguments(at.bucket).digest(at.digest);
        let keys = [self.keys.revoked(at.bucket)];
        let reply = self.run(at.bucket, Script::TokenStanding, &keys, argv);
        let (_, mut rest) = codec::status(reply.await?)?;
        let epoch = latest(rest.next())?;
        let left = Duration::milliseconds(codec::next_number(&mut rest)?);
        Ok(Standing {
            epoch,
            revoked: left.is_positive().then_some(left),
        })
    }
}

/// The latest epoch of those that a bucket remembers.
fn latest(epochs: Option<Reply>) -> Result<String> {
    let epochs = codec::bytes(epochs.ok_or_else(|| corrupt("a script told no epoch"))?)?;
    let latest = codec::text(&epochs)?.split(' ').next();
    Ok(latest.unwrap_or_default().to_owned())
}

impl RevocationStore for RedisStore {
    fn layout(&self) -> &Buckets {
        self.keys.buckets()
    }

    fn announcements(&self) -> Arc<Channel> {
        // Whoever listens to them may end what others began.
        self.recent.note_outlived(OUTLIVED_BY);
        self.subscribed()
    }

    fn revoke_for(&self, at: Address, lasts: Duration) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.trusted(at.bucket, self.revoke_for_now(at, lasts)))
    }

    fn revocations(&self, bucket: Bucket) -> BoxFuture<'_, Result<Revocations>> {
        Box::pin(self.trusted(bucket, self.revocations_now(bucket)))
    }

    fn standing(&self, at: Address) -> BoxFuture<'_, Result<Standing>> {
        Box::pin(self.trusted(at.bucket, self.standing_now(at)))
    }
}
