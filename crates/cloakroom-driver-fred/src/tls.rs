//! TLS, by rustls.

use crate::convert;
use cloakroom_redis::{Certificates, DriverError, Endpoint};
use fred::types::config::{Config, TlsConnector};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// What TLS goes by; the system's authorities if nothing was given.
#[derive(Default)]
pub(crate) struct Trust(Option<TlsConnector>);

impl Trust {
    /// Takes certificates, and fails if they can't be read.
    pub(crate) fn read(certificates: &Certificates) -> Result<Self, DriverError> {
        provide();
        let roots = match &certificates.authorities {
            Some(authorities) => pem(authorities)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        let mut trusted = RootCertStore::empty();
        for root in roots {
            trusted.add(root).map_err(DriverError::refused)?;
        }
        let config = ClientConfig::builder().with_root_certificates(trusted);
        let config = match &certificates.own {
            Some(own) => {
                let key = PrivateKeyDer::from_pem_slice(&own.key).map_err(DriverError::refused)?;
                let config = config.with_client_auth_cert(pem(&own.chain)?, key);
                config.map_err(DriverError::refused)?
            }
            None => config.with_no_client_auth(),
        };
        Ok(Self(Some(config.into())))
    }

    /// Fred's settings for this server, with TLS if it is to be.
    pub(crate) fn secure(
        &self,
        config: Config,
        endpoint: &Endpoint,
    ) -> Result<Config, DriverError> {
        if !endpoint.tls {
            return Ok(config);
        }
        provide();
        let connector = match &self.0 {
            Some(connector) => connector.clone(),
            None => TlsConnector::default_rustls().map_err(|e| convert::error(&e))?,
        };
        Ok(Config {
            tls: Some(connector.into()),
            ..config
        })
    }
}

fn pem(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, DriverError> {
    let certificates = CertificateDer::pem_slice_iter(text);
    let certificates: Result<_, _> = certificates.collect();
    certificates.map_err(DriverError::refused)
}

/// rustls needs a provider of cryptography, and the client crate brings none. An application's own
/// stays; losing the race against it is fine.
fn provide() {
    if CryptoProvider::get_default().is_none() {
        let _ = ring::default_provider().install_default();
    }
}
