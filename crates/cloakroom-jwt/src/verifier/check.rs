//! The seam at which revocation is asked for.

use crate::Registered;
use cloakroom_core::{BoxFuture, Result};

/// Whether a token that is otherwise good still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Good,
    /// It was revoked: itself, its login, or its subject's epoch.
    Revoked,
}

/// Knows which tokens were revoked. Asked about each token once everything else is in order.
///
/// ```
/// use cloakroom_core::{BoxFuture, Result};
/// use cloakroom_jwt::{Registered, RevocationCheck, Standing};
///
/// #[derive(Debug)]
/// struct OneLogin(&'static str);
///
/// impl RevocationCheck for OneLogin {
///     fn known(&self, claims: &Registered) -> Option<Standing> {
///         let ended = claims.session.as_deref() == Some(self.0);
///         Some(if ended { Standing::Revoked } else { Standing::Good })
///     }
///
///     fn ask<'a>(&'a self, _: &'a Registered) -> BoxFuture<'a, Result<Standing>> {
///         Box::pin(async { Ok(Standing::Good) })
///     }
/// }
/// # assert_eq!(format!("{:?}", OneLogin("s1")), r#"OneLogin("s1")"#);
/// ```
pub trait RevocationCheck: Send + Sync + std::fmt::Debug + 'static {
    /// What is known here and now, without asking anybody. `None` leads to [`ask`](Self::ask).
    fn known(&self, _claims: &Registered) -> Option<Standing> {
        None
    }

    /// Finds out, from a store for instance.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from knowing. The token is refused then, with 503; a check that would rather
    /// let tokens pass for a while answers [`Good`](Standing::Good) itself.
    fn ask<'a>(&'a self, claims: &'a Registered) -> BoxFuture<'a, Result<Standing>>;
}

/// Nothing is ever revoked; tokens end when they expire.
#[derive(Debug)]
pub(crate) struct NoRevocation;

impl RevocationCheck for NoRevocation {
    fn known(&self, _: &Registered) -> Option<Standing> {
        Some(Standing::Good)
    }

    fn ask<'a>(&'a self, _: &'a Registered) -> BoxFuture<'a, Result<Standing>> {
        Box::pin(std::future::ready(Ok(Standing::Good)))
    }
}
