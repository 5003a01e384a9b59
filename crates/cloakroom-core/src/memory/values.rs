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
/// `expiry` holds every entry's last deadline, and `room` every value's. When values take more than
/// `limit` bytes, those that would expire next make room; leases and marks stay.
#[derive(Debug)]
pub(super) struct Values {
    entries: HashMap<Address, Entry>,
    expiry: BTreeSet<(OffsetDateTime, Address)>,
    room: BTreeSet<(OffsetDateTime, Address, u32)>,
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
            room: BTreeSet::new(),
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
        self.bound_tags();
        let version = drawn;
        let unseen = TagVersion { version, number };
        *self.tags.entry(at).or_insert(unseen)
    }

    /// The change is its bucket's message of this number.
    pub(super) fn change_tag(&mut self, at: Address, drawn: u64, number: u64) {
        self.bound_tags();
        let version = drawn;
        self.tags.insert(at, TagVersion { version, number });
        self.news.push((at, None));
    }

    fn bound_tags(&mut self) {
        if self.tags.len() >= MOST_TAGS {
            // Of the entries that bear one, none is good any more.
            self.tags.clear();
        }
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
        if let Some(before) = before {
            self.bytes -= before.weight();
            self.room
                .remove(&(before.usable_until, slot.at, slot.schema));
        }
        self.bytes += value.bytes.len() + OVERHEAD;
        self.room.insert((usable_until, slot.at, slot.schema));
        self.outlive(slot.at, usable_until);
        self.make_room(now);
        revision
    }

    fn make_room(&mut self, now: OffsetDateTime) {
        while self.bytes > self.limit
            && let Some((_, at, schema)) = self.room.pop_first()
        {
            let Some(entry) = self.entries.get_mut(&at) else {
                continue;
            };
            let part = entry.parts.get_mut(&schema);
            let value = part.and_then(|part| part.value.take());
            self.bytes -= value.map_or(0, |value| value.weight());
            if entry.holds_nothing(now) {
                self.remove(at);
            }
        }
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
        for (schema, part) in &entry.parts {
            if let Some(value) = &part.value {
                self.bytes -= value.weight();
                self.room.remove(&(value.usable_until, at, *schema));
            }
        }
        if let Some(expires) = entry.expires {
            self.expiry.remove(&(expires, at));
        }
    }
}

impl Entry {
    fn is_marked(&self, now: OffsetDateTime) -> bool {
        self.marks.iter().any(|(_, until)| *until > now)
    }

    fn holds_nothing(&self, now: OffsetDateTime) -> bool {
        let parts = || self.parts.values();
        let leased = || parts().any(|part| part.lease.is_some_and(|(_, until)| until > now));
        !self.is_marked(now) && !leased() && parts().all(|part| part.value.is_none())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Buckets, Digest, OsEntropy};
    use std::sync::LazyLock;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn at(number: u128) -> Address {
        static BUCKETS: LazyLock<Buckets> = LazyLock::new(Buckets::default);
        Address::of_digest(Digest::from_bytes(number.to_be_bytes()), &BUCKETS)
    }

    fn value(fresh_for: Duration) -> NewValue {
        let usable_for = fresh_for;
        NewValue {
            bytes: Bytes::from_static(&[0; 100]),
            fresh_for,
            usable_for,
        }
    }

    fn fetch(at: Address) -> Fetch {
        let lease = LoadLease::generate(&OsEntropy).unwrap();
        Fetch {
            slot: Slot { at, schema: 0 },
            want: Want::Missing,
            lease,
            lasts: Duration::SECOND,
        }
    }

    #[test]
    fn room_is_made_by_values_and_never_by_leases_or_marks() {
        let mut values = Values::new(3 * (100 + OVERHEAD));
        let (leased, marked) = (fetch(at(1)), at(2));
        values.fetch(&leased, NOW);
        values.mark(marked, leased.lease, Duration::SECOND, NOW);
        for number in 10..20 {
            let at = at(number);
            // The first would expire last.
            let fresh_for = Duration::seconds(100 - i64::try_from(number).unwrap());
            values.insert(Slot { at, schema: 0 }, &value(fresh_for), NOW);
        }
        assert_eq!(values.bytes, 3 * (100 + OVERHEAD));
        for (number, there) in [(10, true), (11, true), (12, true), (13, false), (19, false)] {
            assert_eq!(values.entries.contains_key(&at(number)), there, "{number}");
        }
        assert_eq!(values.fetch(&fetch(marked), NOW), Fetched::Marked);
        let put = values.put(leased.slot, leased.lease, &value(Duration::HOUR), NOW);
        assert!(matches!(put, Put::Done { .. }));
    }

    #[test]
    fn nothing_is_left_of_what_has_expired_or_was_dropped() {
        let mut values = Values::new(10_000);
        for number in 0..1000 {
            let fetch = fetch(at(number));
            values.fetch(&fetch, NOW);
            match number % 5 {
                0 => values.release(fetch.slot, fetch.lease),
                1 => drop(values.put(fetch.slot, fetch.lease, &value(Duration::SECOND), NOW)),
                2 => drop(values.insert(fetch.slot, &value(Duration::SECOND), NOW)),
                3 => values.mark(fetch.slot.at, fetch.lease, Duration::SECOND, NOW),
                _ => values.invalidate(fetch.slot.at, NOW),
            }
        }
        assert!(values.bytes <= 10_000);
        values.sweep(NOW + Duration::SECOND);
        assert!(values.entries.is_empty() && values.expiry.is_empty() && values.room.is_empty());
        assert_eq!(values.bytes, 0);
    }

    #[test]
    fn tags_are_bounded_however_they_come() {
        let mut values = Values::new(0);
        for number in 0..u64::try_from(MOST_TAGS).unwrap() * 2 {
            let at = at(number.into());
            match number % 2 {
                0 => values.change_tag(at, number, 0),
                _ => drop(values.tag(at, number, 0)),
            }
            values.take_news();
        }
        assert!(values.tags.len() <= MOST_TAGS);
    }
}
