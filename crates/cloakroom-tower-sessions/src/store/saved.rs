//! What was saved lately.

use super::Base;
use cloakroom_core::Digest;
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// So many are remembered. Whoever saves twice does so in one request.
const REMEMBERED: usize = 8192;

/// What sessions were when they were last saved, by the number they were handed over under: one holder
/// may save several times, and tower-sessions doesn't take back what goes with the session.
#[derive(Debug, Default)]
pub(super) struct Saved {
    handed_over: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bases: HashMap<u64, Base>,
    order: VecDeque<u64>,
    /// Those that were to be ended and had ended before, by digest.
    dead: VecDeque<String>,
}

impl Saved {
    /// A number for a session that is handed over.
    pub(super) fn number(&self) -> u64 {
        self.handed_over.fetch_add(1, Relaxed) + 1
    }

    /// What it was when it was last saved, if that was lately.
    pub(super) fn latest(&self, base: Base) -> Base {
        if base.number == 0 {
            return base;
        }
        self.state()
            .bases
            .get(&base.number)
            .cloned()
            .unwrap_or(base)
    }

    pub(super) fn note(&self, base: Base) {
        if base.number == 0 {
            // It was not handed over: nobody will save it again under that number.
            return;
        }
        let mut state = self.state();
        let number = base.number;
        if state.bases.insert(number, base).is_none() {
            state.order.push_back(number);
        }
        if state.order.len() > REMEMBERED
            && let Some(oldest) = state.order.pop_front()
        {
            state.bases.remove(&oldest);
        }
    }

    /// Notes that a session had ended before it was to be ended.
    pub(super) fn note_dead(&self, digest: Digest) {
        let mut state = self.state();
        state.dead.push_back(digest.to_hex());
        if state.dead.len() > REMEMBERED {
            state.dead.pop_front();
        }
    }

    /// Whether what a new session is made from had ended before.
    pub(super) fn was_dead(&self, base: &Base) -> bool {
        !base.digest.is_empty() && self.state().dead.contains(&base.digest)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_remembers_the_latest_of_each_and_not_too_many() {
        let saved = Saved::default();
        let base = |number, user: &str| {
            let now = time::OffsetDateTime::UNIX_EPOCH;
            let user = Some(user.to_owned());
            Base::new(&Default::default(), now, time::Duration::HOUR, user).numbered(number)
        };
        for n in 0..10_000 {
            let number = saved.number();
            assert_eq!(number, n + 1);
            saved.note(base(number, "first"));
            saved.note(base(number, "second"));
        }
        assert_eq!(saved.latest(base(1, "own")), base(1, "own"));
        // What was not handed over is nobody's.
        saved.note(base(0, "one"));
        assert_eq!(saved.latest(base(0, "other")), base(0, "other"));
        assert_eq!(saved.latest(base(10_000, "own")), base(10_000, "second"));
        assert_eq!(saved.state().bases.len(), REMEMBERED);
    }
}
