//! Making a session under a new id.

use super::{Live, Visit};
use crate::{Error, Result, stats};
use cloakroom_core::{
    Attributes, Bucket, Created, ErrorKind, Handle, Lifetime, Login, NewLogin, NewSession, Record,
    SessionId,
};
use std::sync::Arc;
use time::OffsetDateTime;

/// How often an id that exists already is drawn again: once is a miracle, more a broken generator.
pub(super) const DRAWS: usize = 3;

/// A session to make, as soon as it has an id.
pub(super) struct Draft {
    /// Where it must lie, or `None` for anywhere.
    pub(super) bucket: Option<Bucket>,
    pub(super) handle: Handle,
    pub(super) lifetime: Lifetime,
    pub(super) revision: u64,
    pub(super) login: Option<NewLogin>,
    pub(super) attributes: Attributes,
}

impl Visit {
    /// One round trip. Shows what the replaced session of the same user held if it was written
    /// since it was read.
    pub(super) async fn create(&self, draft: Draft) -> Result<(Live, Option<Arc<Record>>)> {
        let inner = &self.sessions.0;
        for _ in 0..DRAWS {
            let id = inner.new_id(draft.bucket)?;
            let new = NewSession {
                at: self.address(&id)?,
                handle: draft.handle,
                lifetime: draft.lifetime,
                revision: draft.revision,
                login: draft.login.clone(),
                attributes: draft.attributes.clone(),
                outlived_by: time::Duration::ZERO,
            };
            match inner.noting(inner.store.create(&new).await)? {
                Created::Done { at, evicted, late } => {
                    stats::count(&inner.counters.created);
                    stats::add(&inner.counters.evicted, evicted);
                    let login = new.login.is_some();
                    tracing::debug!(digest = ?new.at.digest, login, evicted, "session created");
                    return Ok((live(id, new, at), late));
                }
                Created::Collision => {}
                Created::LimitReached => {
                    return Err(Error::new(
                        ErrorKind::LimitReached,
                        "the user has as many sessions as are allowed; end one of them first",
                    ));
                }
            }
        }
        Err(collision())
    }
}

/// The session as it was just made.
fn live(id: SessionId, new: NewSession, at: OffsetDateTime) -> Live {
    let Lifetime {
        idle,
        absolute,
        remembered,
    } = new.lifetime;
    let login = new.login.map(|login| Login {
        user: login.user.id,
        authenticated_at: at,
        device: login.device,
    });
    Live {
        id,
        expires_in: idle.min(absolute),
        record: Arc::new(Record {
            digest: new.at.digest,
            revision: new.revision,
            handle: new.handle,
            created_at: at,
            last_seen: at,
            absolute_deadline: at.saturating_add(absolute),
            idle,
            remembered,
            login,
            attributes: new.attributes,
        }),
    }
}

pub(super) fn collision() -> Error {
    Error::new(
        ErrorKind::Internal,
        "the random generator repeats itself: every new id exists already",
    )
}
