//! One instance's store, with what a case needs at hand.

use std::sync::Arc;

use cloakroom_core::{
    Address, Change, Committed, Created, Digest, Ended, Freshness, Listed, Loaded, NewSession,
    Result, Retired, Rotated, SessionStore, Touch, User, Which,
};
use time::Duration;

use super::copies;
use super::draft::CAP;

/// A store as one instance of an application holds it. Every method fails the test when the store
/// answers with an error.
#[derive(Debug, Clone)]
pub struct Instance {
    store: Arc<dyn SessionStore>,
    /// The store behind the copies, if there are any.
    truth: Option<Arc<dyn SessionStore>>,
}

impl Instance {
    /// Takes a store.
    pub fn new(store: Arc<dyn SessionStore>) -> Self {
        Self { store, truth: None }
    }

    /// Takes a store that keeps copies, and the one behind it. Each read is made of both, and they
    /// must agree.
    pub fn near(store: Arc<dyn SessionStore>, truth: Arc<dyn SessionStore>) -> Self {
        let truth = Some(truth);
        Self { store, truth }
    }

    /// The store itself.
    #[must_use]
    pub fn store(&self) -> &dyn SessionStore {
        &*self.store
    }

    /// The user of this id.
    #[must_use]
    pub fn user(&self, id: &str) -> User {
        told(self.store.user(id))
    }

    /// Reads one session.
    pub async fn load(&self, at: Address) -> Loaded {
        match &self.truth {
            None => told(self.store.load(at, Freshness::NOW).await),
            Some(truth) => copies::agreed(&*self.store, &**truth, at).await,
        }
    }

    /// Makes a session.
    pub async fn create(&self, new: &NewSession) -> Created {
        told(self.store.create(new).await)
    }

    /// Writes a change, with room for everything.
    pub async fn commit(&self, at: Address, change: &Change) -> Committed {
        self.commit_within(CAP, at, change).await
    }

    /// Writes a change under a cap.
    pub async fn commit_within(&self, cap: usize, at: Address, change: &Change) -> Committed {
        told(self.store.commit(at, change, cap).await)
    }

    /// Retires an id.
    pub async fn retire(&self, at: Address, revision: u64) -> Retired {
        told(self.store.retire(at, revision).await)
    }

    /// Moves a session to another id.
    pub async fn rotate(&self, at: Address, to: Digest) -> Rotated {
        told(self.store.rotate(at, to).await)
    }

    /// Ends a session.
    pub async fn end(&self, at: Address) -> Ended {
        told(self.store.end(at).await)
    }

    /// Tells of one use.
    pub async fn touch(&self, at: Address, ago: Duration) {
        self.touch_all(&[Touch { at, ago }]).await;
    }

    /// Tells of many uses.
    pub async fn touch_all(&self, touches: &[Touch]) {
        told(self.store.touch(touches).await);
    }

    /// A user's sessions.
    pub async fn list(&self, user: &User) -> Vec<Listed> {
        told(self.store.list(user).await)
    }

    /// Ends everyone's sessions.
    pub async fn revoke_everyone(&self) {
        told(self.store.revoke_everyone().await);
    }

    /// Ends a user's sessions.
    pub async fn revoke(&self, user: &User, which: Which) -> u64 {
        told(self.store.revoke(user, which).await)
    }
}

pub(super) fn told<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("the store failed: {error} ({:?})", error.kind()))
}
