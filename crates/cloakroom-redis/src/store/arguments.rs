//! What the scripts are given, in their order.

use crate::keys;
use bytes::Bytes;
use cloakroom_core::{
    Change, Digest, Entropy, NewLogin, NewSession, NewValue, OnLimit, OsEntropy, Which,
};
use time::Duration;

/// A tag of cached values that nobody asked for in so long is forgotten, and what bears it with it.
const TAG_REMEMBERED: Duration = Duration::days(30);

/// A script's `ARGV`, built up.
pub(super) struct Arguments(Vec<Bytes>);

impl Arguments {
    /// The bucket's prefix and the publishing command, which every script takes first.
    pub(super) fn new(prefix: String, publish: &'static str) -> Self {
        Self(vec![prefix.into(), Bytes::from_static(publish.as_bytes())])
    }

    pub(super) fn into_vec(self) -> Vec<Bytes> {
        self.0
    }

    pub(super) fn bytes(mut self, argument: impl Into<Bytes>) -> Self {
        self.0.push(argument.into());
        self
    }

    pub(super) fn digest(self, digest: Digest) -> Self {
        self.bytes(digest.to_hex())
    }

    pub(super) fn number(self, number: &impl ToString) -> Self {
        self.bytes(number.to_string())
    }

    pub(super) fn milliseconds(self, duration: Duration) -> Self {
        // Bounded to some 4,000 years, so that a deadline still is a date that can be read back.
        let milliseconds = duration.whole_milliseconds().clamp(0, 1 << 47);
        self.number(&milliseconds)
    }

    /// A random number for a version, and how long a tag is remembered.
    pub(super) fn new_version(self) -> cloakroom_core::Result<Self> {
        let mut drawn = [0; 8];
        OsEntropy.fill(&mut drawn)?;
        let drawn = u64::from_be_bytes(drawn);
        Ok(self.number(&drawn).milliseconds(TAG_REMEMBERED))
    }

    /// `cache_drop.lua` without a mark to lift or to set.
    pub(super) fn drop_all(self) -> Self {
        self.bytes("").bytes("").bytes("0")
    }

    /// A value to put in place, and how long it is good.
    pub(super) fn new_value(self, value: &NewValue) -> Self {
        self.bytes(value.bytes.clone())
            .milliseconds(value.fresh_for)
            .milliseconds(value.usable_for.max(value.fresh_for))
    }

    /// `create.lua`.
    pub(super) fn new_session(self, new: &NewSession) -> Self {
        let argv = self
            .digest(new.at.digest)
            .bytes(new.handle.to_string())
            .milliseconds(new.lifetime.idle)
            .milliseconds(new.lifetime.absolute)
            .flag(new.lifetime.remembered)
            .number(&new.revision)
            .number(&new.attributes.size())
            .login(new.login.as_ref())
            .milliseconds(new.outlived_by);
        new.attributes.iter().fold(argv, |argv, (name, value)| {
            argv.bytes(keys::field(name)).bytes(value.clone())
        })
    }

    /// `commit.lua`: how many expected and how many writes, the limits of time, then a triple for
    /// each.
    pub(super) fn change(self, change: &Change) -> Self {
        let argv = self
            .number(&change.expected().len())
            .number(&change.writes().len());
        let argv = match change.lifetime() {
            Some(lifetime) => argv
                .milliseconds(lifetime.idle)
                .milliseconds(lifetime.absolute)
                .flag(lifetime.remembered),
            None => argv.bytes("").bytes("").bytes(""),
        };
        change
            .expected()
            .chain(change.writes())
            .fold(argv, |argv, (name, value)| {
                argv.bytes(keys::field(name))
                    .flag(value.is_some())
                    .bytes(value.cloned().unwrap_or_default())
            })
    }

    /// `revoke.lua`.
    pub(super) fn which(self, which: Which) -> Self {
        match which {
            Which::One(handle) => self.bytes("one").bytes(handle.to_string()),
            Which::Others(handle) => self.bytes("others").bytes(handle.to_string()),
            Which::All => self.bytes("all").bytes(""),
        }
    }

    fn login(self, login: Option<&NewLogin>) -> Self {
        let Some(login) = login else {
            return self
                .bytes("")
                .bytes("")
                .bytes("")
                .number(&0)
                .flag(false)
                .bytes("")
                .bytes("");
        };
        let refuse = login.limit.is_some_and(|l| l.at_limit == OnLimit::Refuse);
        self.digest(login.user.digest)
            .bytes(login.user.id.to_string())
            .bytes(login.device.as_deref().unwrap_or_default().to_owned())
            .number(&login.limit.map_or(0, |limit| limit.max.max(1)))
            .flag(refuse)
            .bytes(
                login
                    .replaces
                    .map(|r| r.digest.to_hex())
                    .unwrap_or_default(),
            )
            .bytes(
                login
                    .replaces
                    .map(|r| r.revision.to_string())
                    .unwrap_or_default(),
            )
    }

    fn flag(self, flag: bool) -> Self {
        self.bytes(if flag { "1" } else { "0" })
    }
}
