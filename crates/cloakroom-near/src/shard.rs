//! The copies themselves: plain state, no lock and no clock.

use crate::{flight::Flight, hash::Drawn, near::Kept};
use cloakroom_core::{Address, Bucket, Term};
use std::collections::{HashMap, VecDeque};
use time::Duration;

/// What copies can be kept of.
pub trait Copied: Send + Sync + 'static {
    /// Its version; 0 where there is nothing.
    fn revision(&self) -> u64;

    /// About how many bytes it takes.
    fn weight(&self) -> usize;

    /// How long it is good for after it was read, whatever else is known.
    fn good_for(&self) -> Duration;

    /// Whether what takes its place is announced. What isn't may be used only while its load is young
    /// enough by itself.
    fn is_announced(&self) -> bool {
        true
    }
}

/// How much a near cache may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// This many copies.
    pub copies: usize,
    /// This many bytes, as they are reckoned.
    pub bytes: usize,
}

impl Default for Limits {
    /// 16,384 copies and 64 MiB: what an instance serves in some minutes, and what it has.
    fn default() -> Self {
        Self {
            copies: 16_384,
            bytes: 64 * 1024 * 1024,
        }
    }
}

/// Some of the keys.
pub(crate) struct Shard<V> {
    slots: HashMap<Address, Slot<V>, Drawn>,
    /// The copies in the order of their coming. One whose number is not that of its key's copy is
    /// there no more.
    queue: VecDeque<(Address, u64)>,
    copies: usize,
    bytes: usize,
    next: u64,
    limits: Limits,
    /// Reads that a copy answered: counted here, where callers of other keys are not in the way.
    pub(crate) hits: u64,
}

/// What is known of a key.
struct Slot<V> {
    copy: Option<Copy<V>>,
    /// How many values are on their way.
    coming: u32,
    /// The highest revision announced since the first of them set out.
    announced: u64,
    /// The load that newcomers may join.
    flight: Option<Flight<V>>,
}

/// A copy, and since when it is known to be true.
pub(crate) struct Copy<V> {
    pub(crate) kept: Kept<V>,
    pub(crate) revision: u64,
    pub(crate) term: Term,
    number: u64,
    bytes: usize,
    used: bool,
}

/// What became of a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    Kept {
        evicted: u64,
    },
    /// Something newer was announced while it was on its way.
    Fenced,
    /// There is a newer copy.
    Older,
}

