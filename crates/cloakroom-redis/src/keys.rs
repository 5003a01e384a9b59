//! Names of keys and fields.

use bytes::Bytes;
use cloakroom_core::{Address, Bucket, Buckets, Digest, Error, ErrorKind, Result, User};

/// The version of the stored format; part of every key, so that a later one can live beside it.
pub(crate) const FORMAT: &str = "cr1";

/// A field that no record has.
pub(crate) const NO_FIELD: &str = "~-";

/// How this deployment's keys are named.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    prefix: String,
    buckets: Buckets,
}

impl Keys {
    pub(crate) fn new(prefix: &str, buckets: Buckets) -> Result<Self> {
        if prefix.contains(['{', '}']) {
            return Err(Error::new(
                ErrorKind::Config,
                "the key prefix must not contain braces: they would change the hash tag",
            ));
        }
        let prefix = format!("{prefix}{FORMAT}");
        Ok(Self { prefix, buckets })
    }

    pub(crate) fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    /// What all keys of a bucket begin with.
    pub(crate) fn bucket(&self, bucket: Bucket) -> String {
        format!("{}:{{{}}}:", self.prefix, self.buckets.tag(bucket))
    }

    pub(crate) fn record(&self, at: Address) -> Bytes {
        self.named(at.bucket, 's', at.digest)
    }

    pub(crate) fn index(&self, user: &User) -> Bytes {
        self.named(user.bucket, 'u', user.digest)
    }

    /// What is revoked in a bucket, by when it may be forgotten.
    pub(crate) fn revoked(&self, bucket: Bucket) -> Bytes {
        format!("{}x", self.bucket(bucket)).into()
    }

    /// An entry of cached values.
    pub(crate) fn entry(&self, at: Address) -> Bytes {
        self.named(at.bucket, 'c', at.digest)
    }

    /// The version of a tag of cached values.
    pub(crate) fn tag(&self, at: Address) -> Bytes {
        self.named(at.bucket, 't', at.digest)
    }

    /// The channel of a bucket's invalidations.
    pub(crate) fn bus(&self, bucket: Bucket) -> Bytes {
        format!("{}bus", self.bucket(bucket)).into()
    }

    /// Where a bucket's invalidations are counted.
    pub(crate) fn number(&self, bucket: Bucket) -> Bytes {
        format!("{}seq", self.bucket(bucket)).into()
    }

    /// Names the epoch since all sessions of a bucket were ended at once.
    pub(crate) fn epoch(&self, bucket: Bucket) -> Bytes {
        format!("{}epoch", self.bucket(bucket)).into()
    }

    /// What is written before replicas are asked how much they have.
    pub(crate) fn confirmed(&self, bucket: Bucket) -> Bytes {
        format!("{}confirmed", self.bucket(bucket)).into()
    }

    /// Where the deployment's settings lie: under the first bucket's tag, which is the same
    /// whatever the number of buckets.
    pub(crate) fn settings(&self) -> Result<(Bucket, Bytes)> {
        let first = self.buckets.iter().next().ok_or_else(|| {
            Error::new(ErrorKind::Internal, "a deployment has at least one bucket")
        })?;
        Ok((first, format!("{}settings", self.bucket(first)).into()))
    }

    fn named(&self, bucket: Bucket, kind: char, digest: Digest) -> Bytes {
        format!("{}{kind}:{}", self.bucket(bucket), digest.to_hex()).into()
    }
}

/// The field of an attribute. The header's fields are `~` and a letter; an attribute whose own
/// name begins with `~` gets another one, so that no name can reach the header.
pub(crate) fn field(name: &str) -> Bytes {
    if name.starts_with('~') {
        format!("~{name}").into()
    } else {
        Bytes::copy_from_slice(name.as_bytes())
    }
}

/// The attribute of a field, or `None` for one of the header's.
pub(crate) fn attribute(field: &str) -> Option<&str> {
    match field.strip_prefix('~') {
        Some(rest) => rest.starts_with('~').then_some(rest),
        None => Some(field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_attribute_reaches_the_header() {
        for name in ["a", "~", "~r", "~~r", "~d", "{x}", "\u{0}"] {
            let field = String::from_utf8(field(name).to_vec()).unwrap();
            assert_eq!(attribute(&field), Some(name));
        }
        assert_eq!(attribute("~r"), None);
        assert_eq!(attribute("~"), None);
    }

    #[test]
    fn a_prefix_can_not_move_the_tag() {
        assert!(Keys::new("{x}", Buckets::default()).is_err());
        assert!(Keys::new("shop:", Buckets::default()).is_ok());
    }
}
