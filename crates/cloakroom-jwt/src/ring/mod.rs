//! The keys in use: one that signs, others that still or already verify.

mod jwks;

pub use jwks::Jwks;

use crate::{PublicKey, SigningKey};
use cloakroom_core::{Error, ErrorKind, Result};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};
use time::OffsetDateTime;

/// The keys of a deployment, by name. Clones are one ring.
///
/// One key signs. Others only verify: those that are about to sign, and those that did, until the
/// last of their tokens has expired. A token's `kid` is looked up as it stands; a token that names no
/// key of the ring is refused, and nothing is fetched for it.
///
/// Reading takes a lock for as long as it takes to clone an `Arc`; writing replaces all keys at once.
///
/// # Rotation
///
/// Instances don't change their rings at the same instant, so a new key verifies before it signs:
///
/// 1. everywhere: [`trust`](Self::trust) the new key. Wait until all instances have it, and until
///    the JWK Sets that others keep are older than their `max-age`.
/// 2. everywhere: [`sign_with`](Self::sign_with) it; the old one verifies for as long as its tokens
///    live. Instances that still sign with it may do so until then.
/// 3. the old key ends by itself, and [`prune`](Self::prune) forgets it. A key that was stolen is
///    [removed](Self::remove) at once.
///
/// ```
/// use cloakroom_jwt::{KeyRing, SigningKey};
/// use time::{Duration, OffsetDateTime};
///
/// let (blue, green) = (SigningKey::generate()?, SigningKey::generate()?);
/// let ring = KeyRing::new(blue.clone());
/// ring.trust(green.public())?;
/// ring.sign_with(green.clone(), OffsetDateTime::now_utc() + Duration::minutes(5))?;
///
/// assert_eq!(ring.active().as_deref(), Some(green.kid()));
/// assert_eq!(ring.len(), 2);
/// assert!(ring.remove(blue.kid()));
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
pub struct KeyRing(Arc<RwLock<Arc<Keys>>>);

/// What the ring holds: replaced as a whole.
#[derive(Clone, Default)]
struct Keys {
    active: Option<Arc<SigningKey>>,
    trusted: HashMap<String, Trusted>,
    /// What others' documents said last, by whose they are. Passed on to nobody.
    peers: HashMap<String, HashMap<String, Trusted>>,
}

#[derive(Clone)]
struct Trusted {
    key: Arc<PublicKey>,
    /// From when on tokens of this key are refused.
    until: Option<OffsetDateTime>,
}

/// What a name leads to.
pub(crate) enum Found {
    Key(Arc<PublicKey>),
    Retired,
    Unknown,
}

impl KeyRing {
    /// A ring with this key, which signs.
    #[must_use]
    pub fn new(key: SigningKey) -> Self {
        let mut keys = Keys::default();
        keys.put(key.public(), None);
        keys.active = Some(Arc::new(key));
        Self(Arc::new(RwLock::new(Arc::new(keys))))
    }

    /// A ring with no key yet, for a service that only verifies: [`trust`](Self::trust) keys, or
    /// [take them](Self::trust_jwks) from a JWK Set.
    #[must_use]
    pub fn empty() -> Self {
        Self(Arc::default())
    }

    /// Lets a key verify, without a limit of time.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) if another key of the ring has its name.
    pub fn trust(&self, key: PublicKey) -> Result<()> {
        self.write(|keys| keys.add(key, None))
    }

    /// Lets a key verify until then, and its tokens be refused from then on.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) if another key of the ring has its name, or if it signs.
    pub fn trust_until(&self, key: PublicKey, until: OffsetDateTime) -> Result<()> {
        self.write(|keys| {
            if keys.active.as_ref().is_some_and(|a| a.kid() == key.kid()) {
                return Err(invalid("the key that signs can't have an end"));
            }
            keys.add(key, Some(until))
        })
    }

