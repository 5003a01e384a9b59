//! What a session was when it was handed over.

use crate::{
    Users,
    entry::{Data, Entry, check_name},
};
use cloakroom_core::{
    Address, Attributes, Buckets, Change, Digest, Entropy as _, Lifetime, OsEntropy, Record,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, sync::LazyLock};
use time::{Duration, OffsetDateTime};

/// Under this name it travels in what tower-sessions holds of the session. It is another in each process,
/// so that nobody can give a session one of their own making.
static NAME: LazyLock<String> = LazyLock::new(|| {
    let mut random = [0; 16];
    // Without entropy there are no ids either, and so no sessions.
    let _ = OsEntropy.fill(&mut random);
    format!("\0cloakroom.{:032x}", u128::from_le_bytes(random))
});

/// No session lives longer.
const FAR: OffsetDateTime = time::macros::datetime!(9999-12-31 23:59:59 UTC);

/// Times that differ by less are the same: tower-sessions reckons them anew on each occasion.
const SAME: Duration = Duration::SECOND;

/// What a session was when it was handed over: so that of what comes back only the changes are
/// written.
///
/// The store is one for all requests and can't tell which of them it is asked by; so this goes with
/// the session, with a hash in place of each value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Base {
    /// The number that it was handed over under.
    #[serde(default, rename = "n")]
    pub(super) number: u64,
    /// Nothing was stored yet: it held nothing.
    #[serde(default, rename = "m")]
    pub(super) unmade: bool,
    /// What the store sees of its id.
    #[serde(default, rename = "d")]
    pub(super) digest: String,
    /// The session had ended, or had got a newer id, a moment before.
    #[serde(default, rename = "g")]
    pub(super) gone: bool,
    /// It is still in the store before this one.
    #[serde(default, rename = "b")]
    before: bool,
    /// Bucket and digest, if they don't follow from its id.
    #[serde(default, rename = "l")]
    lies: Option<(u16, String)>,
    /// Who was logged in.
    #[serde(default, rename = "u")]
    pub(super) user: Option<String>,
    /// When it would have expired, and its idle window, in milliseconds.
    #[serde(rename = "e")]
    expires: i64,
    #[serde(rename = "i")]
    idle: i64,
    /// The hash of each value.
    #[serde(default, rename = "h")]
    hashes: BTreeMap<String, String>,
}

/// What a save says of the session's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expiry {
    /// It is where it was.
    Stays,
    /// The idle window slides; the session was last seen so long ago.
    Slides { ago: Duration },
    /// It is another.
    Changes,
}

impl Base {
    /// Of a record as it was read.
    pub(super) fn of(record: &Record, expires_in: Duration, data: &Data, users: &Users) -> Self {
        let expires = OffsetDateTime::now_utc().saturating_add(expires_in);
        let user = record.login.as_ref().map(|login| login.user.to_string());
        // One that is in the data, but not in the record, was there before somebody asked for users.
        let user = user.or_else(|| users.find(data));
        Self::new(data, expires, record.idle, user).called(record.digest)
    }

    /// Of a session that is to be made when it holds something.
    pub(super) fn unmade() -> Self {
        Self {
            unmade: true,
            ..Self::default()
        }
    }

    /// The store sees this of its id.
    pub(super) fn called(mut self, digest: Digest) -> Self {
        self.digest = digest.to_hex();
        self
    }

    pub(super) fn new(
        data: &Data,
        expires: OffsetDateTime,
        idle: Duration,
        user: Option<String>,
    ) -> Self {
        let hashes = attributes(data).map(|(name, value)| (name.clone(), hash(value)));
        Self {
            number: 0,
            unmade: false,
            digest: String::new(),
            gone: false,
            before: false,
            lies: None,
            user,
            expires: milliseconds(expires),
            idle: clamped(idle.whole_milliseconds()),
            hashes: hashes.collect(),
        }
    }

    /// Of a session that has ended.
    pub(super) fn gone() -> Self {
        Self {
            gone: true,
            ..Self::default()
        }
    }

    /// Of a session that is still in the store before this one.
    pub(super) fn before(found: &Entry) -> Self {
        Self {
            before: true,
            ..Self::new(&found.data, found.expiry_date, Duration::ZERO, None)
        }
    }

    pub(super) fn lies_before(&self) -> bool {
        self.before
    }

    /// When it expires.
    pub(super) fn expires(&self) -> OffsetDateTime {
        let nanoseconds = i128::from(self.expires) * 1_000_000;
        OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(FAR)
    }

    /// It is handed over under this number.
    pub(super) fn numbered(mut self, number: u64) -> Self {
        self.number = number;
        self
    }

    /// What it is after a save of this.
    pub(super) fn after(self, entry: &Entry, lifetime: Option<Lifetime>) -> Self {
        let idle = lifetime.map_or(self.idle, |l| clamped(l.idle.whole_milliseconds()));
        let hashes = attributes(&entry.data).map(|(name, value)| (name.clone(), hash(value)));
        Self {
            hashes: hashes.collect(),
            expires: milliseconds(entry.expiry_date),
            idle,
            ..self
        }
    }

