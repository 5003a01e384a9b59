//! The sessions themselves: plain state, no lock and no clock.

use crate::{
    Address, Bucket, Change, Committed, Created, Digest, Ended, Limit, Listed, Loaded, Login,
    MARKED_FOR, NewLogin, NewSession, OnLimit, Record, Replaced, Retired, Revocations, Rotated,
    Standing, Touch, User, Which,
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};
use time::{Duration, OffsetDateTime};

/// All sessions, by digest.
///
/// `expiry` holds every slot's deadline; `users` each user's digests by order of login; `news` what
/// listeners shall hear.
#[derive(Debug, Default)]
pub(super) struct State {
    slots: HashMap<Digest, Slot>,
    expiry: BTreeSet<(OffsetDateTime, Digest)>,
    users: HashMap<Digest, BTreeSet<(u64, Digest)>>,
    logins: u64,
    news: Vec<News>,
    /// What is remembered as revoked, and until when.
    revoked: HashMap<Address, OffsetDateTime>,
    /// So many are looked through for those that can be forgotten.
    sweep_revoked_at: usize,
    /// How often everyone's sessions were ended.
    epoch: u64,
}

/// What listeners shall hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct News {
    pub(super) at: Address,
    /// `None` if it ended.
    pub(super) revision: Option<u64>,
    /// For how long its end is remembered.
    pub(super) remembered: Duration,
}

#[derive(Debug)]
struct Slot {
    bucket: Bucket,
    deadline: OffsetDateTime,
    outlived_by: Duration,
    held: Held,
}

#[derive(Debug)]
enum Held {
    Live {
        record: Arc<Record>,
        /// The user's digest and the order of this login.
        owner: Option<(Digest, u64)>,
    },
    Marked(Mark),
}

/// What stays of an id for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Superseded,
    Ended,
}

/// What a digest leads to.
enum Found {
    Live {
        record: Arc<Record>,
        deadline: OffsetDateTime,
        owner: Option<(Digest, u64)>,
    },
    Marked(Mark),
    Absent,
}

impl State {
    /// Drops what has expired.
    pub(super) fn sweep(&mut self, now: OffsetDateTime) {
        while let Some((deadline, digest)) = self.expiry.first().copied() {
            if deadline > now {
                break;
            }
            self.remove(digest);
        }
    }

    /// What was written or ended since the last time.
    pub(super) fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    pub(super) fn live(&self, now: OffsetDateTime) -> usize {
        let live = |s: &&Slot| s.deadline > now && matches!(s.held, Held::Live { .. });
        self.slots.values().filter(live).count()
    }

    pub(super) fn load(&self, at: Address, now: OffsetDateTime) -> Loaded {
        match self.find(at.digest) {
            Found::Live {
                record, deadline, ..
            } => Loaded::Found {
                record,
                expires_in: deadline - now,
            },
            Found::Marked(Mark::Superseded) => Loaded::Superseded,
            Found::Marked(Mark::Ended) => Loaded::Ended,
            Found::Absent => Loaded::Absent,
        }
    }

    pub(super) fn create(&mut self, new: &NewSession, now: OffsetDateTime) -> Created {
        if self.slots.contains_key(&new.at.digest) {
            return Created::Collision;
        }
        let evicted = match &new.login {
            Some(login) => match self.make_room(login, now) {
                Some(evicted) => evicted,
                None => return Created::LimitReached,
            },
            None => 0,
        };
        let late = new.login.as_ref().and_then(|l| self.replace(l, now));
        let owner = new.login.as_ref().map(|login| {
            self.logins += 1;
            (login.user.digest, self.logins)
        });
        self.put(new.at.bucket, Arc::new(fresh(new, now)), owner);
        if let Some(slot) = self.slots.get_mut(&new.at.digest) {
            slot.outlived_by = new.outlived_by;
        }
        Created::Done {
            at: now,
            evicted,
            late,
        }
    }

