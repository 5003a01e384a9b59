//! Servers that speak TLS, with certificates of an authority that nobody else knows.

mod refused;
mod served;

use cloakroom_redis::{Driver, RedisStoreBuilder};
use cloakroom_testkit::{Authority, Certificate, RedisServer};

use crate::store::support::builder_of;

/// A server's certificate for the address at which all of them are.
fn here(authority: &Authority) -> Certificate {
    authority.certify(&["127.0.0.1"])
}

/// A store to connect to, with patience, that trusts this authority alone.
fn trusting(driver: impl Driver, url: &str, authority: &Authority) -> RedisStoreBuilder {
    builder_of(driver, url).ca(authority.pem())
}

/// The addresses of servers, as URLs list them.
fn hosts<'a>(servers: impl IntoIterator<Item = &'a RedisServer>) -> String {
    let host = |server: &RedisServer| format!("127.0.0.1:{}", server.public_port());
    let hosts: Vec<_> = servers.into_iter().map(host).collect();
    hosts.join(",")
}
