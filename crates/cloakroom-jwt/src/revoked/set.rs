//! What one bucket has revoked: plain state, no lock and no clock.

use cloakroom_core::{Digest, Revocations, Term};
use std::collections::HashMap;
use time::Duration;

/// Forgets what is over when there are twice as many as last time, and at least so many.
const FEW: usize = 64;

/// What is known of one bucket.
#[derive(Debug, Default)]
pub(super) struct BucketSet {
    /// Until when each is remembered, in milliseconds since the set was made.
    revoked: HashMap<Digest, u64>,
    /// In which term all that had been revoked was read.
    filled: Option<Term>,
    /// `None` while it is not known.
    epoch: Option<String>,
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
    /// Ask the store.
    Unknown,
}

impl BucketSet {
    /// What is known of one thing that bears this epoch.
    pub(super) fn ask(&self, digest: Digest, epoch: Option<&str>, now: u64) -> Known {
        if self.revoked.get(&digest).is_some_and(|until| *until > now) {
            return Known::Revoked;
        }
        match (self.filled, &self.epoch) {
            (Some(_), Some(known)) if epoch.is_some_and(|its| its != known) => Known::Revoked,
            (Some(term), Some(_)) if !self.overflown => Known::Not(term),
            _ => Known::Unknown,
        }
    }

    /// Remembers one thing, unless `room` is none.
    pub(super) fn revoke(&mut self, digest: Digest, until: u64, now: u64, room: bool) -> isize {
        let before = self.revoked.len();
        self.sweep(now);
        let is_new = !self.revoked.contains_key(&digest);
        if is_new && !room {
            self.revoked.clear();
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

    /// All that the store remembers, read in this term, when the epoch had been in doubt this often.
    pub(super) fn fill(
        &mut self,
        read: &Revocations,
        (term, doubts): (Term, u64),
        until: impl Fn(Duration) -> u64,
        now: u64,
        room: bool,
    ) -> isize {
        let before = self.revoked.len();
        self.overflown = !room;
        if room {
            for (digest, left) in &read.revoked {
                let until = until(*left);
                let known = self.revoked.entry(*digest).or_insert(until);
                *known = until.max(*known);
            }
        }
        self.sweep(now);
        self.filled = Some(term);
        if self.doubts == doubts {
            self.epoch = Some(read.epoch.clone());
        }
        self.revoked.len() as isize - before as isize
    }

    /// The epoch, if it is known.
    pub(super) fn epoch(&self) -> Option<&str> {
        self.epoch.as_deref()
    }

    fn sweep(&mut self, now: u64) {
        if self.revoked.len() >= self.sweep_at.max(FEW) {
            self.revoked.retain(|_, until| *until > now);
            self.sweep_at = 2 * self.revoked.len();
        }
    }
}
