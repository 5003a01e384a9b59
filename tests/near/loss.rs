//! What a server that takes another's place has, and what was lost with that one.
//!
//! Redis acknowledges before its replicas have heard. Where they can be looked at between the end of
//! the old master and the promotion of one of them, it is known of each session what is left. Where
//! they can't, because the old one lives, it is known in which moments it acknowledged what nobody
//! heard.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use cloakroom_core::{Address, Bucket, Digest};
use cloakroom_redis::{Command, Driver, DriverError, Endpoint, Reply};
use cloakroom_testkit::{RedisServer, eventually};

use super::deployment::says;
use super::history::{Kept, Span, Succession};
use super::world::LIMIT;

/// What Redis lost.
#[derive(Debug)]
pub(crate) struct Loss {
    /// From the last moment at which the new master had not been made yet, until it had.
    pub(crate) change: Span,
    /// The buckets that it concerns.
    pub(crate) buckets: Vec<Bucket>,
    pub(crate) left: Left,
    pub(crate) said_again: Option<Instant>,
}

/// What is left.
#[derive(Debug)]
pub(crate) enum Left {
    /// These sessions, at these revisions, and no others.
    These(HashMap<Digest, u64>),
    /// All but what was acknowledged in these times, and perhaps that too.
    AllBut(Vec<Span>),
}

impl Loss {
    /// What is left of each session, by its number.
    pub(crate) fn tell(&self, sessions: &[Address]) -> Succession {
        let concerned = sessions.iter().enumerate();
        let concerned = concerned.filter(|(_, at)| self.buckets.contains(&at.bucket));
        Succession {
            change: self.change,
            kept: concerned.map(|(n, at)| (n, self.of(at.digest))).collect(),
            said_again: self.said_again,
        }
    }

    fn of(&self, digest: Digest) -> Kept {
        match &self.left {
            Left::These(these) => these.get(&digest).map_or(Kept::Nothing, |r| Kept::UpTo(*r)),
            Left::AllBut(times) => Kept::ButPerhaps(times.clone()),
        }
    }

    /// Whether the new master may have a session alive.
    pub(crate) fn may_have(&self, at: Address) -> bool {
        self.buckets.contains(&at.bucket) && self.of(at.digest) != Kept::Nothing
    }
}

/// Waits until a replica has taken in all that it will ever hear from its master.
pub(crate) async fn hears_no_more(replica: &RedisServer) {
    let down = || says(replica, "master_link_status:down");
    assert!(eventually(LIMIT, down).await, "it hears its master still");
}

/// The live sessions that a server has, with their revisions, whatever its role.
pub(crate) async fn sessions_on(driver: &dyn Driver, server: &RedisServer) -> HashMap<Digest, u64> {
    let keys = server.keys().await.into_iter();
    let records = keys.filter_map(|key| Some((digest(&key)?, key)));
    let records: Vec<_> = records.collect();
    let ask = |(_, key): &(Digest, Vec<u8>)| Command::new("HGET").arg(key.clone()).arg("~r");
    let commands = std::iter::once(Command::new("READONLY")).chain(records.iter().map(ask));
    let replies = pipeline(driver, server, commands.collect()).await.unwrap();
    let revisions = replies.into_iter().skip(1).map(revision);
    let records = records.into_iter().map(|(digest, _)| digest);
    let all = records.zip(revisions);
    all.filter_map(|(digest, revision)| Some((digest, revision?)))
        .collect()
}

async fn pipeline(
    driver: &dyn Driver,
    server: &RedisServer,
    commands: Vec<Command>,
) -> Result<Vec<Reply>, DriverError> {
    let url = format!("redis://127.0.0.1:{}", server.port());
    let endpoint = Endpoint::parse(&url).expect("a URL");
    let connection = driver.connect(&endpoint, Arc::new(|_| ())).await?;
    connection.pipeline(commands).await
}

/// That of a record's key.
fn digest(key: &[u8]) -> Option<Digest> {
    let at = key.windows(3).position(|part| part == b":s:")?;
    Digest::from_hex(&key[at + 3..]).ok()
}

/// A mark that an id has ended has none.
fn revision(reply: Reply) -> Option<u64> {
    match reply {
        Reply::Nil => None,
        Reply::Bytes(digits) => Some(std::str::from_utf8(&digits).unwrap().parse().unwrap()),
        other => panic!("{other:?} is no revision"),
    }
}
