//! The phases of an instance's life, in order.

use tokio::sync::watch;

/// How far an instance is on its way out. Never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Takes requests.
    Serving,
    /// Takes requests, but asks balancers for no more.
    Draining,
    /// Ends event streams.
    Closing,
    /// Accepts no connection, finishes what is open.
    Closed,
}

/// An instance's life, in the hands of who runs it.
#[derive(Debug)]
pub(crate) struct Life(watch::Sender<Phase>);

impl Life {
    /// Starts with [`Phase::Serving`].
    pub(crate) fn begin() -> Self {
        Self(watch::Sender::new(Phase::Serving))
    }

    /// Goes on to a phase; going back does nothing.
    pub(crate) fn enter(&self, phase: Phase) {
        self.0.send_if_modified(|now| {
            let forward = phase > *now;
            *now = phase.max(*now);
            forward
        });
    }

    /// For those who act by the phase.
    pub(crate) fn watch(&self) -> LifeWatch {
        LifeWatch(self.0.subscribe())
    }
}

/// An instance's life, seen from its handlers.
#[derive(Debug, Clone)]
pub(crate) struct LifeWatch(watch::Receiver<Phase>);

impl LifeWatch {
    /// Whether balancers should send requests.
    pub(crate) fn is_ready(&self) -> bool {
        *self.0.borrow() == Phase::Serving
    }

    /// Waits until the instance is at this phase or past it; also returns if it is gone.
    pub(crate) async fn reaches(&self, phase: Phase) {
        let _ = self.0.clone().wait_for(|now| *now >= phase).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn phases_only_go_forward() {
        let life = Life::begin();
        let watch = life.watch();
        assert!(watch.is_ready());
        life.enter(Phase::Closing);
        life.enter(Phase::Draining);
        assert!(!watch.is_ready());
        watch.reaches(Phase::Closing).await;
        drop(life);
        watch.reaches(Phase::Closed).await;
    }
}
