//! The store on Redis.

mod again;
mod arguments;
mod builder;
mod durability;
mod tokens;
mod values;

use crate::{
    Command, Reply,
    channel::{Context, Subscriptions},
    codec::{self, corrupt},
    keys::Keys,
    node::Run,
    scripts::Script,
    topology::{Servers, Wish},
};
use again::{How, Recent, SayAgain};
use arguments::Arguments;
use bytes::Bytes;
use cloakroom_core::{
    Address, BoxFuture, Bucket, Buckets, Change, Channel, Committed, Created, Digest, Ended,
    ErrorKind, Freshness, Handle, Health, Listed, Loaded, NewSession, OsEntropy, Record, Result,
    Retired, Rotated, SessionStore, Touch, User, UserHasher, Which,
};
use std::{
    future::Future,
    sync::{Arc, OnceLock},
};
use tokio::runtime;

pub use builder::RedisStoreBuilder;
pub use durability::Durability;

/// Keeps sessions in Redis or Valkey, shared by all instances of an application.
///
/// Made by [`RedisStore::builder`]; applications use `cloakroom::open`. One multiplexed connection
/// to each master carries all commands, reconnects by itself, and refuses quickly while the server
/// is away.
#[derive(Debug)]
pub struct RedisStore {
    servers: Arc<Servers>,
    keys: Keys,
    users: UserHasher,
    durability: Durability,
    listening: Arc<Context>,
    subscriptions: OnceLock<Subscriptions>,
    runtime: runtime::Handle,
    recent: Arc<Recent>,
    _say_again: SayAgain,
}

impl RedisStore {
    async fn run(
        &self,
        bucket: Bucket,
        script: Script,
        keys: &[Bytes],
        argv: Arguments,
    ) -> Result<Reply> {
        let argv = argv.into_vec();
        self.servers.run(bucket, script, keys, &argv).await
    }

    /// The channel. Subscribes when it is first asked for: who keeps no copies needs no second
    /// connection.
    fn subscribed(&self) -> Arc<Channel> {
        let start = || Subscriptions::start(Arc::clone(&self.listening), &self.runtime);
        self.subscriptions.get_or_init(start);
        Arc::clone(&self.listening.channel)
    }

    /// What every script is given first.
    fn arguments(&self, bucket: Bucket) -> Arguments {
        Arguments::new(self.keys.bucket(bucket), self.servers.publish())
    }

    async fn load_now(&self, at: Address) -> Result<Loaded> {
        let key = self.keys.record(at);
        // Its life first: should somebody write between the two, then what is told is too short
        // and never too long. Then a write that changes nothing: a server that was replaced and
        // doesn't know it still answers reads, with what it had, but takes no writes.
        let commands = vec![
            Command::new("PTTL").arg(key.clone()),
            Command::new("HGETALL").arg(key.clone()),
            Command::new("HDEL").arg(key).arg(crate::keys::NO_FIELD),
        ];
        let epoch = Command::new("GET").arg(self.keys.epoch(at.bucket));
        let mut replies = self
            .read_together(at.bucket, commands, epoch)
            .await?
            .into_iter();
        let mut next = || {
            let reply = replies.next();
            reply.ok_or_else(|| corrupt("a pipeline lost replies"))
        };
        let (left, fields, _, epoch) = (next()?, next()?, next()?, next()?);
        codec::loaded(at, fields, &left, epoch)
    }

    /// Reads a session and its bucket's epoch in one round trip.
    ///
    /// In a cluster they go side by side: while their slot moves key by key, they may lie on two
    /// nodes, and each follows its own redirection.
    async fn read_together(
        &self,
        bucket: Bucket,
        mut session: Vec<Command>,
        epoch: Command,
    ) -> Result<Vec<Reply>> {
        if !self.servers.are_a_cluster() {
            session.push(epoch);
            return self.servers.pipeline(bucket, session).await;
        }
        let proof = Command::new("PERSIST").arg(self.keys.epoch(bucket));
        let session = self.servers.pipeline(bucket, session);
        let epoch = self.servers.pipeline(bucket, vec![epoch, proof]);
        let (session, epoch) = tokio::try_join!(session, epoch)?;
        Ok(session.into_iter().chain(epoch).collect())
    }

    /// A reply that can't be right may belong to someone else: the connection is given up.
    async fn trusted<T>(
        &self,
        bucket: Bucket,
        operation: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let result = operation.await;
        if matches!(&result, Err(e) if e.kind() == ErrorKind::Corrupt) {
            self.servers.distrust(bucket);
        }
        result
    }

