//! What a handler holds.

mod lazy;
mod log_in;

pub use lazy::LazySession;
pub use log_in::LogIn;

use crate::{Over, Result, visit::Visit};
use cloakroom_core::{Handle, Key, Lifetime};
use serde::{Serialize, de::DeserializeOwned};
use std::{borrow::Borrow, sync::Arc};
use time::{Duration, OffsetDateTime};

/// A request's session, read from the store.
///
/// As an axum extractor it reads the session before the handler runs, one round trip if the
/// request has an id; then `get`, `insert` and `remove` are plain calls. What they change is
/// written before the response head goes out: only what changed, in one round trip. Of a response
/// with a 5xx status nothing is written. Changes of one attribute leave all others alone,
/// whatever overlapping requests do to those.
///
/// [`update`](Self::update), [`log_in`](Self::log_in), [`log_out`](Self::log_out) and
/// [`rotate`](Self::rotate) happen at once, whatever the status of the response.
///
/// A request without an id, or whose id leads nowhere, has an empty session; it comes into being
/// with the first attribute that is set. An id that a client made up is never adopted.
///
/// Clones are the same session.
///
/// ```
/// use cloakroom_tower::{Key, Session};
///
/// const CART: Key<Vec<String>> = Key::new("cart");
///
/// async fn add(session: Session, item: String) -> cloakroom_tower::Result<usize> {
///     let cart = session.update(CART, |cart| cart.push(item.clone())).await?;
///     Ok(cart.len())
/// }
/// # use cloakroom_tower::{LazySession, MemoryStore, Sessions};
/// # use tower_service::Service as _;
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let sessions = Sessions::builder(MemoryStore::new()).build().await.unwrap();
/// # let session = sessions.detached().load().await.unwrap();
/// assert_eq!(add(session.clone(), "umbrella".into()).await.unwrap(), 1);
/// assert_eq!(add(session, "coat".into()).await.unwrap(), 2);
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Session {
    visit: Arc<Visit>,
}

impl Session {
    pub(crate) fn new(visit: Arc<Visit>) -> Self {
        Self { visit }
    }

    pub(crate) fn visit(&self) -> &Visit {
        &self.visit
    }

    /// The value of an attribute, with this request's own change of it; `None` if there is none.
    ///
    /// # Consistency
    ///
    /// As the store held it when the session was read.
    ///
    /// # Errors
    ///
    /// [`Decode`](crate::ErrorKind::Decode) if it isn't a `T`: another version of the application
    /// may have changed its type. The session and its other attributes are unharmed, and the
    /// value stays until somebody inserts or removes it.
    #[expect(clippy::needless_pass_by_value, reason = "keys are constants")]
    pub fn get<T: DeserializeOwned>(&self, key: Key<T>) -> Result<Option<T>> {
        self.visit.get(&key)
    }

