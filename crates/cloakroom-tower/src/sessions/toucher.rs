//! The task that slides idle windows, off every request's path.

use super::Sessions;
use cloakroom_core::{Address, Clock, Touch, TouchQueue};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::sync::Notify;

/// The task never sleeps longer, so that a clock that was set is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// Nor shorter, so that due touches come together.
const SHORTEST_SLEEP: Duration = Duration::from_millis(5);

/// Uses of sessions, waiting to be written.
#[derive(Debug)]
pub(crate) struct Toucher {
    queue: Mutex<TouchQueue>,
    clock: Arc<dyn Clock>,
    some: Arc<Notify>,
}

impl Toucher {
    pub(super) fn new(
        interval: time::Duration,
        window: time::Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            queue: Mutex::new(TouchQueue::new(interval, window)),
            clock,
            some: Arc::default(),
        }
    }

    /// Starts the task; it ends with the service that it serves.
    pub(super) fn start(sessions: &Sessions) {
        let some = Arc::clone(&sessions.0.toucher.some);
        tokio::spawn(work(Arc::downgrade(&sessions.0), some));
    }

    /// Notes that a session with this idle window was used, and that the store last saw it used this
    /// long ago.
    pub(crate) fn used(&self, at: Address, ago: time::Duration, idle: time::Duration) {
        let now = self.clock.now();
        self.change(|queue| queue.used(at, ago, idle, now));
    }

    /// Changes what waits. The task is woken if something is due sooner than it knows.
    fn change(&self, change: impl FnOnce(&mut TouchQueue)) {
        let mut queue = self.queue();
        let before = queue.next_due();
        change(&mut queue);
        let due = queue.next_due();
        drop(queue);
        if due.is_some_and(|due| before.is_none_or(|before| due < before)) {
            self.some.notify_one();
        }
    }

    pub(super) fn now(&self) -> time::OffsetDateTime {
        self.clock.now()
    }

    /// Notes that a session was written, which slid its window too.
    pub(crate) fn written(&self, at: Address) {
        let now = self.clock.now();
        self.change(|queue| queue.written(at, now));
    }

    /// Forgets a session that has ended.
    pub(crate) fn forget(&self, at: Address) {
        self.queue().forget(at);
    }

    pub(super) fn take_due(&self) -> Vec<Touch> {
        self.queue().take_due(self.clock.now())
    }

    pub(super) fn take_all(&self) -> Vec<Touch> {
        self.queue().take_all(self.clock.now())
    }

    pub(super) fn put_back(&self, touches: &[Touch], taken: time::OffsetDateTime) {
        self.queue().put_back(touches, taken);
    }

    /// How long until something is due; `None` when nothing waits.
    fn wait(&self) -> Option<Duration> {
        let wait = self.queue().next_due()? - self.clock.now();
        let wait = wait.try_into().unwrap_or(Duration::ZERO);
        Some(wait.clamp(SHORTEST_SLEEP, LONGEST_SLEEP))
    }

    fn queue(&self) -> MutexGuard<'_, TouchQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Toucher {
    /// Wakes the task, which then finds its service gone.
    fn drop(&mut self) {
        self.some.notify_one();
    }
}

async fn work(service: Weak<super::Inner>, some: Arc<Notify>) {
    loop {
        let Some(inner) = service.upgrade() else {
            return;
        };
        let wait = inner.toucher.wait();
        drop(inner);
        match wait {
            Some(wait) => {
                let _ = tokio::time::timeout(wait, some.notified()).await;
            }
            None => some.notified().await,
        }
        if let Some(inner) = service.upgrade() {
            let due = inner.toucher.take_due();
            // What failed is counted, kept, and comes again an interval later.
            let _ = inner.touch(due).await;
        }
    }
}