    pub(super) fn commit(
        &mut self,
        at: Address,
        change: &Change,
        max_size: usize,
        now: OffsetDateTime,
    ) -> Committed {
        let record = match self.find(at.digest) {
            Found::Live { record, .. } => record,
            Found::Marked(Mark::Superseded) => return Committed::Superseded,
            Found::Marked(Mark::Ended) | Found::Absent => return Committed::Gone,
        };
        let held = |name: &str| record.attributes.raw(name);
        if change.expected().any(|(name, want)| held(name) != want) {
            return Committed::Conflict {
                revision: record.revision,
                current: change.expected().map(|(n, _)| held(n).cloned()).collect(),
            };
        }
        let mut record = Arc::unwrap_or_clone(record);
        let before = record.attributes.size();
        record.attributes.apply(change);
        let size = record.attributes.size();
        // What is over a cap that was lowered may still shrink.
        if size > max_size && size > before {
            return Committed::TooLarge { size: size as u64 };
        }
        record.revision += 1;
        let revision = record.revision;
        if let Some(lifetime) = change.lifetime() {
            record.live(lifetime, now);
        }
        self.update(slide(record, now));
        self.news.push(News {
            at,
            revision: Some(revision),
            remembered: Duration::ZERO,
        });
        Committed::Done { revision }
    }

    pub(super) fn retire(&mut self, at: Address, revision: u64, now: OffsetDateTime) -> Retired {
        match self.find(at.digest) {
            Found::Live { record, .. } => {
                self.mark(at, Mark::Superseded, now);
                if record.revision == revision {
                    Retired::Done
                } else {
                    Retired::Late(record)
                }
            }
            Found::Absent => {
                self.mark(at, Mark::Superseded, now);
                Retired::Already
            }
            Found::Marked(_) => Retired::Already,
        }
    }

    pub(super) fn rotate(&mut self, at: Address, to: Digest, now: OffsetDateTime) -> Rotated {
        let (record, owner) = match self.find(at.digest) {
            Found::Live { record, owner, .. } => (record, owner),
            Found::Marked(Mark::Superseded) => return Rotated::Superseded,
            Found::Marked(Mark::Ended) | Found::Absent => return Rotated::Gone,
        };
        if self.slots.contains_key(&to) {
            return Rotated::Collision;
        }
        let mut record = Arc::unwrap_or_clone(record);
        record.digest = to;
        record.revision += 1;
        let revision = record.revision;
        let outlived_by = self.outlived_by(at.digest);
        self.mark(at, Mark::Superseded, now);
        self.put(at.bucket, Arc::new(slide(record, now)), owner);
        if let Some(slot) = self.slots.get_mut(&to) {
            slot.outlived_by = outlived_by;
        }
        Rotated::Done { revision }
    }

    pub(super) fn end(&mut self, at: Address, now: OffsetDateTime) -> Ended {
        match self.find(at.digest) {
            Found::Live { .. } => {
                self.mark(at, Mark::Ended, now);
                Ended::Done
            }
            Found::Marked(Mark::Ended) => Ended::Already,
            Found::Marked(Mark::Superseded) => Ended::Superseded,
            Found::Absent => Ended::Absent,
        }
    }

    pub(super) fn touch(&mut self, touch: &Touch, now: OffsetDateTime) {
        let Found::Live { record, .. } = self.find(touch.at.digest) else {
            return;
        };
        let seen = now.saturating_sub(touch.ago.max(Duration::ZERO));
        if seen > record.last_seen {
            self.update(slide(Arc::unwrap_or_clone(record), seen));
        }
    }

    pub(super) fn list(&self, user: &User) -> Vec<Listed> {
        self.records_of(user.digest).filter_map(listed).collect()
    }

    pub(super) fn revoke(&mut self, user: &User, which: Which, now: OffsetDateTime) -> u64 {
        let ends = |record: &Record| match which {
            Which::One(handle) => record.handle == handle,
            Which::Others(keep) => record.handle != keep,
            Which::All => true,
        };
        let doomed: Vec<_> = self
            .records_of(user.digest)
            .filter(|r| ends(r))
            .map(|r| r.digest)
            .collect();
        for digest in &doomed {
            self.finish(*digest, now);
        }
        doomed.len() as u64
    }

