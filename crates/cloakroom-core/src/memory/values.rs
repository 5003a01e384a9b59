//! Cached values: plain state, no lock and no clock.

use crate::{Address, Fetch, Fetched, LoadLease, NewValue, Put, Slot, Stored, TagVersion, Want};
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap};
use time::{Duration, OffsetDateTime};

/// About what an entry takes beside its value.
const OVERHEAD: usize = 256;
/// More tags are forgotten, all at once.
const MOST_TAGS: usize = 262_144;

/// All entries and tags, by address.
///
/// `expiry` holds every entry's last deadline. When values take more than `limit` bytes, those that
/// would expire next make room.
#[derive(Debug)]
pub(super) struct Values {
    entries: HashMap<Address, Entry>,
    expiry: BTreeSet<(OffsetDateTime, Address)>,
    tags: HashMap<Address, TagVersion>,
    bytes: usize,
    limit: usize,
    revisions: u64,
    news: Vec<(Address, Option<u64>)>,
}

/// One entry: what each schema has of it, and the marks that keep values out.
#[derive(Debug, Default)]
struct Entry {
    parts: HashMap<u32, Part>,
    marks: Vec<(LoadLease, OffsetDateTime)>,
    expires: Option<OffsetDateTime>,
}

/// What one schema has.
#[derive(Debug, Default)]
struct Part {
    value: Option<Value>,
    lease: Option<(LoadLease, OffsetDateTime)>,
    /// Somebody waits for the lease's end.
    awaited: bool,
}

#[derive(Debug)]
struct Value {
    bytes: Bytes,
    revision: u64,
    fresh_until: OffsetDateTime,
    usable_until: OffsetDateTime,
}

