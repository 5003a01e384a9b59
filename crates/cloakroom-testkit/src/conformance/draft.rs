//! Sessions to make and changes to write, in few words.
//!
//! ```
//! use cloakroom_core::Buckets;
//! use cloakroom_testkit::conformance::draft::{Also, Draft, anonymous, set};
//!
//! let bucket = Buckets::default().get(3).unwrap();
//! let new = anonymous(bucket).with("cart", "[1]");
//! assert_eq!((new.at.bucket, new.attributes.size()), (bucket, 7));
//!
//! let change = set("cart", "[1,2]").expecting("cart", Some(b"[1]"));
//! assert_eq!((change.writes().len(), change.expected().len()), (1, 1));
//! ```

use bytes::Bytes;
use cloakroom_core::{
    Address, Attributes, Bucket, Change, Digest, Handle, Lifetime, Limit, NewLogin, NewSession,
    OnLimit, OsEntropy, Replaced, SessionId, User,
};
use time::Duration;

/// Room for everything that a case writes.
pub const CAP: usize = 16 * 1024 * 1024;

/// The idle window of a session, unless a case says otherwise.
pub const IDLE: Duration = Duration::minutes(30);

/// The absolute lifetime of a session, unless a case says otherwise.
pub const ABSOLUTE: Duration = Duration::hours(12);

/// Names that a store might take for something else.
pub const ODD_NAMES: [&str; 20] = [
    "~", "~~", "~r", "~~r", "~s", "~d", "~x", "~z", "~k", "r", "", " ", "a b", "{tag}", "a\0b",
    "\r\n", "ключ", "🧥", "1", "-inf",
];

/// Values that a store might take for something else, or for nothing.
pub const ODD_VALUES: [&[u8]; 10] = [
    b"\"\"",
    b"",
    b"null",
    b"0",
    b"-1",
    b"1e309",
    b"\"\\u0000\"",
    "\"ключ\"".as_bytes(),
    b"\xff\x00\xfe",
    b"\r\n$-1\r\n",
];

/// A new id's digest.
///
/// # Panics
///
/// If the machine has no entropy.
#[must_use]
pub fn digest(bucket: Bucket) -> Digest {
    let id = SessionId::generate(bucket, &OsEntropy);
    id.expect("the machine has entropy").digest()
}

/// An anonymous session in this bucket.
///
/// # Panics
///
/// If the machine has no entropy.
#[must_use]
pub fn anonymous(bucket: Bucket) -> NewSession {
    NewSession {
        at: Address {
            bucket,
            digest: digest(bucket),
        },
        handle: Handle::generate(&OsEntropy).expect("the machine has entropy"),
        lifetime: Lifetime {
            idle: IDLE,
            absolute: ABSOLUTE,
            remembered: false,
        },
        revision: 1,
        login: None,
        attributes: Attributes::default(),
        outlived_by: time::Duration::ZERO,
    }
}

/// A session of this user.
#[must_use]
pub fn login(user: &User) -> NewSession {
    let login = NewLogin {
        user: user.clone(),
        device: None,
        limit: None,
        replaces: None,
    };
    NewSession {
        login: Some(login),
        ..anonymous(user.bucket)
    }
}

/// What a case changes of a session before it makes it.
pub trait Draft: Sized {
    /// With an attribute of this encoded value.
    fn with(self, name: &str, value: impl Into<Bytes>) -> Self;

    /// With this idle window and absolute lifetime.
    fn living(self, idle: Duration, absolute: Duration) -> Self;

    /// With the device's label; panics if nobody logs in.
    fn on_device(self, label: &str) -> Self;

    /// Under a limit; panics if nobody logs in.
    fn limited(self, max: u32, at_limit: OnLimit) -> Self;

    /// Instead of another session of this revision; panics if nobody logs in.
    fn replacing(self, old: Digest, revision: u64) -> Self;
}

impl Draft for NewSession {
    fn with(mut self, name: &str, value: impl Into<Bytes>) -> Self {
        self.attributes.set(name, Some(value.into()));
        self
    }

    fn living(mut self, idle: Duration, absolute: Duration) -> Self {
        self.lifetime.idle = idle;
        self.lifetime.absolute = absolute;
        self
    }

    fn on_device(mut self, label: &str) -> Self {
        of_login(&mut self).device = Some(label.into());
        self
    }

    fn limited(mut self, max: u32, at_limit: OnLimit) -> Self {
        of_login(&mut self).limit = Some(Limit { max, at_limit });
        self
    }

    fn replacing(mut self, digest: Digest, revision: u64) -> Self {
        of_login(&mut self).replaces = Some(Replaced { digest, revision });
        self
    }
}

fn of_login(new: &mut NewSession) -> &mut NewLogin {
    new.login.as_mut().expect("a login")
}

/// A change that sets one attribute.
pub fn set(name: &str, value: impl Into<Bytes>) -> Change {
    Change::default().and_set(name, value)
}

/// A change that removes one attribute.
pub fn remove(name: &str) -> Change {
    Change::default().and_remove(name)
}

/// What a case adds to a change.
pub trait Also: Sized {
    /// Sets an attribute too.
    fn and_set(self, name: &str, value: impl Into<Bytes>) -> Self;

    /// Removes an attribute too.
    fn and_remove(self, name: &str) -> Self;

    /// Only while the attribute holds this value, or is absent with `None`.
    fn expecting(self, name: &str, value: Option<&[u8]>) -> Self;
}

impl Also for Change {
    fn and_set(mut self, name: &str, value: impl Into<Bytes>) -> Self {
        self.write(name, Some(value.into()));
        self
    }

    fn and_remove(mut self, name: &str) -> Self {
        self.write(name, None);
        self
    }

    fn expecting(mut self, name: &str, value: Option<&[u8]>) -> Self {
        self.expect(name, value.map(Bytes::copy_from_slice));
        self
    }
}
