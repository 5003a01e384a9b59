//! In the place of TLS, where it was not compiled in.

use cloakroom_redis::{Certificates, DriverError, Endpoint};
use fred::types::config::Config;

/// No certificates.
#[derive(Default)]
pub(crate) struct Trust {}

impl Trust {
    pub(crate) fn read(_: &Certificates) -> Result<Self, DriverError> {
        Err(not_compiled_in())
    }

    #[allow(clippy::unused_self, reason = "as with TLS")]
    pub(crate) fn secure(
        &self,
        config: Config,
        endpoint: &Endpoint,
    ) -> Result<Config, DriverError> {
        match endpoint.tls {
            true => Err(not_compiled_in()),
            false => Ok(config),
        }
    }
}

fn not_compiled_in() -> DriverError {
    DriverError::refused(
        "rediss:// needs TLS, which was not compiled in: turn on the feature `tls`",
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_tls_is_refused_with_what_adds_it() {
        let endpoint = Endpoint::parse("rediss://cache.internal").unwrap();
        for refused in [
            Trust::default().secure(Config::default(), &endpoint).err(),
            Trust::read(&Certificates::default()).err(),
        ] {
            let error = refused.unwrap();
            assert!(error.is_refused() && error.to_string().contains("feature `tls`"));
        }
    }
}
