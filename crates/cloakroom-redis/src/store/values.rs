//! Cached values on Redis.

use super::{RedisStore, again::How};
use crate::{
    Reply,
    codec::{self, corrupt},
    scripts::Script,
};
use cloakroom_core::{
    Address, BoxFuture, CacheStore, Channel, Digest, Fetch, Fetched, Health, LoadLease, NewValue,
    Put, Result, SessionStore, Slot, Stored, TagVersion, Want,
};
use std::{sync::Arc, vec::IntoIter};
use time::Duration;

impl RedisStore {
    async fn fetch_now(&self, fetch: &Fetch) -> Result<Fetched> {
        let Slot { at, schema } = fetch.slot;
        let want = match fetch.want {
            Want::Look => "look".to_owned(),
            Want::Missing => "missing".to_owned(),
            Want::Replace(revision) => revision.to_string(),
        };
        let argv = self
            .arguments(at.bucket)
            .number(&schema)
            .bytes(want)
            .bytes(fetch.lease.to_hex())
            .milliseconds(fetch.lasts);
        let keys = [self.keys.entry(at)];
        let reply = self.run(at.bucket, Script::CacheFetch, &keys, argv).await?;
        let (word, mut rest) = codec::status(reply)?;
        Ok(match &*word {
            b"marked" => Fetched::Marked,
            b"fresh" => {
                let value = stored(&mut rest)?;
                Fetched::Fresh(value.ok_or_else(|| corrupt("a fresh value is none"))?)
            }
            b"absent" => Fetched::Absent {
                stale: stored(&mut rest)?,
            },
            b"leased" => Fetched::Leased {
                stale: stored(&mut rest)?,
            },
            b"held" => Fetched::Held {
                stale: stored(&mut rest)?,
                left: milliseconds(&mut rest)?,
            },
            _ => return Err(corrupt("fetch answered an unknown word")),
        })
    }

    async fn extend_now(&self, slot: Slot, lease: LoadLease, lasts: Duration) -> Result<bool> {
        let Slot { at, schema } = slot;
        let argv = self
            .arguments(at.bucket)
            .number(&schema)
            .bytes(lease.to_hex())
            .milliseconds(lasts);
        let keys = [self.keys.entry(at)];
        let reply = self.run(at.bucket, Script::CacheExtend, &keys, argv);
        let (word, _) = codec::status(reply.await?)?;
        Ok(&*word == b"ok")
    }

    async fn release_now(&self, slot: Slot, lease: LoadLease) -> Result<()> {
        let Slot { at, schema } = slot;
        let argv = self
            .arguments(at.bucket)
            .digest(at.digest)
            .number(&schema)
            .bytes(lease.to_hex());
        let keys = [self.keys.entry(at)];
        let reply = self.run(at.bucket, Script::CacheRelease, &keys, argv);
        codec::status(reply.await?).map(drop)
    }

    async fn put_now(&self, slot: Slot, lease: LoadLease, value: &NewValue) -> Result<Put> {
        let Slot { at, schema } = slot;
        let argv = self
            .arguments(at.bucket)
            .digest(at.digest)
            .number(&schema)
            .bytes(lease.to_hex())
            .new_value(value);
        let keys = [self.keys.entry(at)];
        put(self.run(at.bucket, Script::CachePut, &keys, argv).await?)
    }

    async fn insert_now(&self, slot: Slot, value: &NewValue) -> Result<Put> {
        let Slot { at, schema } = slot;
        let argv = self
            .arguments(at.bucket)
            .digest(at.digest)
            .number(&schema)
            .new_value(value);
        // What it replaces is as wrong as what is dropped: see there.
        self.recent.note(at, How::Invalidated);
        let keys = [self.keys.entry(at)];
        put(self
            .run(at.bucket, Script::CacheInsert, &keys, argv)
            .await?)
    }

    /// Drops an entry, lifts this mark and sets that one.
    async fn drop_now(
        &self,
        at: Address,
        lift: Option<LoadLease>,
        mark: Option<(LoadLease, Duration)>,
    ) -> Result<()> {
        let hex = |mark: Option<LoadLease>| mark.map(LoadLease::to_hex).unwrap_or_default();
        let (name, lasts) = mark.unzip();
        let argv = self
            .arguments(at.bucket)
            .digest(at.digest)
            .bytes(hex(lift))
            .bytes(hex(name))
            .milliseconds(lasts.unwrap_or_default());
        // Whatever comes of it: should its server be replaced, it is said again.
        self.recent.note(at, How::Invalidated);
        let keys = [self.keys.entry(at)];
        let reply = self.run(at.bucket, Script::CacheDrop, &keys, argv);
        codec::status(reply.await?).map(drop)
    }

