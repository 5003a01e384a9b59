//! A session among its user's others.

use super::SharedStore;
use cloakroom_core::{Freshness, Handle, Loaded, Record};
use cloakroom_tower::Result;
use std::sync::Arc;

/// An id of tower-sessions, of whichever version.
///
/// Implemented for `tower_sessions::session::Id` of each version whose feature is on.
pub trait TheirId: private::Sealed {}

pub(crate) mod private {
    /// What an id is.
    pub trait Sealed {
        fn number(&self) -> i128;
    }
}

impl SharedStore {
    /// The session's name in [lists](cloakroom_tower::Sessions::list) of its user's devices, to mark the
    /// one that asks; `None` if nobody is logged in on it. One round trip, or none where a copy is near; one
    /// more for a session that was taken over.
    ///
    /// # Consistency
    ///
    /// As of a load.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](cloakroom_tower::ErrorKind::Unavailable).
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is changed.
    pub async fn handle(&self, id: &impl TheirId) -> Result<Option<Handle>> {
        let record = self
            .record(id.number(), self.0.sessions.freshness())
            .await?;
        let owned = record.filter(|record| record.login.is_some());
        Ok(owned.map(|record| record.handle))
    }

    /// Ends all other sessions of this session's user, and says how many there were. Two round
    /// trips; one more for a session that was taken over.
    ///
    /// # Consistency
    ///
    /// When it has returned, no instance loads them again, and no write to them succeeds.
    ///
    /// # Errors
    ///
    /// [`Gone`](cloakroom_tower::ErrorKind::Gone) if there is no such session, or nobody is logged in on
    /// it; else as of [`Sessions::revoke_others`](cloakroom_tower::Sessions::revoke_others).
    ///
    /// # Cancel safety
    ///
    /// Once polled, it may take effect though the future is dropped.
    pub async fn revoke_others(&self, id: &impl TheirId) -> Result<u64> {
        let record = self.record(id.number(), Freshness::NOW).await?;
        let owned = record.and_then(|record| Some((record.login.clone()?.user, record.handle)));
        let Some((user, keep)) = owned else {
            let gone = cloakroom_core::Error::new(
                cloakroom_core::ErrorKind::Gone,
                "there is no such session, or nobody is logged in on it",
            );
            return Err(gone.into());
        };
        self.0.sessions.revoke_others(&user, &keep).await
    }

    async fn record(&self, id: i128, need: Freshness) -> Result<Option<Arc<Record>>> {
        let store = self.0.sessions.store();
        let Loaded::Found { record, .. } = store.load(self.address(id), need).await? else {
            return Ok(None);
        };
        let Some(there) = self.elsewhere(&record) else {
            return Ok(Some(record));
        };
        Ok(match store.load(there, need).await? {
            Loaded::Found { record, .. } => Some(record),
            _ => None,
        })
    }
}