impl Values {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            entries: HashMap::new(),
            expiry: BTreeSet::new(),
            tags: HashMap::new(),
            bytes: 0,
            limit,
            revisions: 0,
            news: Vec::new(),
        }
    }

    /// What was changed since the last time.
    pub(super) fn take_news(&mut self) -> Vec<(Address, Option<u64>)> {
        std::mem::take(&mut self.news)
    }

    /// Drops what has expired.
    pub(super) fn sweep(&mut self, now: OffsetDateTime) {
        while let Some((deadline, at)) = self.expiry.first().copied() {
            if deadline > now {
                break;
            }
            self.remove(at);
        }
    }

    pub(super) fn fetch(&mut self, fetch: &Fetch, now: OffsetDateTime) -> Fetched {
        let Slot { at, schema } = fetch.slot;
        let entry = self.entries.get(&at);
        if entry.is_some_and(|entry| entry.is_marked(now)) {
            return Fetched::Marked;
        }
        let part = entry.and_then(|entry| entry.parts.get(&schema));
        let stored = part.and_then(|part| part.stored(now));
        let fresh = stored
            .as_ref()
            .is_some_and(|s| s.fresh_for > Duration::ZERO);
        match (fetch.want, stored) {
            (Want::Replace(revision), Some(stored)) if fresh && stored.revision != revision => {
                Fetched::Fresh(stored)
            }
            (Want::Look | Want::Missing, Some(stored)) if fresh => Fetched::Fresh(stored),
            (Want::Look, stale) => Fetched::Absent { stale },
            (Want::Missing | Want::Replace(_), stale) => self.lease(fetch, stale, now),
        }
    }

    fn lease(&mut self, fetch: &Fetch, stale: Option<Stored>, now: OffsetDateTime) -> Fetched {
        let Slot { at, schema } = fetch.slot;
        let part = self.part(at, schema);
        if let Some((_, until)) = part.lease.filter(|(_, until)| *until > now) {
            part.awaited = true;
            let left = until - now;
            return Fetched::Held { stale, left };
        }
        let until = now.saturating_add(fetch.lasts);
        part.lease = Some((fetch.lease, until));
        part.awaited = false;
        self.outlive(at, until);
        Fetched::Leased { stale }
    }

    pub(super) fn extend(
        &mut self,
        slot: Slot,
        lease: LoadLease,
        lasts: Duration,
        now: OffsetDateTime,
    ) -> bool {
        let until = now.saturating_add(lasts);
        let held = self
            .held(slot, lease)
            .map(|part| part.lease = Some((lease, until)));
        if held.is_some() {
            self.outlive(slot.at, until);
        }
        held.is_some()
    }

    pub(super) fn release(&mut self, slot: Slot, lease: LoadLease) {
        let Some(part) = self.held(slot, lease) else {
            return;
        };
        part.lease = None;
        let nothing = part.value.is_none();
        if std::mem::take(&mut part.awaited) {
            self.news.push((slot.at, Some(0)));
        }
        let entry = self.entries.get_mut(&slot.at).filter(|_| nothing);
        let alone = entry.is_some_and(|entry| {
            entry.parts.remove(&slot.schema);
            entry.parts.is_empty() && entry.marks.is_empty()
        });
        if alone {
            self.remove(slot.at);
        }
    }

    pub(super) fn put(
        &mut self,
        slot: Slot,
        lease: LoadLease,
        value: &NewValue,
        now: OffsetDateTime,
    ) -> Put {
        let Some(part) = self.held(slot, lease) else {
            return Put::Refused;
        };
        part.lease = None;
        let awaited = std::mem::take(&mut part.awaited);
        let revision = self.keep(slot, value, now);
        if awaited {
            self.news.push((slot.at, Some(revision)));
        }
        Put::Done { revision }
    }

    pub(super) fn insert(&mut self, slot: Slot, value: &NewValue, now: OffsetDateTime) -> Put {
        let entry = self.entries.get(&slot.at);
        if entry.is_some_and(|entry| entry.is_marked(now)) {
            return Put::Refused;
        }
        self.remove(slot.at);
        let revision = self.keep(slot, value, now);
        self.news.push((slot.at, Some(revision)));
        Put::Done { revision }
    }

    pub(super) fn invalidate(&mut self, at: Address, now: OffsetDateTime) {
        let marks = self
            .entries
            .get_mut(&at)
            .map(|e| std::mem::take(&mut e.marks));
        self.remove(at);
        for (mark, until) in marks.unwrap_or_default() {
            if until > now {
                self.keep_mark(at, mark, until);
            }
        }
        self.news.push((at, None));
    }

    pub(super) fn mark(
        &mut self,
        at: Address,
        mark: LoadLease,
        lasts: Duration,
        now: OffsetDateTime,
    ) {
        self.invalidate(at, now);
        self.keep_mark(at, mark, now.saturating_add(lasts));
    }

    pub(super) fn unmark(&mut self, at: Address, mark: LoadLease, now: OffsetDateTime) {
        if let Some(entry) = self.entries.get_mut(&at) {
            entry.marks.retain(|(name, _)| *name != mark);
        }
        self.invalidate(at, now);
    }

    /// `drawn` becomes the version of a tag that has none. As nothing is known of it, it may have
    /// changed at its bucket's latest message, of this number.
    pub(super) fn tag(&mut self, at: Address, drawn: u64, number: u64) -> TagVersion {
        if self.tags.len() >= MOST_TAGS {
            // Of the entries that bear one, none is good any more.
            self.tags.clear();
        }
        let version = drawn;
        let unseen = TagVersion { version, number };
        *self.tags.entry(at).or_insert(unseen)
    }

    /// The change is its bucket's message of this number.
    pub(super) fn change_tag(&mut self, at: Address, drawn: u64, number: u64) {
        let version = drawn;
        self.tags.insert(at, TagVersion { version, number });
        self.news.push((at, None));
    }

    fn keep_mark(&mut self, at: Address, mark: LoadLease, until: OffsetDateTime) {
        let entry = self.entries.entry(at).or_default();
        entry.marks.push((mark, until));
        self.outlive(at, until);
    }

    fn keep(&mut self, slot: Slot, value: &NewValue, now: OffsetDateTime) -> u64 {
        self.revisions += 1;
        let revision = self.revisions;
        let usable_until = now.saturating_add(value.usable_for.max(value.fresh_for));
        let part = self.part(slot.at, slot.schema);
        let before = part.value.replace(Value {
            bytes: value.bytes.clone(),
            revision,
            fresh_until: now.saturating_add(value.fresh_for),
            usable_until,
        });
        self.bytes -= before.map_or(0, |value| value.weight());
        self.bytes += value.bytes.len() + OVERHEAD;
        self.outlive(slot.at, usable_until);
        while self.bytes > self.limit {
            let Some((_, next)) = self.expiry.first().copied() else {
                break;
            };
            self.remove(next);
        }
        revision
    }

    fn part(&mut self, at: Address, schema: u32) -> &mut Part {
        let entry = self.entries.entry(at).or_default();
        entry.parts.entry(schema).or_default()
    }

    /// The part of which this lease is held.
    fn held(&mut self, slot: Slot, lease: LoadLease) -> Option<&mut Part> {
        let part = self
            .entries
            .get_mut(&slot.at)?
            .parts
            .get_mut(&slot.schema)?;
        part.lease
            .is_some_and(|(held, _)| held == lease)
            .then_some(part)
    }

    /// Keeps an entry at least until then.
    fn outlive(&mut self, at: Address, until: OffsetDateTime) {
        let Some(entry) = self.entries.get_mut(&at) else {
            return;
        };
        if entry.expires.is_some_and(|expires| expires >= until) {
            return;
        }
        if let Some(before) = entry.expires.replace(until) {
            self.expiry.remove(&(before, at));
        }
        self.expiry.insert((until, at));
    }

    fn remove(&mut self, at: Address) {
        let Some(entry) = self.entries.remove(&at) else {
            return;
        };
        let values = entry.parts.values().filter_map(|part| part.value.as_ref());
        self.bytes -= values.map(Value::weight).sum::<usize>();
        if let Some(expires) = entry.expires {
            self.expiry.remove(&(expires, at));
        }
    }
}

impl Entry {
    fn is_marked(&self, now: OffsetDateTime) -> bool {
        self.marks.iter().any(|(_, until)| *until > now)
    }
}

impl Part {
    fn stored(&self, now: OffsetDateTime) -> Option<Stored> {
        let value = self
            .value
            .as_ref()
            .filter(|value| value.usable_until > now)?;
        Some(Stored {
            bytes: value.bytes.clone(),
            revision: value.revision,
            fresh_for: (value.fresh_until - now).max(Duration::ZERO),
            usable_for: value.usable_until - now,
        })
    }
}

impl Value {
    fn weight(&self) -> usize {
        self.bytes.len() + OVERHEAD
    }
}
