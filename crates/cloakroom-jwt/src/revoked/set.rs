//! What one bucket has revoked: plain state, no lock and no clock.

use cloakroom_core::{Digest, Revocations, Term};
use std::collections::HashMap;
use time::Duration;

/// Forgets what is over when there are twice as many as last time, and at least so many.
const FEW: usize = 64;
/// So many epochs that are over are remembered.
const EPOCHS: usize = 8;

/// What is known of one bucket.
#[derive(Debug, Default)]
pub(super) struct BucketSet {
    /// Until when each is remembered, in milliseconds since the set was made.
    revoked: HashMap<Digest, u64>,
    /// In which term all that had been revoked was read.
    filled: Option<Term>,
    /// `None` while it is not known.
    epoch: Option<String>,
    /// What it was when it was known last.
    last_epoch: Option<String>,
    /// The latest of those that are over.
    over: Vec<String>,
    /// How often the epoch came into doubt.
    doubts: u64,
    /// There was more than fits.
    overflown: bool,
    sweep_at: usize,
}

/// What a bucket says of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It is revoked, whatever else.
    Revoked,
    /// It was not revoked by the end of what this term has proven.
    Not(Term),
    /// By then its epoch was over.
    OtherEpoch(Term),
    /// Ask the store.
    Unknown,
}

impl BucketSet {
    /// What is known of one thing that bears this epoch.
    pub(super) fn ask(&self, digest: Digest, epoch: Option<&str>, now: u64) -> Known {
        if self.revoked.get(&digest).is_some_and(|until| *until > now) {
            return Known::Revoked;
        }
        if epoch.is_some_and(|its| self.over.iter().any(|over| over == its)) {
            return Known::Revoked;
        }
        match (self.filled, &self.epoch) {
            (Some(term), Some(known)) if epoch.is_some_and(|its| its != known) => {
                Known::OtherEpoch(term)
            }
            (Some(term), Some(_)) if !self.overflown => Known::Not(term),
            _ => Known::Unknown,
        }
    }

    /// Remembers one thing, if there is room for it.
    pub(super) fn revoke(&mut self, digest: Digest, until: u64, now: u64, room: usize) -> isize {
        let before = self.revoked.len();
        self.sweep(now);
        if room == 0 && !self.revoked.contains_key(&digest) {
            self.overflown = true;
        } else {
            let known = self.revoked.entry(digest).or_insert(until);
            *known = until.max(*known);
        }
        self.revoked.len() as isize - before as isize
    }

    /// The epoch may be another.
    pub(super) fn doubt_epoch(&mut self) {
        self.epoch = None;
        self.doubts += 1;
    }

    pub(super) fn doubts(&self) -> u64 {
        self.doubts
    }

    /// Whether all must be read anew for this term.
    pub(super) fn needs(&self, term: Term) -> bool {
        self.filled != Some(term) || self.epoch.is_none()
    }

    /// Whether some of what was revoked had no room.
    pub(super) fn is_overflown(&self) -> bool {
        self.overflown
    }

    /// All that the store remembers, read in this term, when the epoch had been in doubt this often.
    pub(super) fn fill(
        &mut self,
        read: &Revocations,
        (term, doubts): (Term, u64),
        until: impl Fn(Duration) -> u64,
        now: u64,
        room: usize,
    ) -> isize {
        let before = self.revoked.len();
        self.sweep(now);
        let known = |digest: &Digest| self.revoked.contains_key(digest);
        let more = read.revoked.iter().filter(|(digest, _)| !known(digest));
        self.overflown = more.count() > room;
        if !self.overflown {
            for (digest, left) in &read.revoked {
                let until = until(*left);
                let known = self.revoked.entry(*digest).or_insert(until);
                *known = until.max(*known);
            }
        }
        self.filled = Some(term);
        if self.doubts == doubts {
            self.begin(&read.epoch);
        }
        self.revoked.len() as isize - before as isize
    }

    /// The epoch, and the term in which it was read, if it is known.
    pub(super) fn epoch(&self) -> Option<(Term, &str)> {
        Some((self.filled?, self.epoch.as_deref()?))
    }

    /// This epoch is over, the store says.
    pub(super) fn end_epoch(&mut self, epoch: &str) {
        if !self.over.iter().any(|over| over == epoch) {
            self.over.push(epoch.to_owned());
            let excess = self.over.len().saturating_sub(EPOCHS);
            self.over.drain(..excess);
        }
    }

    /// The store says that this epoch is the present one: also if it was over before, because the store
    /// has lost what ended it.
    fn begin(&mut self, epoch: &str) {
        self.over.retain(|over| over != epoch);
        let last = self.last_epoch.replace(epoch.to_owned());
        if let Some(last) = last.filter(|last| last != epoch) {
            self.end_epoch(&last);
        }
        self.epoch = Some(epoch.to_owned());
    }

    fn sweep(&mut self, now: u64) {
        if self.revoked.len() >= self.sweep_at.max(FEW) {
            self.revoked.retain(|_, until| *until > now);
            self.sweep_at = 2 * self.revoked.len();
        }
    }
}