    /// It lies elsewhere than its id says.
    pub(super) fn lying(mut self, at: Address) -> Self {
        self.lies = Some((at.bucket.index(), at.digest.to_hex()));
        self
    }

    /// Where it lies, if elsewhere than its id says.
    pub(super) fn lies(&self, buckets: &Buckets) -> Option<Address> {
        let (bucket, digest) = self.lies.as_ref()?;
        Some(Address {
            bucket: buckets.get(*bucket)?,
            digest: Digest::from_hex(digest.as_bytes()).ok()?,
        })
    }

    /// What goes with this session, if anything does.
    pub(super) fn read(entry: &Entry) -> Option<Self> {
        Self::deserialize(entry.data.get(&*NAME)?).ok()
    }

    /// Lets it go with the session.
    pub(super) fn put(&self, data: &mut Data) {
        if let Ok(value) = serde_json::to_value(self) {
            data.insert(NAME.clone(), value);
        }
    }

    /// What was written since.
    pub(super) fn changes(&self, data: &Data) -> cloakroom_core::Result<Change> {
        let mut change = Change::default();
        for (name, value) in attributes(data) {
            if self.hashes.get(name) != Some(&hash(value)) {
                check_name(name)?;
                change.write(name, Some(Attributes::encode(name, value)?));
            }
        }
        for name in self.hashes.keys().filter(|name| !data.contains_key(*name)) {
            change.write(name, None);
        }
        Ok(change)
    }

    /// What a save at this moment says of the session's end.
    pub(super) fn expiry(&self, wished: OffsetDateTime, now: OffsetDateTime) -> Expiry {
        let near = |a: i64, b: i64| {
            i128::from(a).abs_diff(i128::from(b)) <= SAME.whole_milliseconds().unsigned_abs()
        };
        let (wished, now) = (milliseconds(wished), milliseconds(now));
        let slides = near(wished.saturating_sub(now), self.idle);
        match (slides, near(wished, self.expires)) {
            (_, true) => Expiry::Stays,
            (true, false) => {
                let left = self.expires.saturating_sub(now).max(0);
                let ago = Duration::milliseconds(self.idle.saturating_sub(left).max(0));
                Expiry::Slides { ago }
            }
            (false, false) => Expiry::Changes,
        }
    }

    /// Whether a write, which slides the idle window, would move the end elsewhere than wished.
    pub(super) fn misplaces(&self, wished: OffsetDateTime, now: OffsetDateTime) -> bool {
        let left = milliseconds(wished).saturating_sub(milliseconds(now));
        i128::from(left).abs_diff(i128::from(self.idle)) > SAME.whole_milliseconds().unsigned_abs()
    }
}

/// What is the application's own.
pub(super) fn attributes(data: &Data) -> impl Iterator<Item = (&String, &Value)> {
    data.iter().filter(|(name, _)| **name != *NAME)
}

/// The same for what JSON takes for the same.
fn hash(value: &Value) -> String {
    let mut hasher = blake3::Hasher::new();
    // A hasher takes all that is written to it.
    let _ = serde_json::to_writer(&mut hasher, value);
    hasher.finalize().to_hex()[..32].to_owned()
}

fn milliseconds(time: OffsetDateTime) -> i64 {
    clamped(time.unix_timestamp_nanos() / 1_000_000)
}

fn clamped(milliseconds: i128) -> i64 {
    i64::try_from(milliseconds).unwrap_or(if milliseconds < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn data(pairs: &[(&str, Value)]) -> Data {
        let pairs = pairs.iter().map(|(n, v)| ((*n).to_owned(), v.clone()));
        pairs.collect()
    }

    #[test]
    fn only_what_changed_since_is_a_change() {
        let mut held = data(&[
            ("a", json!(1)),
            ("b", json!({"x": [1.5]})),
            ("c", json!("z")),
        ]);
        let now = OffsetDateTime::now_utc();
        Base::new(&held, now, Duration::HOUR, None).put(&mut held);
        held.insert("a".into(), json!(2));
        held.remove("c");
        held.insert("d".into(), json!(null));
        let entry = Entry {
            id: 1,
            data: held,
            expiry_date: now,
        };
        let base = Base::read(&entry).unwrap();
        let change = base.changes(&entry.data).unwrap();
        let names: Vec<_> = change.writes().map(|(n, v)| (n, v.is_some())).collect();
        assert_eq!(names, [("a", true), ("c", false), ("d", true)]);
    }

    #[test]
    fn a_window_slides_and_a_date_stays() {
        let now = OffsetDateTime::now_utc();
        let base = Base::new(&Data::new(), now + Duration::HOUR, Duration::HOUR, None);
        let later = now + Duration::minutes(10);
        let at = |wished| base.expiry(wished, later);
        assert_eq!(
            at(later + Duration::HOUR),
            Expiry::Slides {
                ago: Duration::minutes(10)
            }
        );
        assert_eq!(at(now + Duration::HOUR), Expiry::Stays);
        assert_eq!(at(later + Duration::DAY), Expiry::Changes);
        assert!(base.misplaces(now + Duration::HOUR, later));
        assert!(!base.misplaces(later + Duration::HOUR, later));
    }
}
