//! Pausing: a gate that every request passes.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use std::sync::Arc;
use tokio::sync::watch;

/// Open, or holding every request that comes. Clones are the same gate.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A gate that lets requests pass.
    pub(crate) fn open() -> Self {
        Self(Arc::new(watch::Sender::new(true)))
    }

    /// Holds requests from now on.
    pub(crate) fn close(&self) {
        self.0.send_replace(false);
    }

    /// Lets requests pass, the held ones first.
    pub(crate) fn reopen(&self) {
        self.0.send_replace(true);
    }

    /// Waits while the gate is closed.
    async fn passed(&self) {
        // An error would mean that the gate is gone; `self` keeps it.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

/// The middleware: every request goes through the gate.
pub(crate) async fn hold(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    gate.passed().await;
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_closed_gate_holds_until_it_opens() {
        let gate = Gate::open();
        gate.passed().await;
        gate.close();
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.passed().await }
        });
        assert!(
            timeout(Duration::from_millis(20), gate.passed())
                .await
                .is_err()
        );
        assert!(!waiting.is_finished());
        gate.reopen();
        waiting.await.unwrap();
    }
}
