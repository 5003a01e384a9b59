//! What this instance ended, said again when another server takes over.
//!
//! Replication is asynchronous: a master may die with what it acknowledged last, and its replica then
//! holds sessions that were ended. Whoever ended them says so again as soon as it sees the new
//! master. To end what has ended changes nothing.

use super::arguments::Arguments;
use crate::{
    keys::Keys,
    node::Run,
    scripts::Script,
    topology::{Servers, Wish},
};
use cloakroom_core::{Address, Result};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, sync::watch, task::AbortHandle, time::sleep};

/// Longer than a failover takes.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);
/// More are forgotten, the oldest first.
const MOST: usize = 20_000;
/// How often a new master that is not to be reached is tried.
const ATTEMPTS: usize = 100;
/// Between attempts, while the new master is not to be reached.
const PAUSE: Duration = Duration::from_millis(100);

/// What was ended lately.
#[derive(Debug, Default)]
pub(super) struct Recent {
    ended: Mutex<VecDeque<Said>>,
    /// What was invalidated, apart: there may be so much of it.
    invalidated: Mutex<VecDeque<Said>>,
    /// What was revoked by itself, and for how long it is to be remembered.
    revoked: Mutex<VecDeque<(Instant, Address, time::Duration)>>,
    /// How long things derived from a session may outlive it, in milliseconds, at most; 0 while there
    /// are none.
    outlived_by: AtomicU64,
    /// When everyone's sessions were ended, and what the epoch since then is called.
    epoch: Mutex<Option<(Instant, String)>>,
}

#[derive(Debug, Clone, Copy)]
struct Said {
    when: Instant,
    at: Address,
    how: How,
}

/// How an id came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Ended,
    Superseded,
    /// A cached value.
    Invalidated,
    /// A tag of cached values.
    Changed,
}

impl Recent {
    /// Remembers that an id has come to its end.
    pub(super) fn note(&self, at: Address, how: How) {
        let when = Instant::now();
        let mut all = self.all(how);
        while all.len() >= MOST
            || all
                .front()
                .is_some_and(|said| said.when.elapsed() > REMEMBERED)
        {
            all.pop_front();
        }
        all.push_back(Said { when, at, how });
    }

    /// Remembers that there are sessions which things derived from them may outlive by this.
    pub(super) fn note_outlived(&self, by: time::Duration) {
        let milliseconds = u64::try_from(by.whole_milliseconds()).unwrap_or_default();
        self.outlived_by.fetch_max(milliseconds, Relaxed);
    }

    /// What was ended, as something revoked: a master that never had the session can't know that its
    /// end must be remembered.
    fn outlived(&self) -> Vec<(Address, time::Duration)> {
        let by = self.outlived_by.load(Relaxed);
        if by == 0 {
            return Vec::new();
        }
        let by = time::Duration::milliseconds(i64::try_from(by).unwrap_or(i64::MAX));
        let ended = [How::Ended, How::Superseded].map(|how| self.of(how));
        ended.concat().into_iter().map(|at| (at, by)).collect()
    }

    /// Remembers that something was revoked.
    pub(super) fn note_revoked(&self, at: Address, lasts: time::Duration) {
        let when = Instant::now();
        let mut all = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        let old = |(when, ..): &(Instant, Address, time::Duration)| when.elapsed() > REMEMBERED;
        while all.len() >= MOST || all.front().is_some_and(old) {
            all.pop_front();
        }
        all.push_back((when, at, lasts));
    }

    /// What was revoked, and for how long more it is to be remembered.
    fn revoked(&self) -> Vec<(Address, time::Duration)> {
        let all = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        let left = |(when, at, lasts): &(Instant, Address, time::Duration)| {
            let passed = time::Duration::try_from(when.elapsed()).ok()?;
            let left = *lasts - passed;
            left.is_positive().then_some((*at, left))
        };
        all.iter().filter_map(left).collect()
    }

    /// Remembers that everyone's sessions were ended.
    pub(super) fn note_epoch(&self, epoch: String) {
        *self.epoch() = Some((Instant::now(), epoch));
    }

    fn recent_epoch(&self) -> Option<String> {
        let epoch = self.epoch();
        let recent = epoch
            .as_ref()
            .filter(|(when, _)| when.elapsed() <= REMEMBERED);
        recent.map(|(_, epoch)| epoch.clone())
    }

    fn epoch(&self) -> MutexGuard<'_, Option<(Instant, String)>> {
        self.epoch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, how: How) -> Vec<Address> {
        let all = self.all(how);
        let fresh = all
            .iter()
            .filter(|said| said.how == how && said.when.elapsed() <= REMEMBERED);
        fresh.map(|said| said.at).collect()
    }

    fn all(&self, how: How) -> MutexGuard<'_, VecDeque<Said>> {
        let all = match how {
            How::Ended | How::Superseded => &self.ended,
            How::Invalidated | How::Changed => &self.invalidated,
        };
        all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that says it again. Ends with its store.
