//! What a request has done with its session, for whoever must know and may not know sessions.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering::SeqCst},
};

const READ: u8 = 1;
const CHANGED: u8 = 2;

/// A note of what a request has done with its session: nothing, read it, or changed it.
///
/// Clones are the same note. The sessions' layer puts one into each request's extensions and writes on
/// it; if somebody around it has put one there before, it writes on that one. A response cache reads it:
/// what was made of somebody's session is nobody else's. Looking for a session and finding none is
/// reading it, too.
///
/// ```
/// use cloakroom_core::SessionUse;
///
/// let (cache, sessions) = { let note = SessionUse::default(); (note.clone(), note) };
/// assert!(!cache.was_read());
/// sessions.read();
/// assert!(cache.was_read() && !cache.was_changed());
/// ```
#[derive(Debug, Clone, Default)]
pub struct SessionUse(Arc<AtomicU8>);

impl SessionUse {
    /// Notes that the session was read, or looked for.
    pub fn read(&self) {
        self.0.fetch_or(READ, SeqCst);
    }

    /// Notes that the session was changed, begun or ended. Counts as read, too.
    pub fn change(&self) {
        self.0.fetch_or(READ | CHANGED, SeqCst);
    }

    /// Whether it was read since the last [`forget_reads`](Self::forget_reads).
    #[must_use]
    pub fn was_read(&self) -> bool {
        self.0.load(SeqCst) != 0
    }

    /// Whether it was changed.
    #[must_use]
    pub fn was_changed(&self) -> bool {
        self.0.load(SeqCst) & CHANGED != 0
    }

    /// Forgets reads, not changes: for whoever has read it itself, and wants to know whether others do.
    ///
    /// ```
    /// use cloakroom_core::SessionUse;
    ///
    /// let note = SessionUse::default();
    /// note.read();
    /// note.forget_reads();
    /// assert!(!note.was_read());
    /// note.change();
    /// note.forget_reads();
    /// assert!(note.was_read());
    /// ```
    pub fn forget_reads(&self) {
        let kept = |note: u8| (note & CHANGED == 0).then_some(0);
        let _ = self.0.fetch_update(SeqCst, SeqCst, kept);
    }
}