    pub(super) fn revoke_for(&mut self, at: Address, lasts: Duration, now: OffsetDateTime) {
        if self.revoked.len() >= self.sweep_revoked_at.max(64) {
            self.revoked.retain(|_, until| *until > now);
            self.sweep_revoked_at = 2 * self.revoked.len();
        }
        let until = now.saturating_add(lasts);
        let known = self.revoked.entry(at).or_insert(until);
        *known = until.max(*known);
        self.news.push(News {
            at,
            revision: None,
            remembered: lasts,
        });
    }

    pub(super) fn revocations(&mut self, bucket: Bucket, now: OffsetDateTime) -> Revocations {
        self.revoked.retain(|_, until| *until > now);
        let of_bucket = self.revoked.iter().filter(|(at, _)| at.bucket == bucket);
        Revocations {
            epoch: self.epoch_name(),
            revoked: of_bucket
                .map(|(at, until)| (at.digest, *until - now))
                .collect(),
        }
    }

    pub(super) fn standing(&self, at: Address, now: OffsetDateTime) -> Standing {
        let left = self.revoked.get(&at).map(|until| *until - now);
        Standing {
            revoked: left.filter(|left| left.is_positive()),
            epoch: self.epoch_name(),
        }
    }

    fn epoch_name(&self) -> String {
        match self.epoch {
            0 => String::new(),
            epoch => epoch.to_string(),
        }
    }

    fn outlived_by(&self, digest: Digest) -> Duration {
        let slot = self.slots.get(&digest);
        slot.map_or(Duration::ZERO, |slot| slot.outlived_by)
    }

    pub(super) fn revoke_everyone(&mut self, now: OffsetDateTime) {
        self.epoch += 1;
        let live = self.slots.iter();
        let live = live.filter(|(_, slot)| matches!(slot.held, Held::Live { .. }));
        let doomed: Vec<_> = live.map(|(digest, _)| *digest).collect();
        for digest in doomed {
            self.finish(digest, now);
        }
    }

    fn records_of(&self, user: Digest) -> impl Iterator<Item = &Record> {
        let digests = self.users.get(&user).into_iter().flatten();
        digests.filter_map(|(_, digest)| match &self.slots.get(digest)?.held {
            Held::Live { record, .. } => Some(&**record),
            Held::Marked(_) => None,
        })
    }

    /// Ends the user's oldest sessions until one more fits, and says how many; `None` refuses.
    fn make_room(&mut self, login: &NewLogin, now: OffsetDateTime) -> Option<u64> {
        let Some(Limit { max, at_limit }) = login.limit else {
            return Some(0);
        };
        let held: Vec<Digest> = self
            .records_of(login.user.digest)
            .map(|r| r.digest)
            .filter(|d| login.replaces.is_none_or(|r| r.digest != *d))
            .collect();
        let excess = (held.len() + 1).saturating_sub(max.max(1) as usize);
        if excess > 0 && at_limit == OnLimit::Refuse {
            return None;
        }
        for digest in &held[..excess] {
            self.finish(*digest, now);
        }
        Some(excess as u64)
    }

    fn find(&self, digest: Digest) -> Found {
        let Some(slot) = self.slots.get(&digest) else {
            return Found::Absent;
        };
        match &slot.held {
            Held::Live { record, owner } => Found::Live {
                record: Arc::clone(record),
                deadline: slot.deadline,
                owner: *owner,
            },
            Held::Marked(mark) => Found::Marked(*mark),
        }
    }

    fn put(&mut self, bucket: Bucket, record: Arc<Record>, owner: Option<(Digest, u64)>) {
        let (digest, deadline) = (record.digest, deadline(&record));
        if let Some((user, order)) = owner {
            self.users.entry(user).or_default().insert((order, digest));
        }
        let held = Held::Live { record, owner };
        let slot = Slot {
            bucket,
            deadline,
            outlived_by: Duration::ZERO,
            held,
        };
        self.slots.insert(digest, slot);
        self.expiry.insert((deadline, digest));
    }