#[derive(Debug)]
pub(super) struct SayAgain(AbortHandle);

impl Drop for SayAgain {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl SayAgain {
    pub(super) fn start(recent: Arc<Recent>, servers: Arc<Servers>, keys: Keys) -> Self {
        // From here on, not from when the task first runs: a change in between would be missed.
        let generation = servers.generation();
        let task = watch(recent, servers, keys, generation);
        Self(Handle::current().spawn(task).abort_handle())
    }
}

async fn watch(
    recent: Arc<Recent>,
    servers: Arc<Servers>,
    keys: Keys,
    mut generation: watch::Receiver<u64>,
) {
    while generation.changed().await.is_ok() {
        for attempt in 1..=ATTEMPTS {
            match say_all(&recent, &servers, &keys).await {
                Ok(0) => break,
                Ok(sessions) => {
                    tracing::info!(sessions, "another server was told what has ended");
                    break;
                }
                Err(error) => tracing::debug!(%error, attempt, "another server can't be told yet"),
            }
            // Another change begins anew.
            if generation.has_changed().unwrap_or(true) {
                break;
            }
            sleep(PAUSE).await;
        }
    }
}

/// Says all of it, and how much it was.
async fn say_all(recent: &Recent, servers: &Servers, keys: &Keys) -> Result<usize> {
    if let Some(epoch) = recent.recent_epoch() {
        begin_epoch(servers, keys, &epoch, None).await?;
    }
    let mut said = 0;
    for (how, script) in [(How::Ended, Script::End), (How::Superseded, Script::Retire)] {
        let ended = recent.of(how);
        say(servers, keys, script, &ended).await?;
        said += ended.len();
    }
    let mut revoked = recent.revoked();
    revoked.extend(recent.outlived());
    let run = |(at, left): &(Address, time::Duration)| Run {
        bucket: at.bucket,
        keys: vec![keys.revoked(at.bucket)],
        argv: Arguments::new(keys.bucket(at.bucket), servers.publish())
            .digest(at.digest)
            .milliseconds(*left)
            .into_vec(),
    };
    let runs = revoked.iter().map(run).collect();
    servers.run_many(Script::TokenRevoke, runs).await?;
    said += revoked.len();
    for how in [How::Invalidated, How::Changed] {
        let stale = recent.of(how);
        say_stale(servers, keys, how, &stale).await?;
        said += stale.len();
    }
    Ok(said)
}

/// Says again that cached values were invalidated, or tags changed. What was put in place since then
/// goes too: it is loaded again.
async fn say_stale(servers: &Servers, keys: &Keys, how: How, stale: &[Address]) -> Result<()> {
    let run = |at: &Address| {
        let argv = Arguments::new(keys.bucket(at.bucket), servers.publish()).digest(at.digest);
        let (key, argv) = match how {
            How::Changed => (keys.tag(*at), argv.new_version()?),
            _ => (keys.entry(*at), argv.drop_all()),
        };
        Ok(Run {
            bucket: at.bucket,
            keys: vec![key],
            argv: argv.into_vec(),
        })
    };
    let script = match how {
        How::Changed => Script::TagChange,
        _ => Script::CacheDrop,
    };
    let runs: Result<_> = stale.iter().map(run).collect();
    servers.run_many(script, runs?).await
}

/// Ends everyone's sessions, unless the epoch has begun already; says how many replicas have it,
/// where that is wished.
pub(super) async fn begin_epoch(
    servers: &Servers,
    keys: &Keys,
    epoch: &str,
    wish: Option<&Wish<'_>>,
) -> Result<u32> {
    let run = |bucket| Run {
        bucket,
        keys: vec![keys.epoch(bucket)],
        argv: Arguments::new(keys.bucket(bucket), servers.publish())
            .bytes(epoch.to_owned())
            .into_vec(),
    };
    let runs = keys.buckets().iter().map(run).collect();
    servers
        .run_many_confirmed(Script::Everyone, runs, wish)
        .await
}

async fn say(servers: &Servers, keys: &Keys, script: Script, ended: &[Address]) -> Result<()> {
    let run = |at: &Address| {
        let argv = Arguments::new(keys.bucket(at.bucket), servers.publish()).digest(at.digest);
        // No revision is known any more, and what was written late is of no use.
        let argv = if script == Script::Retire {
            argv.number(&0)
        } else {
            argv
        };
        Run {
            bucket: at.bucket,
            keys: vec![keys.record(*at)],
            argv: argv.into_vec(),
        }
    };
    servers
        .run_many(script, ended.iter().map(run).collect())
        .await
}
