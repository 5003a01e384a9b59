//! What was saved lately.

use super::Base;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// So many are remembered. Whoever saves twice does so in one request.
const REMEMBERED: usize = 1024;

/// What sessions were when they were last saved, by the number they were handed over under: one holder
/// may save several times, and tower-sessions doesn't take back what goes with the session.
#[derive(Debug, Default)]
pub(super) struct Saved(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    handed_over: u64,
    bases: HashMap<u64, Base>,
    order: VecDeque<u64>,
}

impl Saved {
    /// A number for a session that is handed over.
    pub(super) fn number(&self) -> u64 {
        let mut state = self.state();
        state.handed_over += 1;
        state.handed_over
    }

    /// What it was when it was last saved, if that was lately.
    pub(super) fn latest(&self, base: Base) -> Base {
        self.state()
            .bases
            .get(&base.number)
            .cloned()
            .unwrap_or(base)
    }

    pub(super) fn note(&self, base: Base) {
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        for n in 0..2_000 {
            let number = saved.number();
            assert_eq!(number, n + 1);
            saved.note(base(number, "first"));
            saved.note(base(number, "second"));
        }
        assert_eq!(saved.latest(base(1, "own")), base(1, "own"));
        assert_eq!(saved.latest(base(2_000, "own")), base(2_000, "second"));
        assert_eq!(saved.state().bases.len(), REMEMBERED);
    }
}