    /// Signs with this key from now on. The one that signed so far verifies until `old_until`: at
    /// least for as long as tokens live, and instances sign that have not rotated yet.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) if another key of the ring has its name.
    pub fn sign_with(&self, key: SigningKey, old_until: OffsetDateTime) -> Result<()> {
        self.write(|keys| {
            keys.add(key.public(), None)?;
            let new = Arc::new(key);
            let old = keys.active.replace(Arc::clone(&new));
            let old = old.filter(|old| old.kid() != new.kid());
            if let Some(old) = old.and_then(|old| keys.trusted.get_mut(old.kid())) {
                old.until = Some(old_until);
            }
            Ok(())
        })
    }

    /// Refuses all tokens of this key from now on; whether there was one. If it was the key that
    /// signs, none does until [`sign_with`](Self::sign_with) brings another; if a peer's document
    /// still names it, the next look brings it back.
    pub fn remove(&self, kid: &str) -> bool {
        self.write(|keys| {
            keys.active.take_if(|active| active.kid() == kid);
            let mut found = keys.trusted.remove(kid).is_some();
            for peer in keys.peers.values_mut() {
                found |= peer.remove(kid).is_some();
            }
            found
        })
    }

    /// Forgets the keys whose time is over; how many. Their tokens are refused in any case.
    pub fn prune(&self, now: OffsetDateTime) -> usize {
        self.write(|keys| {
            let before = keys.trusted.len();
            keys.trusted.retain(|_, trusted| !trusted.is_over(now));
            before - keys.trusted.len()
        })
    }

    /// The name of the key that signs.
    #[must_use]
    pub fn active(&self) -> Option<String> {
        let keys = self.read();
        keys.active.as_ref().map(|active| active.kid().to_owned())
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let keys = self.read();
        keys.trusted.len() + keys.peers.values().map(HashMap::len).sum::<usize>()
    }

    /// Whether there is no key, so that every token is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn signer(&self) -> Result<Arc<SigningKey>> {
        let none = || Error::new(ErrorKind::Config, "this key ring has no key that signs");
        self.read().active.clone().ok_or_else(none)
    }

    pub(crate) fn find(&self, kid: &str, now: OffsetDateTime) -> Found {
        let keys = self.read();
        let of_peers = || keys.peers.values().find_map(|peer| peer.get(kid));
        match keys.trusted.get(kid).or_else(of_peers) {
            None => Found::Unknown,
            Some(trusted) if trusted.is_over(now) => Found::Retired,
            Some(trusted) => Found::Key(Arc::clone(&trusted.key)),
        }
    }

    fn read(&self) -> Arc<Keys> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the keys. Who is reading keeps those that were there.
    fn write<T>(&self, change: impl FnOnce(&mut Keys) -> T) -> T {
        let mut place = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut place))
    }
}

impl Keys {
    fn add(&mut self, key: PublicKey, until: Option<OffsetDateTime>) -> Result<()> {
        self.free_for(&key)?;
        self.put(key, until);
        Ok(())
    }

    /// That no other key, of whomever, has this one's name.
    fn free_for(&self, key: &PublicKey) -> Result<()> {
        let of_peers = self.peers.values();
        let mut all = of_peers.chain([&self.trusted]);
        if all.any(|keys| keys.get(key.kid()).is_some_and(|there| *there.key != *key)) {
            return Err(invalid("another key of this ring has the same name"));
        }
        Ok(())
    }

    fn put(&mut self, key: PublicKey, until: Option<OffsetDateTime>) {
        let (kid, key) = (key.kid().to_owned(), Arc::new(key));
        self.trusted.insert(kid, Trusted { key, until });
    }
}

impl Trusted {
    fn is_over(&self, now: OffsetDateTime) -> bool {
        self.until.is_some_and(|until| now >= until)
    }
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

/// Names only.
impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = self.read();
        f.debug_struct("KeyRing")
            .field("active", &keys.active.as_ref().map(|active| active.kid()))
            .field("kids", &keys.trusted.keys())
            .finish()
    }
}
