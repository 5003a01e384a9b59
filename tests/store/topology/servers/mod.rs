//! Clusters and Sentinels of real servers.

mod cluster;
mod sentinel;

pub(crate) use cluster::Cluster;
pub(crate) use sentinel::Sentinels;

use cloakroom_testkit::{RedisServer, eventually};

use crate::store::support::{LIMIT, ask};

/// Waits until a master's replica has all that the master has now.
pub(crate) async fn replicated(master: &RedisServer) {
    let info = async || ask::<String>(master, &["INFO", "replication"]).await;
    let now = number(&info().await, "master_repl_offset:");
    let in_step = || async { number(&info().await, ",offset=") >= now };
    assert!(eventually(LIMIT, in_step).await, "{}", master.log());
}

/// The number that follows these words; 0 if they are not there.
fn number(info: &str, words: &str) -> u64 {
    let rest = info.split(words).nth(1).unwrap_or_default();
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