    async fn create_now(&self, new: &NewSession) -> Result<Created> {
        let mut keys = vec![self.keys.record(new.at)];
        keys.extend(new.login.as_ref().map(|login| self.keys.index(&login.user)));
        let argv = self.arguments(new.at.bucket).new_session(new);
        self.recent.note_outlived(new.outlived_by);
        let (word, mut rest) =
            codec::status(self.run(new.at.bucket, Script::Create, &keys, argv).await?)?;
        match &*word {
            b"ok" => {
                let time = rest.next().ok_or_else(|| corrupt("create told no time"))?;
                let replaced = new.login.as_ref().and_then(|login| login.replaces);
                let replaced = Address {
                    bucket: new.at.bucket,
                    digest: replaced.map_or(new.at.digest, |replaced| replaced.digest),
                };
                let evicted = codec::next_digests(&mut rest)?;
                self.note(new.at.bucket, &evicted, How::Ended);
                if replaced.digest != new.at.digest {
                    self.recent.note(replaced, How::Superseded);
                }
                Ok(Created::Done {
                    at: codec::instant(&codec::bytes(time)?)?,
                    evicted: evicted.len() as u64,
                    late: late(replaced, rest.next())?,
                })
            }
            b"collision" => Ok(Created::Collision),
            b"limit" => Ok(Created::LimitReached),
            _ => Err(corrupt("create answered an unknown word")),
        }
    }

    async fn commit_now(&self, at: Address, change: &Change, max: usize) -> Result<Committed> {
        let argv = self
            .arguments(at.bucket)
            .digest(at.digest)
            .number(&max)
            .change(change);
        let keys = [self.keys.record(at)];
        let (word, mut rest) =
            codec::status(self.run(at.bucket, Script::Commit, &keys, argv).await?)?;
        match &*word {
            b"ok" => Ok(Committed::Done {
                revision: codec::next_number(&mut rest)?,
            }),
            b"conflict" => Ok(Committed::Conflict {
                revision: codec::next_number(&mut rest)?,
                current: rest.next().map(current).transpose()?.unwrap_or_default(),
            }),
            b"too large" => Ok(Committed::TooLarge {
                size: codec::next_number(&mut rest)?,
            }),
            b"superseded" => Ok(Committed::Superseded),
            b"gone" => Ok(Committed::Gone),
            _ => Err(corrupt("commit answered an unknown word")),
        }
    }

    async fn retire_now(&self, at: Address, revision: u64) -> Result<Retired> {
        let argv = self
            .arguments(at.bucket)
            .digest(at.digest)
            .number(&revision);
        let keys = [self.keys.record(at)];
        let (word, mut rest) =
            codec::status(self.run(at.bucket, Script::Retire, &keys, argv).await?)?;
        self.recent.note(at, How::Superseded);
        match &*word {
            b"ok" => Ok(Retired::Done),
            b"already" => Ok(Retired::Already),
            b"late" => match late(at, rest.next())? {
                Some(record) => Ok(Retired::Late(record)),
                None => Err(corrupt("retire showed no record")),
            },
            _ => Err(corrupt("retire answered an unknown word")),
        }
    }

    async fn rotate_now(&self, at: Address, to: Digest) -> Result<Rotated> {
        let argv = self.arguments(at.bucket).digest(at.digest).digest(to);
        let new = Address {
            bucket: at.bucket,
            digest: to,
        };
        let keys = [self.keys.record(at), self.keys.record(new)];
        let (word, mut rest) =
            codec::status(self.run(at.bucket, Script::Rotate, &keys, argv).await?)?;
        match &*word {
            b"ok" => {
                self.recent.note(at, How::Superseded);
                let revision = codec::next_number(&mut rest)?;
                Ok(Rotated::Done { revision })
            }
            b"collision" => Ok(Rotated::Collision),
            b"superseded" => Ok(Rotated::Superseded),
            b"gone" => Ok(Rotated::Gone),
            _ => Err(corrupt("rotate answered an unknown word")),
        }
    }

    async fn end_now(&self, at: Address) -> Result<Ended> {
        let argv = self.arguments(at.bucket).digest(at.digest);
        let keys = [self.keys.record(at)];
        let run = self.run_to_end(at.bucket, Script::End, &keys, argv);
        let (reply, sure) = run.await?;
        let (word, _) = codec::status(reply)?;
        sure.and(match &*word {
            b"ok" => {
                self.recent.note(at, How::Ended);
                Ended::Done
            }
            b"ended" => {
                // Perhaps by a command of ours whose answer never came.
                self.recent.note(at, How::Ended);
                Ended::Already
            }
            b"superseded" => Ended::Superseded,
            b"absent" => Ended::Absent,
            _ => return Err(corrupt("end answered an unknown word")),
        })
    }

    async fn touch_now(&self, touches: &[Touch]) -> Result<()> {
        let run = |touch: &Touch| Run {
            bucket: touch.at.bucket,
            keys: vec![self.keys.record(touch.at)],
            argv: self
                .arguments(touch.at.bucket)
                .milliseconds(touch.ago)
                .into_vec(),
        };
        let runs = touches.iter().map(run).collect();
        self.servers.run_many(Script::Touch, runs).await
    }

