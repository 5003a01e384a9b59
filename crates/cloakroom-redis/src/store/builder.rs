//! Settings of the store, and its first connection.

use super::{
    Durability, RedisStore,
    again::{Recent, SayAgain},
};
use crate::{
    Certificates, Driver, OwnCertificate,
    channel::{ChannelRules, Context, Timing},
    keys::Keys,
    node::Timeouts,
    settings,
    topology::{Place, Servers},
};
use bytes::Bytes;
use cloakroom_core::{Buckets, Error, ErrorKind, OsEntropy, Result, UserHasher};
use std::sync::{Arc, OnceLock};
use time::Duration;
use tokio::runtime::Handle;

impl RedisStore {
    /// Begins a store on the server at `url`, reached through `driver`.
    pub fn builder(driver: impl Driver, url: impl Into<String>) -> RedisStoreBuilder {
        RedisStoreBuilder {
            driver: Arc::new(driver),
            url: url.into(),
            prefix: String::new(),
            buckets: Buckets::DEFAULT,
            users: UserHasher::default(),
            command_timeout: Duration::SECOND,
            connect_timeout: Duration::SECOND,
            // Three times within the default of a second's staleness, so that one may be late.
            renewal_interval: Duration::milliseconds(300),
            durability: Durability::Master,
            certificates: Certificates::default(),
            rules: ChannelRules::ALL,
        }
    }
}

/// Settings of a [`RedisStore`].
#[derive(Debug, Clone)]
#[must_use]
pub struct RedisStoreBuilder {
    driver: Arc<dyn Driver>,
    url: String,
    prefix: String,
    buckets: u16,
    users: UserHasher,
    command_timeout: Duration,
    connect_timeout: Duration,
    renewal_interval: Duration,
    durability: Durability,
    certificates: Certificates,
    rules: ChannelRules,
}

impl RedisStoreBuilder {
    /// Puts this before every key, so that several deployments can share a server. None by
    /// default; must hold no braces.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The number of buckets: 64 by default, at most 1024. Fixed for a deployment from its first
    /// start: an instance that is configured otherwise is refused.
    pub fn buckets(mut self, count: u16) -> Self {
        self.buckets = count;
        self
    }

    /// Keys the digests of user ids. None by default; then users who choose their own ids can
    /// aim for one bucket. The same on all instances: another one is refused.
    pub fn user_secret(mut self, secret: &[u8]) -> Self {
        self.users = UserHasher::new(secret);
        self
    }

    /// How long an operation may take, with waiting for a connection: 1 s by default. After it
    /// the operation fails as unavailable and the connection is replaced.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout;
        self
    }

    /// How long an attempt to connect may take, with login and loading the scripts: 1 s by
    /// default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How often it is proven that no invalidation was missed, where near copies are kept: 300 ms
    /// by default. Copies can be trusted to within a staleness of a little more than this; a
    /// third of the staleness that the application allows is a good choice.
    pub fn renewal_interval(mut self, interval: Duration) -> Self {
        self.renewal_interval = interval;
        self
    }

    /// When a logout or a revocation is acknowledged: as soon as the master has done it, by default.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Trusts servers whose certificates one of these authorities has signed, over TLS: one or more
    /// certificates, as text in the form PEM. By default those that the system trusts, or the file
    /// that the variable `SSL_CERT_FILE` names; never both.
    pub fn ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates.authorities = Some(Bytes::from(pem.into()));
        self
    }

    /// Shows this certificate to servers that ask for one, as Redis does unless its configuration
    /// says `tls-auth-clients no`: the certificate, with those between it and its authority, and
    /// its private key, as text in the form PEM.
    pub fn client_certificate(
        mut self,
        chain: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        let (chain, key) = (chain.into().into(), key.into().into());
        self.certificates.own = Some(OwnCertificate { chain, key });
        self
    }

    /// Breaks rules of the invalidation channel: for tests of tests.
    #[cfg(feature = "mutants")]
    pub fn rules(mut self, rules: ChannelRules) -> Self {
        self.rules = rules;
        self
    }

    /// Connects, checks what the server is, and agrees with the deployment's other instances.
    ///
    /// Takes a few round trips. Must be called on a tokio runtime, whose tasks then keep the
    /// store connected.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Config`]: the URL, the prefix or a limit is wrong, the server is too old or
    ///   refuses the login, or this instance is configured otherwise than the deployment.
    /// - [`ErrorKind::Unavailable`]: the server can't be reached within the limit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up; the deployment's settings may have been laid down.
    pub async fn connect(self) -> Result<RedisStore> {
        let place = Place::parse(&self.url)?;
        let keys = Keys::new(&self.prefix, Buckets::new(self.buckets)?)?;
        let timeouts = Timeouts {
            connect: positive("connect timeout", self.connect_timeout)?,
            command: positive("command timeout", self.command_timeout)?,
        };
        let timing = Timing {
            interval: positive("renewal interval", self.renewal_interval)?,
            connect: timeouts.connect,
            answer: timeouts.command,
        };
        let durability = self.durability.check()?;
        let buckets = keys.buckets().clone();
        let driver = secured(self.driver, &self.certificates, &place)?;
        let servers = Servers::open(driver, place, timeouts, buckets).await?;
        settings::agree(&servers, &keys, &self.users).await?;
        let servers = Arc::new(servers);
        let (rules, entropy) = (self.rules, OsEntropy);
        let listening = Context::new(Arc::clone(&servers), keys.clone(), timing, rules, &entropy)?;
        let recent = Arc::new(Recent::default());
        let say_again = SayAgain::start(Arc::clone(&recent), Arc::clone(&servers), keys.clone());
        Ok(RedisStore {
            recent,
            _say_again: say_again,
            servers,
            keys,
            users: self.users,
            durability,
            listening: Arc::new(listening),
            subscriptions: OnceLock::new(),
            runtime: Handle::current(),
        })
    }
}

/// The driver with the certificates that there are. Without TLS they would protect nothing.
fn secured(
    driver: Arc<dyn Driver>,
    certificates: &Certificates,
    place: &Place,
) -> Result<Arc<dyn Driver>> {
    if *certificates == Certificates::default() {
        return Ok(driver);
    }
    if !place.is_secured() {
        return Err(Error::new(
            ErrorKind::Config,
            "certificates are for TLS: the store's URL must begin with rediss://, \
             rediss-sentinel:// or rediss-cluster://",
        ));
    }
    certificates.check()?;
    let driver = driver.with_certificates(certificates);
    driver.map_err(|e| Error::new(ErrorKind::Config, "can't use the certificates").with_source(e))
}

fn positive(what: &str, limit: Duration) -> Result<std::time::Duration> {
    match std::time::Duration::try_from(limit) {
        Ok(limit) if !limit.is_zero() => Ok(limit),
        _ => Err(Error::new(
            ErrorKind::Config,
            format!("the {what} must be longer than 0 s, not {limit}"),
        )),
    }
}
