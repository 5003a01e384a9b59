//! Access tokens and what was revoked.

use super::{Revoked, Subject};
use crate::{Registered, RevocationCheck, Standing};
use cloakroom_core::{Address, BoxFuture, Buckets, Digest, Result};

/// Where a token's own id is remembered if it is revoked.
pub(crate) fn place(token_id: &str, buckets: &Buckets) -> Address {
    let context = "cloakroom 2026-11 token id v1";
    let hash = blake3::derive_key(context, token_id.as_bytes());
    let mut short = [0; 16];
    short.copy_from_slice(&hash[..16]);
    Address::of_digest(Digest::from_bytes(short), buckets)
}

/// A family's name in `sid`: where it lies, which is no secret and leads nowhere.
pub(crate) fn session_name(at: Address) -> String {
    format!("{:x}.{}", at.bucket.index(), at.digest.to_hex())
}

/// Where the family lies that a `sid` names.
pub(crate) fn session_place(name: &str, buckets: &Buckets) -> Option<Address> {
    let (bucket, digest) = name.split_once('.')?;
    let index = u16::from_str_radix(bucket, 16).ok()?;
    Some(Address {
        bucket: buckets.get(index)?,
        digest: Digest::from_hex(digest.as_bytes()).ok()?,
    })
}

impl Revoked {
    /// What a token says of itself; `None` if its `sid` names no family of this deployment, or it has
    /// none and must.
    fn subject<'a>(&self, claims: &'a Registered) -> Option<Subject<'a>> {
        let buckets = self.0.store.layout();
        let session = match claims.session.as_deref() {
            Some(name) => Some(session_place(name, buckets)?),
            None if self.0.without_login => None,
            None => return None,
        };
        Some(Subject {
            session,
            token: place(&claims.id, buckets),
            // The first epoch has no name.
            epoch: Some(claims.epoch.as_deref().unwrap_or_default()),
        })
    }
}

fn standing(revoked: bool) -> Standing {
    if revoked {
        Standing::Revoked
    } else {
        Standing::Good
    }
}

/// A token whose `sid` names no family of this deployment is refused, and by default one without.
impl RevocationCheck for Revoked {
    fn known(&self, claims: &Registered) -> Option<Standing> {
        match self.subject(claims) {
            Some(subject) => Revoked::known(self, subject).map(standing),
            None => Some(Standing::Revoked),
        }
    }

    fn ask<'a>(&'a self, claims: &'a Registered) -> BoxFuture<'a, Result<Standing>> {
        Box::pin(async move {
            match self.subject(claims) {
                Some(subject) => self.is_revoked(subject).await.map(standing),
                None => Ok(Standing::Revoked),
            }
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_sessions_name_leads_back() {
        let buckets = Buckets::default();
        let at = place("some token", &buckets);
        assert_eq!(session_place(&session_name(at), &buckets), Some(at));
        let hex = at.digest.to_hex();
        for wrong in [
            "",
            ".",
            &hex,
            &format!("ffff.{hex}"),
            &format!("1.{hex}0"),
            "1.zz",
        ] {
            assert_eq!(session_place(wrong, &buckets), None, "{wrong}");
        }
    }
}