    async fn list_now(&self, user: &User) -> Result<Vec<Listed>> {
        let argv = self.arguments(user.bucket).digest(user.digest);
        let reply = self
            .run(user.bucket, Script::List, &[self.keys.index(user)], argv)
            .await?;
        codec::array(reply)?
            .into_iter()
            .map(codec::listed)
            .collect()
    }

    async fn revoke_now(&self, user: &User, which: Which) -> Result<u64> {
        let argv = self.arguments(user.bucket).digest(user.digest).which(which);
        let keys = [self.keys.index(user)];
        let run = self.run_to_end(user.bucket, Script::Revoke, &keys, argv);
        let (reply, sure) = run.await?;
        let (_, mut rest) = codec::status(reply)?;
        let ended = codec::next_digests(&mut rest)?;
        self.note(user.bucket, &ended, How::Ended);
        sure.and(ended.len() as u64)
    }

    async fn revoke_everyone_now(&self) -> Result<()> {
        // A name that no epoch had before: a handle's entropy is enough for it.
        let epoch = Handle::generate(&OsEntropy)?.to_string();
        let wish = |bucket| self.wish(bucket);
        let wish: Option<&Wish<'_>> = match self.durability {
            Durability::Master => None,
            Durability::Replicas(..) => Some(&wish),
        };
        let confirmed = again::begin_epoch(&self.servers, &self.keys, &epoch, wish).await?;
        self.recent.note_epoch(epoch);
        self.sure(confirmed).and(())
    }

    /// Remembers what was ended, to say it again should its server be replaced.
    fn note(&self, bucket: Bucket, ended: &[Digest], how: How) {
        for digest in ended {
            let digest = *digest;
            self.recent.note(Address { bucket, digest }, how);
        }
    }
}

/// What a retired session held, if the script shows it.
fn late(at: Address, fields: Option<Reply>) -> Result<Option<Arc<Record>>> {
    match fields {
        None | Some(Reply::Nil) => Ok(None),
        Some(fields) => match codec::stored(at, codec::array(fields)?)? {
            codec::Stored::Record(record) => Ok(Some(Arc::new(record))),
            _ => Err(corrupt("a retired session is a mark already")),
        },
    }
}

/// The values that a conflict shows.
fn current(reply: Reply) -> Result<Vec<Option<Bytes>>> {
    let value = |reply| match reply {
        Reply::Nil => Ok(None),
        value => codec::bytes(value).map(Some),
    };
    codec::array(reply)?.into_iter().map(value).collect()
}

impl SessionStore for RedisStore {
    fn buckets(&self) -> &Buckets {
        self.keys.buckets()
    }

    fn user(&self, id: &str) -> Result<User> {
        self.users.user(id, self.buckets())
    }

    fn load(&self, at: Address, _: Freshness) -> BoxFuture<'_, Result<Loaded>> {
        Box::pin(self.trusted(at.bucket, self.load_now(at)))
    }

    fn create<'a>(&'a self, new: &'a NewSession) -> BoxFuture<'a, Result<Created>> {
        Box::pin(self.trusted(new.at.bucket, self.create_now(new)))
    }

    fn commit<'a>(
        &'a self,
        at: Address,
        change: &'a Change,
        max_size: usize,
    ) -> BoxFuture<'a, Result<Committed>> {
        Box::pin(self.trusted(at.bucket, self.commit_now(at, change, max_size)))
    }

    fn retire(&self, at: Address, revision: u64) -> BoxFuture<'_, Result<Retired>> {
        Box::pin(self.trusted(at.bucket, self.retire_now(at, revision)))
    }

    fn rotate(&self, at: Address, to: Digest) -> BoxFuture<'_, Result<Rotated>> {
        Box::pin(self.trusted(at.bucket, self.rotate_now(at, to)))
    }

    fn end(&self, at: Address) -> BoxFuture<'_, Result<Ended>> {
        Box::pin(self.trusted(at.bucket, self.end_now(at)))
    }

    fn touch<'a>(&'a self, touches: &'a [Touch]) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.touch_now(touches))
    }

    fn list<'a>(&'a self, user: &'a User) -> BoxFuture<'a, Result<Vec<Listed>>> {
        Box::pin(self.trusted(user.bucket, self.list_now(user)))
    }

    fn revoke<'a>(&'a self, user: &'a User, which: Which) -> BoxFuture<'a, Result<u64>> {
        Box::pin(self.trusted(user.bucket, self.revoke_now(user, which)))
    }

    fn revoke_everyone(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.revoke_everyone_now())
    }

    fn health(&self) -> Health {
        self.servers.health()
    }

    fn channel(&self) -> Option<Arc<Channel>> {
        Some(self.subscribed())
    }
}
