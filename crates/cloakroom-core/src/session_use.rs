//! What a request has done with its session, for whoever must know and may not know sessions.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

/// The other bits count reads.
const CHANGED: u64 = 1 << 63;

/// A note of what a request has done with its session: nothing, read it, or changed it.
///
/// Clones are the same note. The sessions' layer puts one into each request's extensions and writes on
/// it; if somebody around it has put one there before, it writes on that one. A response cache reads it:
/// what was made of somebody's session is nobody else's. Looking for a session and finding none is
/// reading it, too.
///
/// Nothing is ever taken off the note: there may be others who read it.
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
pub struct SessionUse(Arc<AtomicU64>);

impl SessionUse {
    /// Notes that the session was read, or looked for.
    pub fn read(&self) {
        self.0.fetch_add(1, SeqCst);
    }

    /// Notes that the session was changed, begun or ended. Counts as read, too.
    pub fn change(&self) {
        self.read();
        self.0.fetch_or(CHANGED, SeqCst);
    }

    /// Whether it was read.
    #[must_use]
    pub fn was_read(&self) -> bool {
        self.reads() != 0
    }

    /// How often it was read: for whoever has read it, too, and wants to know whether others do.
    ///
    /// ```
    /// use cloakroom_core::SessionUse;
    ///
    /// let note = SessionUse::default();
    /// note.read();
    /// let own = note.reads();
    /// assert_eq!(note.reads(), own);
    /// note.change();
    /// assert!(note.reads() > own);
    /// ```
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.0.load(SeqCst) & !CHANGED
    }

    /// Whether it was changed.
    #[must_use]
    pub fn was_changed(&self) -> bool {
        self.0.load(SeqCst) & CHANGED != 0
    }
}
