//! Making a session.

use super::{Base, SharedStore, base::attributes, left, save::uncycled};
use crate::entry::{Entry, Result, Trouble, encoded};
use cloakroom_core::{
    Address, Attributes, Created, Entropy as _, Handle, Lifetime, Limit, NewLogin, NewSession,
    OsEntropy, User,
};
use time::Duration;

/// How often an id that exists already is drawn again.
const DRAWS: usize = 3;

/// A session to be made as soon as it has an id.
pub(super) struct Draft {
    pub(super) lifetime: Lifetime,
    pub(super) user: Option<User>,
    device: Option<String>,
    limit: Option<Limit>,
    pub(super) attributes: Attributes,
}

impl Draft {
    /// What leads to a session that lies elsewhere. It lives a day longer, for it is touched later.
    pub(super) fn pointer(lifetime: Lifetime, to: Attributes) -> Self {
        Self {
            lifetime: until(lifetime.idle.saturating_add(Duration::DAY)),
            user: None,
            device: None,
            limit: None,
            attributes: to,
        }
    }

    /// No login: whoever was logged in stays so, however many there are.
    pub(super) fn without_limit(self) -> Self {
        Self {
            limit: None,
            ..self
        }
    }
}

impl SharedStore {
    /// Makes a session, under this id if it can be, and notes in it what it was.
    pub(crate) async fn create(&self, entry: &mut Entry) -> Result<()> {
        if let Some((before, super::Migration::Alongside)) = &self.0.before {
            self.check_alive(entry)?;
            return self.create_before(&**before, entry).await;
        }
        if attributes(&entry.data).next().is_none() {
            let base = Base::unmade().numbered(self.0.saved.number());
            base.put(&mut entry.data);
            return Ok(());
        }
        self.check_alive(entry)?;
        let Some(draft) = self.draft(entry)? else {
            return Ok(());
        };
        for draw in 0..DRAWS {
            if draw > 0 || !self.suits(entry.id, draft.user.as_ref()) {
                entry.id = self.draw(draft.user.as_ref())?;
            }
            if self.made(self.address(entry.id), &draft).await? {
                let user = draft.user.map(|user| user.id.to_string());
                let base = Base::new(&entry.data, entry.expiry_date, draft.lifetime.idle, user);
                let at = self.address(entry.id);
                let base = base.numbered(self.0.saved.number()).called(at.digest);
                base.put(&mut entry.data);
                return Ok(());
            }
        }
        Err(Trouble::Backend(
            "the random generator repeats itself: every new id exists already".to_owned(),
        ))
    }

    /// What somebody is logged in on, and was ended before its id was cycled, is not made again under a
    /// new one.
    fn check_alive(&self, entry: &Entry) -> Result<()> {
        let base = Base::read(entry).map(|base| self.0.saved.latest(base));
        let base = base.filter(|base| !base.gone && base.user.is_some());
        if base.is_some_and(|base| self.0.saved.was_dead(&base)) {
            return Err(Trouble::Backend(
                "the session ended before its id was cycled; log in again".to_owned(),
            ));
        }
        Ok(())
    }

    /// Makes one that held nothing when it was created, under the id that its client gets.
    pub(super) async fn make_late(&self, entry: &Entry, base: Base) -> Result<()> {
        if attributes(&entry.data).next().is_none() {
            return Ok(());
        }
        let Some(draft) = self.draft(entry)? else {
            return Ok(());
        };
        let at = self.address(entry.id);
        if !self.suits(entry.id, draft.user.as_ref()) {
            return Err(uncycled());
        }
        if self.made(at, &draft).await? {
            let user = draft.user.map(|user| user.id.to_string());
            let made = Base::new(&entry.data, entry.expiry_date, draft.lifetime.idle, user);
            self.0
                .saved
                .note(made.numbered(base.number).called(at.digest));
            return Ok(());
        }
        // It was made long ago, by a holder that has saved it since.
        match self
            .base_of(&Entry {
                data: Default::default(),
                ..*entry
            })
            .await?
        {
            base if base.gone => Ok(()),
            base => self.save_over(entry, base).await,
        }
    }

    /// `None` for one that has expired already.
    pub(super) fn draft(&self, entry: &Entry) -> Result<Option<Draft>> {
        let sessions = &self.0.sessions;
        let left = left(entry.expiry_date);
        if left < Duration::MILLISECOND {
            return Ok(None);
        }
        let user = self.0.users.find(&entry.data);
        let attributes = encoded(attributes(&entry.data))?;
        if attributes.size() > sessions.max_size() {
            return Err(too_large());
        }
        Ok(Some(Draft {
            lifetime: until(left),
            user: user.map(|id| sessions.store().user(&id)).transpose()?,
            device: self.0.users.device_of(&entry.data),
            limit: sessions.limit(),
            attributes,
        }))
    }

    /// Makes it there; `false` if something is there already.
    pub(super) async fn made(&self, at: Address, draft: &Draft) -> Result<bool> {
        let sessions = &self.0.sessions;
        let login = draft.user.as_ref().map(|user| NewLogin {
            user: user.clone(),
            device: draft.device.as_deref().map(Into::into),
            limit: draft.limit,
            replaces: None,
        });
        let new = NewSession {
            at,
            handle: Handle::generate(&OsEntropy)?,
            lifetime: draft.lifetime,
            revision: 1,
            login,
            attributes: draft.attributes.clone(),
            outlived_by: time::Duration::ZERO,
        };
        match sessions.store().create(&new).await? {
            Created::Done { .. } => Ok(true),
            Created::Collision => Ok(false),
            Created::LimitReached => Err(Trouble::Backend(
                "the user has as many sessions as are allowed; end one of them first".to_owned(),
            )),
        }
    }

    /// Whether a session of this user may have this id: all of one user lie in one bucket.
    fn suits(&self, id: i128, user: Option<&User>) -> bool {
        user.is_none_or(|user| self.address(id).bucket == user.bucket)
    }

    /// A new id that suits.
    pub(super) fn draw(&self, user: Option<&User>) -> Result<i128> {
        loop {
            let mut bytes = [0; 16];
            OsEntropy.fill(&mut bytes)?;
            let id = i128::from_le_bytes(bytes);
            if self.suits(id, user) {
                return Ok(id);
            }
        }
    }
}

/// tower-sessions knows one limit of time.
pub(super) fn until(left: Duration) -> Lifetime {
    Lifetime {
        idle: left,
        // A window that slides must not be ended by its first length.
        absolute: Duration::days(36_525),
        remembered: false,
    }
}

pub(super) fn too_large() -> Trouble {
    Trouble::Encode("the session's attributes would exceed the application's cap".to_owned())
}
