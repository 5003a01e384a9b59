//! In the place of TLS, where it was not compiled in.

use crate::convert;
use cloakroom_redis::{Certificates, DriverError, Endpoint};
use redis::{Client, ConnectionAddr, ConnectionInfo};

/// No certificates.
#[derive(Default)]
pub(crate) struct Trust {}

impl Trust {
    pub(crate) fn read(_: &Certificates) -> Result<Self, DriverError> {
        Err(not_compiled_in())
    }

    #[allow(clippy::unused_self, reason = "as with TLS")]
    pub(crate) fn client(&self, info: ConnectionInfo) -> Result<Client, DriverError> {
        Client::open(info).map_err(|e| convert::error(&e))
    }
}

pub(crate) fn address(endpoint: &Endpoint) -> Result<ConnectionAddr, DriverError> {
    match endpoint.tls {
        true => Err(not_compiled_in()),
        false => Ok(ConnectionAddr::Tcp(endpoint.host.clone(), endpoint.port)),
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
            address(&endpoint).err(),
            Trust::read(&Certificates::default()).err(),
        ] {
            let error = refused.unwrap();
            assert!(error.is_refused() && error.to_string().contains("feature `tls`"));
        }
    }
}