    async fn tag_now(&self, at: Address) -> Result<TagVersion> {
        let argv = self.arguments(at.bucket).digest(at.digest).new_version()?;
        let keys = [self.keys.tag(at)];
        let reply = self.run(at.bucket, Script::TagRead, &keys, argv).await?;
        let (_, mut rest) = codec::status(reply)?;
        let held = rest.next().ok_or_else(|| corrupt("a tag has no version"))?;
        let held = codec::bytes(held)?;
        let mut words = codec::text(&held)?.split(' ').map(str::parse);
        match (words.next(), words.next()) {
            (Some(Ok(version)), Some(Ok(number))) => Ok(TagVersion { version, number }),
            _ => Err(corrupt("a tag's version is malformed")),
        }
    }

    async fn change_tag_now(&self, at: Address) -> Result<()> {
        let argv = self.arguments(at.bucket).digest(at.digest).new_version()?;
        self.recent.note(at, How::Changed);
        let keys = [self.keys.tag(at)];
        let reply = self.run(at.bucket, Script::TagChange, &keys, argv);
        codec::status(reply.await?).map(drop)
    }
}

/// What a script says of a value.
fn put(reply: Reply) -> Result<Put> {
    let (word, mut rest) = codec::status(reply)?;
    match &*word {
        b"ok" => Ok(Put::Done {
            revision: codec::next_number(&mut rest)?,
        }),
        b"refused" => Ok(Put::Refused),
        _ => Err(corrupt("put answered an unknown word")),
    }
}

/// The value that a script found: itself, its revision, and how long it is fresh and usable.
fn stored(items: &mut IntoIter<Reply>) -> Result<Option<Stored>> {
    let found = items.next().ok_or_else(|| corrupt("fetch found nothing"))?;
    let mut found = codec::array(found)?.into_iter();
    let value = match found.next() {
        Some(Reply::Nil) => return Ok(None),
        Some(value) => codec::bytes(value)?,
        None => return Err(corrupt("fetch found less than nothing")),
    };
    Ok(Some(Stored {
        bytes: value,
        revision: codec::next_number(&mut found)?,
        fresh_for: milliseconds(&mut found)?,
        usable_for: milliseconds(&mut found)?,
    }))
}

fn milliseconds(items: &mut IntoIter<Reply>) -> Result<Duration> {
    codec::next_number(items).map(Duration::milliseconds)
}

impl CacheStore for RedisStore {
    fn place(&self, digest: Digest) -> Address {
        Address::of_digest(digest, self.keys.buckets())
    }

    fn news(&self) -> Arc<Channel> {
        self.subscribed()
    }

    fn reach(&self) -> Health {
        self.health()
    }

    fn fetch<'a>(&'a self, fetch: &'a Fetch) -> BoxFuture<'a, Result<Fetched>> {
        Box::pin(self.trusted(fetch.slot.at.bucket, self.fetch_now(fetch)))
    }

    fn extend(&self, slot: Slot, lease: LoadLease, lasts: Duration) -> BoxFuture<'_, Result<bool>> {
        Box::pin(self.trusted(slot.at.bucket, self.extend_now(slot, lease, lasts)))
    }

    fn release(&self, slot: Slot, lease: LoadLease) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.trusted(slot.at.bucket, self.release_now(slot, lease)))
    }

    fn put<'a>(
        &'a self,
        slot: Slot,
        lease: LoadLease,
        value: &'a NewValue,
    ) -> BoxFuture<'a, Result<Put>> {
        Box::pin(self.trusted(slot.at.bucket, self.put_now(slot, lease, value)))
    }

    fn insert<'a>(&'a self, slot: Slot, value: &'a NewValue) -> BoxFuture<'a, Result<Put>> {
        Box::pin(self.trusted(slot.at.bucket, self.insert_now(slot, value)))
    }

    fn invalidate(&self, at: Address) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.trusted(at.bucket, self.drop_now(at, None, None)))
    }

    fn mark(&self, at: Address, mark: LoadLease, lasts: Duration) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.trusted(at.bucket, self.drop_now(at, None, Some((mark, lasts)))))
    }

    fn unmark(&self, at: Address, mark: LoadLease) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.trusted(at.bucket, self.drop_now(at, Some(mark), None)))
    }

    fn tag(&self, at: Address) -> BoxFuture<'_, Result<TagVersion>> {
        Box::pin(self.trusted(at.bucket, self.tag_now(at)))
    }

    fn change_tag(&self, at: Address) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.trusted(at.bucket, self.change_tag_now(at)))
    }
}
