//! TLS, by rustls.

use crate::convert;
use cloakroom_redis::{Certificates, DriverError, Endpoint};
use redis::{Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, TlsCertificates};

/// The certificates that TLS goes by; the system's authorities if there are none.
#[derive(Default)]
pub(crate) struct Trust(Option<TlsCertificates>);

impl Trust {
    /// Takes certificates, and fails if they can't be read.
    pub(crate) fn read(certificates: &Certificates) -> Result<Self, DriverError> {
        let client_tls = certificates.own.as_ref().map(|own| ClientTlsConfig {
            client_cert: own.chain.to_vec(),
            client_key: own.key.to_vec(),
        });
        let root_cert = certificates.authorities.as_ref().map(|ca| ca.to_vec());
        let certificates = TlsCertificates {
            client_tls,
            root_cert,
        };
        // The client crate reads them again for each connection.
        Client::build_with_tls("rediss://localhost", certificates.clone())
            .map_err(DriverError::refused)?;
        Ok(Self(Some(certificates)))
    }

    /// What opens connections.
    pub(crate) fn client(&self, info: ConnectionInfo) -> Result<Client, DriverError> {
        let client = match &self.0 {
            Some(certificates) => Client::build_with_tls(info, certificates.clone()),
            None => Client::open(info),
        };
        client.map_err(|e| convert::error(&e))
    }
}

pub(crate) fn address(endpoint: &Endpoint) -> Result<ConnectionAddr, DriverError> {
    let Endpoint { host, port, .. } = endpoint.clone();
    if !endpoint.tls {
        return Ok(ConnectionAddr::Tcp(host, port));
    }
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // The client crate needs one and brings none. An application's own stays; losing the
        // race against it is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    Ok(ConnectionAddr::TcpTls {
        host,
        port,
        insecure: false,
        tls_params: None,
    })
}