    /// Puts a changed record back in its place.
    fn update(&mut self, record: Record) {
        let digest = record.digest;
        if let Some(slot) = self.slots.get_mut(&digest) {
            self.expiry.remove(&(slot.deadline, digest));
            slot.deadline = deadline(&record);
            self.expiry.insert((slot.deadline, digest));
            if let Held::Live { record: held, .. } = &mut slot.held {
                *held = Arc::new(record);
            }
        }
    }

    /// Retires the session that a login replaces, if it is one of the same user's, and shows what
    /// it held if it had been written meanwhile.
    fn replace(&mut self, login: &NewLogin, now: OffsetDateTime) -> Option<Arc<Record>> {
        let Replaced { digest, revision } = login.replaces?;
        let Found::Live { record, owner, .. } = self.find(digest) else {
            return None;
        };
        let (user, _) = owner?;
        if user != login.user.digest {
            return None;
        }
        let bucket = login.user.bucket;
        self.mark(Address { bucket, digest }, Mark::Superseded, now);
        (record.revision != revision).then_some(record)
    }

    /// Leaves nothing of a session but a mark.
    fn mark(&mut self, at: Address, mark: Mark, now: OffsetDateTime) {
        let Address { bucket, digest } = at;
        self.finish(digest, now);
        let deadline = now.saturating_add(MARKED_FOR);
        let held = Held::Marked(mark);
        let slot = Slot {
            bucket,
            deadline,
            outlived_by: Duration::ZERO,
            held,
        };
        self.slots.insert(digest, slot);
        self.expiry.insert((deadline, digest));
    }

    /// Leaves nothing of a session.
    fn finish(&mut self, digest: Digest, now: OffsetDateTime) {
        if let Some(slot) = self.slots.get(&digest) {
            let (bucket, remembered) = (slot.bucket, slot.outlived_by);
            let at = Address { bucket, digest };
            if remembered > Duration::ZERO {
                self.revoke_for(at, remembered, now);
            } else {
                let revision = None;
                self.news.push(News {
                    at,
                    revision,
                    remembered,
                });
            }
        }
        self.remove(digest);
    }

    fn remove(&mut self, digest: Digest) {
        let Some(slot) = self.slots.remove(&digest) else {
            return;
        };
        self.expiry.remove(&(slot.deadline, digest));
        let Some((user, order)) = slot.owner() else {
            return;
        };
        if let Some(held) = self.users.get_mut(&user) {
            held.remove(&(order, digest));
            if held.is_empty() {
                self.users.remove(&user);
            }
        }
    }
}

impl Slot {
    fn owner(&self) -> Option<(Digest, u64)> {
        match &self.held {
            Held::Live { owner, .. } => *owner,
            Held::Marked(_) => None,
        }
    }
}

fn fresh(new: &NewSession, now: OffsetDateTime) -> Record {
    Record {
        digest: new.at.digest,
        revision: new.revision,
        handle: new.handle,
        created_at: now,
        last_seen: now,
        absolute_deadline: now.saturating_add(new.lifetime.absolute),
        idle: new.lifetime.idle,
        remembered: new.lifetime.remembered,
        login: new.login.as_ref().map(|login| Login {
            user: Arc::clone(&login.user.id),
            authenticated_at: now,
            device: login.device.clone().filter(|label| !label.is_empty()),
        }),
        attributes: new.attributes.clone(),
    }
}

fn slide(mut record: Record, seen: OffsetDateTime) -> Record {
    record.last_seen = seen.max(record.last_seen);
    record
}

fn deadline(record: &Record) -> OffsetDateTime {
    let idle = record
        .last_seen
        .saturating_add(record.idle.max(Duration::ZERO));
    idle.min(record.absolute_deadline)
}

fn listed(record: &Record) -> Option<Listed> {
    let login = record.login.as_ref()?;
    Some(Listed {
        handle: record.handle,
        device: login.device.clone(),
        created_at: record.created_at,
        authenticated_at: login.authenticated_at,
        last_seen: record.last_seen,
        remembered: record.remembered,
    })
}