    /// Sets an attribute when the request ends, whatever it held before.
    ///
    /// Takes what the attribute's type borrows as, too: a `&str` for a `Key<String>`. Setting what
    /// is there already writes nothing.
    ///
    /// # Consistency
    ///
    /// Two requests that set the same attribute: the later commit stays. To build on what is
    /// there, use [`update`](Self::update).
    ///
    /// # Errors
    ///
    /// [`Encode`](crate::ErrorKind::Encode) if the value can't be written as JSON, and
    /// [`TooLarge`](crate::ErrorKind::TooLarge) if the attributes would exceed the cap; the
    /// attribute is then as it was.
    #[expect(clippy::needless_pass_by_value, reason = "keys are constants")]
    pub fn insert<T, Q>(&self, key: Key<T>, value: &Q) -> Result<()>
    where
        T: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        self.visit.insert(&key, value)
    }

    /// Removes an attribute when the request ends. Removing what isn't there writes nothing.
    #[expect(clippy::needless_pass_by_value, reason = "keys are constants")]
    pub fn remove<T>(&self, key: Key<T>) {
        self.visit.remove(key.name());
    }

    /// Changes an attribute atomically, now, and returns what it holds then.
    ///
    /// The function gets the present value, or the default if there is none; it may run several
    /// times, when others change the same attribute meanwhile. One round trip, and one more for
    /// each time. A function that changes nothing costs none. While the session is not in the
    /// store yet, the value goes with the commit that makes it.
    ///
    /// # Consistency
    ///
    /// No update is lost: 64 concurrent increments give 64, on however many instances. Other
    /// attributes are not looked at.
    ///
    /// # Errors
    ///
    /// - [`Decode`](crate::ErrorKind::Decode): the attribute isn't a `T`, and is left as it is.
    /// - [`Gone`](crate::ErrorKind::Gone), [`Superseded`](crate::ErrorKind::Superseded): the
    ///   session ended, or got a new id, while this request ran; nothing was written.
    /// - [`Conflict`](crate::ErrorKind::Conflict): others were faster for 5 s.
    /// - [`TooLarge`](crate::ErrorKind::TooLarge), [`Encode`](crate::ErrorKind::Encode): as of
    ///   [`insert`](Self::insert).
    /// - [`Unavailable`](crate::ErrorKind::Unavailable): it may have happened or not.
    ///
    /// # Cancel safety
    ///
    /// An attempt under way is carried to its end though the future is dropped.
    pub async fn update<T, F>(&self, key: Key<T>, change: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Default,
        F: FnMut(&mut T),
    {
        self.visit.update(&key, change).await
    }

    /// Logs a user in: awaits into a session with a new id, in the user's bucket.
    ///
    /// Attributes of an anonymous session, and of the same user's, go along; those of another
    /// user are dropped. What this request changed before goes along whoever was logged in, so
    /// log in first where that matters. The old id is retired and never leads to the new session.
    /// Both limits of time begin anew. Two round trips beside the load; one when the request had no
    /// id, or the same user's session.
    ///
    /// ```
    /// # use cloakroom_tower::{MemoryStore, Sessions};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> cloakroom_tower::Result<()> {
    /// # let sessions = Sessions::builder(MemoryStore::new()).build().await?;
    /// # let session = sessions.detached().load().await?;
    /// session.log_in("alice").device("laptop").await?;
    /// assert_eq!(session.user().as_deref(), Some("alice"));
    /// assert_eq!(sessions.list("alice").await?.len(), 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Consistency
    ///
    /// The user's limit holds at every moment, however many log in at once. Writes to the old
    /// session that were acknowledged before the login returned are in the new one.
    ///
    /// # Errors
    ///
    /// - [`LimitReached`](crate::ErrorKind::LimitReached), where the application refuses logins
    ///   beyond the limit: the credentials were right all the same.
    /// - [`Invalid`](crate::ErrorKind::Invalid): the user's id is empty or too long, or the limits of
    ///   time that [`living`](LogIn::living) gave can't be.
    /// - [`Unavailable`](crate::ErrorKind::Unavailable): the request keeps its old session. One
    ///   that nobody holds the id of may be left behind until it expires.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the login is carried to its end though the future is dropped.
    pub fn log_in(&self, user: impl Into<String>) -> LogIn {
        LogIn::new(Arc::clone(&self.visit), user.into())
    }

    /// Ends the session everywhere. One round trip, or none if there is no session.
    ///
    /// The client is told to forget its id, unless another request of its own did so a moment ago.
    /// Changes of this request are dropped; attributes set after it go into a new, anonymous
    /// session.
    ///
    /// # Consistency
    ///
    /// When it has returned, no instance loads the session again, and no overlapping request can
    /// write to it.
    ///
    /// # Errors
    ///
    /// - [`Unavailable`](crate::ErrorKind::Unavailable): it may have ended or not; the client keeps
    ///   its id, so it can try again.
    /// - [`NotReplicated`](crate::ErrorKind::NotReplicated), where the store was told to have
    ///   replicas confirm: it has ended and the client is told so, but should the master be lost
    ///   now, it may live again until this instance says it once more.
    /// - [`Superseded`](crate::ErrorKind::Superseded): a login or a rotation that ran beside this
    ///   request gave the session a new id, under which it lives on; the client has it by now.
    ///
    /// # Cancel safety
    ///
    /// Once polled, it is carried to its end though the future is dropped.
    pub async fn log_out(&self) -> Result<()> {
        self.lazy().log_out().await
    }

    /// Gives the session a new id, for a change of privileges. One round trip; nothing when there
    /// is no session yet.
    ///
    /// # Consistency
    ///
    /// Of two requests that rotate the same session at once, one wins.
    ///
    /// # Errors
    ///
    /// [`Superseded`](crate::ErrorKind::Superseded) for the other, [`Gone`](crate::ErrorKind::Gone)
    /// if the session has ended, [`Unavailable`](crate::ErrorKind::Unavailable) if it is unknown
    /// whether it happened: the old id may then be retired, and its holder logged out.
    ///
    /// # Cancel safety
    ///
    /// Once polled, it is carried to its end though the future is dropped.
    pub async fn rotate(&self) -> Result<()> {
        let visit = Arc::clone(&self.visit);
        crate::detach(async move { visit.rotate().await }).await
    }

    /// Gives the session other limits of time than the [policy's](crate::SessionsBuilder), and a new
    /// id: both begin now, and the client keeps its cookie when it closes, for as long as the
    /// session may live. Two round trips; none while there is no session: the one that this request
    /// makes has them.
    ///
    /// ```
    /// # use cloakroom_tower::{MemoryStore, Sessions};
    /// # use time::ext::NumericalDuration as _;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> cloakroom_tower::Result<()> {
    /// # let sessions = Sessions::builder(MemoryStore::new()).build().await?;
    /// # let session = sessions.detached().load().await?;
    /// session.log_in("alice").await?;
    /// session.live_for(7.days(), 60.days()).await?;
    /// assert_eq!(session.idle_timeout(), Some(7.days()));
    /// assert!(session.is_remembered());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) if the idle window is shorter than 1 ms, or the
    /// absolute lifetime shorter than that or longer than 100 years; else as of
    /// [`rotate`](Self::rotate).
    ///
    /// # Cancel safety
    ///
    /// Once polled, it is carried to its end though the future is dropped.
    pub async fn live_for(&self, idle: Duration, absolute: Duration) -> Result<()> {
        let visit = Arc::clone(&self.visit);
        let lifetime = Lifetime {
            idle,
            absolute,
            remembered: true,
        };
        crate::detach(async move { visit.live(lifetime).await }).await
    }

    /// Ends all other sessions of this session's user, and says how many there were. One round
    /// trip.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) if nobody is logged in,
    /// [`Gone`](crate::ErrorKind::Gone) if there is no session,
    /// [`Superseded`](crate::ErrorKind::Superseded) if it got a new id while this request ran,
    /// [`Unavailable`](crate::ErrorKind::Unavailable): it may have happened or not,
    /// [`NotReplicated`](crate::ErrorKind::NotReplicated) as of
    /// [`Sessions::revoke`](crate::Sessions::revoke).
    ///
    /// # Cancel safety
    ///
    /// Once polled, it may take effect though the future is dropped.
    pub async fn revoke_others(&self) -> Result<u64> {
        self.visit.revoke_others().await
    }

    /// Reads the session again, and says whether it still lives. One round trip.
    ///
    /// No use of the session: watching it does not keep it alive. Once it has ended, what is
    /// still set in this request is dropped.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::ErrorKind::Unavailable): it is as it was.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn reload(&self) -> Result<bool> {
        self.visit.reload().await
    }

    /// Returns when the session is over: for what outlives the request, like a WebSocket or a
    /// stream of events, which must then be closed.
    ///
    /// ```
    /// use cloakroom_tower::{Over, Session};
    ///
    /// async fn stream(session: Session, mut send: impl FnMut(&str)) {
    ///     send("hello");
    ///     match session.revoked().await {
    ///         Over::Ended => send("logged out"),
    ///         _ => send("come again"),
    ///     }
    /// }
    /// # use cloakroom_tower::{MemoryStore, Sessions};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> cloakroom_tower::Result<()> {
    /// # let sessions = Sessions::builder(MemoryStore::new()).build().await?;
    /// # let session = sessions.detached().load().await?;
    /// session.log_in("alice").await?;
    /// let mut sent = Vec::new();
    /// let revoke = async { sessions.revoke_user("alice").await };
    /// let (_, revoked) = tokio::join!(stream(session, |text| sent.push(text.to_owned())), revoke);
    /// assert_eq!((revoked?, sent), (1, vec!["hello".to_owned(), "logged out".into()]));
    /// # Ok(()) }
    /// ```
    ///
    /// # Consistency
    ///
    /// Milliseconds after the session has ended anywhere, and no later than
    /// [`max_staleness`](crate::SessionsBuilder::max_staleness), also when the invalidation channel
    /// is cut; where no staleness is allowed, within a second. While the store can't be asked either, it
    /// returns [`Over::Unknown`] when that has failed for as long: later by what a failed attempt takes,
    /// twice the command timeout at most. An idle session expires though it is watched: watching is no use.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn revoked(&self) -> Over {
        self.visit.revoked().await
    }

    /// Writes the pending changes now. The layer does so at the end of each request; this is for
    /// what outlives it, like a WebSocket.
    ///
    /// A session that ended meanwhile takes no changes and is no error; see
    /// [`reload`](Self::reload). From then on, setting what is there already writes it again: others
    /// may have changed it.
    ///
    /// # Errors
    ///
    /// [`Superseded`](crate::ErrorKind::Superseded): the session has a newer id; nothing was
    /// written.
    /// [`Unavailable`](crate::ErrorKind::Unavailable): it may have happened or not.
    /// [`TooLarge`](crate::ErrorKind::TooLarge): nothing was written.
    /// [`Invalid`](crate::ErrorKind::Invalid): there is no session yet, and the response has
    /// gone, so the client could not be told the id of a new one. The same holds for `log_in` and
    /// `rotate`.
    ///
    /// # Cancel safety
    ///
    /// Once polled, it is carried to its end though the future is dropped.
    pub async fn commit(&self) -> Result<()> {
        let visit = Arc::clone(&self.visit);
        crate::detach(async move { visit.commit().await }).await
    }

    /// Another request gave the session a newer id, which the client has by now; what this one
    /// reads is empty, and what it changes is answered with 409.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        self.visit.is_superseded()
    }

    /// The user who is logged in, if any.
    #[must_use]
    pub fn user(&self) -> Option<Arc<str>> {
        self.login(|login| Arc::clone(&login.user))
    }

    /// When the user last proved who they are, for routes that want it fresh.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<OffsetDateTime> {
        self.login(|login| login.authenticated_at)
    }

    /// What the application called the device at login.
    #[must_use]
    pub fn device(&self) -> Option<Arc<str>> {
        self.login(|login| login.device.clone()).flatten()
    }

    /// When the session was made, by the store's clock; `None` while it isn't in the store.
    #[must_use]
    pub fn created_at(&self) -> Option<OffsetDateTime> {
        self.visit.record().map(|record| record.created_at)
    }

    /// How long the session had left when it was read, if it is not used again.
    #[must_use]
    pub fn expires_in(&self) -> Option<Duration> {
        self.visit.expires_in()
    }

    /// For how long the session lives on when it is not used; `None` while it isn't in the store.
    #[must_use]
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.visit.record().map(|record| record.idle)
    }

    /// The user asked to be remembered.
    #[must_use]
    pub fn is_remembered(&self) -> bool {
        self.visit.record().is_some_and(|record| record.remembered)
    }

    /// The session's version: each write raises it. `None` while it isn't in the store.
    #[must_use]
    pub fn revision(&self) -> Option<u64> {
        self.visit.record().map(|record| record.revision)
    }

    /// The session's opaque name in device lists; `None` while it isn't in the store.
    #[must_use]
    pub fn handle(&self) -> Option<Handle> {
        self.visit.record().map(|record| record.handle)
    }

    fn login<T>(&self, read: impl FnOnce(&cloakroom_core::Login) -> T) -> Option<T> {
        self.visit.record()?.login.as_ref().map(read)
    }

    fn lazy(&self) -> LazySession {
        LazySession::new(Arc::clone(&self.visit))
    }
}