impl<V: Copied> Shard<V> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            slots: HashMap::default(),
            queue: VecDeque::new(),
            copies: 0,
            bytes: 0,
            next: 0,
            limits,
            hits: 0,
        }
    }

    pub(crate) fn size(&self) -> (usize, usize) {
        (self.copies, self.bytes)
    }

    /// The copy of a key, used now.
    pub(crate) fn copy(&mut self, at: Address) -> Option<&Copy<V>> {
        let copy = self.slots.get_mut(&at)?.copy.as_mut()?;
        copy.used = true;
        Some(copy)
    }

    pub(crate) fn flight(&self, at: Address) -> Option<&Flight<V>> {
        self.slots.get(&at)?.flight.as_ref()
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Notes that a value sets out: from now on announcements of its key are remembered.
    pub(crate) fn set_out(&mut self, at: Address) {
        self.slots.entry(at).or_default().coming += 1;
    }

    /// Lets newcomers join this load, which has set out.
    pub(crate) fn offer(&mut self, at: Address, flight: Flight<V>) {
        self.slots.entry(at).or_default().flight = Some(flight);
    }

    /// Notes that a load is over: nobody can join it any more.
    pub(crate) fn land(&mut self, at: Address, number: u64) {
        if let Some(slot) = self.slots.get_mut(&at) {
            slot.flight.take_if(|flight| flight.number == number);
        }
    }

    /// Notes that a value has arrived which set out before, and keeps it if nothing newer is known.
    pub(crate) fn arrive(
        &mut self,
        at: Address,
        value: Option<(Kept<V>, Term)>,
    ) -> Option<Arrived> {
        let slot = self.slots.entry(at).or_default();
        slot.coming = slot.coming.saturating_sub(1);
        let announced = slot.announced;
        if slot.coming == 0 {
            slot.announced = 0;
        }
        let newer = value.as_ref().is_some_and(|(kept, term)| {
            let copy = slot.copy.as_ref().filter(|copy| copy.term == *term);
            copy.is_some_and(|copy| copy.is_newer_than(kept))
        });
        let arrived = value.map(|(kept, term)| {
            let revision = kept.value.revision();
            match () {
                () if revision < announced => Arrived::Fenced,
                () if newer => Arrived::Older,
                () => Arrived::Kept {
                    evicted: self.keep(at, kept, revision, term),
                },
            }
        });
        self.clear_if_empty(at);
        arrived
    }

    /// Notes that a key has this revision now, or ended; says whether a copy was dropped.
    pub(crate) fn stale(&mut self, at: Address, revision: Option<u64>, fence: bool) -> bool {
        let Some(slot) = self.slots.get_mut(&at) else {
            return false;
        };
        let revision = revision.unwrap_or(u64::MAX);
        if slot.coming > 0 && fence {
            slot.announced = slot.announced.max(revision);
        }
        slot.flight = None;
        let stale = slot
            .copy
            .as_ref()
            .is_some_and(|copy| copy.revision < revision);
        if stale {
            self.drop_copy(at);
        }
        self.clear_if_empty(at);
        stale
    }

    /// Notes that all keys of a bucket ended; says how many copies were dropped.
    pub(crate) fn all_stale(&mut self, bucket: Bucket, fence: bool) -> u64 {
        let of_bucket = self.slots.keys().filter(|at| at.bucket == bucket);
        let all: Vec<_> = of_bucket.copied().collect();
        let dropped = all.into_iter().filter(|at| self.stale(*at, None, fence));
        dropped.count() as u64
    }

    /// Drops the copy of a key.
    pub(crate) fn forget(&mut self, at: Address) {
        self.drop_copy(at);
        self.clear_if_empty(at);
    }

    fn keep(&mut self, at: Address, kept: Kept<V>, revision: u64, term: Term) -> u64 {
        self.drop_copy(at);
        let (number, bytes) = (self.number(), kept.value.weight());
        if bytes > self.limits.bytes {
            return 0;
        }
        self.copies += 1;
        self.bytes += bytes;
        self.queue.push_back((at, number));
        self.slots.entry(at).or_default().copy = Some(Copy {
            kept,
            revision,
            term,
            number,
            bytes,
            used: false,
        });
        self.make_room()
    }

    /// Drops the copies that came longest ago and were not used since, until the limits hold.
    fn make_room(&mut self) -> u64 {
        let mut evicted = 0;
        while self.copies > self.limits.copies || self.bytes > self.limits.bytes {
            let Some((at, number)) = self.queue.pop_front() else {
                break;
            };
            let copy = self.slots.get_mut(&at).and_then(|slot| slot.copy.as_mut());
            match copy.filter(|copy| copy.number == number) {
                Some(copy) if copy.used => {
                    copy.used = false;
                    self.queue.push_back((at, number));
                }
                Some(_) => {
                    self.forget(at);
                    evicted += 1;
                }
                None => {}
            }
        }
        self.tidy();
        evicted
    }

    /// Forgets queued copies that are there no more, when they are the most.
    fn tidy(&mut self) {
        if self.queue.len() > 2 * self.copies + 64 {
            let slots = &self.slots;
            self.queue.retain(|(at, number)| {
                let copy = slots.get(at).and_then(|slot| slot.copy.as_ref());
                copy.is_some_and(|copy| copy.number == *number)
            });
        }
    }

    fn drop_copy(&mut self, at: Address) {
        let copy = self.slots.get_mut(&at).and_then(|slot| slot.copy.take());
        if let Some(copy) = copy {
            self.copies -= 1;
            self.bytes -= copy.bytes;
        }
    }

    fn clear_if_empty(&mut self, at: Address) {
        let empty =
            |slot: &Slot<V>| slot.copy.is_none() && slot.coming == 0 && slot.flight.is_none();
        if self.slots.get(&at).is_some_and(empty) {
            self.slots.remove(&at);
        }
    }
}

impl<V: Copied> Copy<V> {
    /// Whether it shows something newer than a value of the same term: a higher revision. That
    /// there is nothing is the last that can be said of a key, so it is older only if it was read
    /// before.
    fn is_newer_than(&self, value: &Kept<V>) -> bool {
        match value.value.revision() {
            0 => self.kept.read.since(value.read) > Duration::ZERO,
            revision => self.revision > revision,
        }
    }
}

impl<V> Default for Slot<V> {
    fn default() -> Self {
        Self {
            copy: None,
            coming: 0,
            announced: 0,
            flight: None,
        }
    }
}
