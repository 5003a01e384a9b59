//! What remembering revocations takes.

use crate::Table;
use cloakroom::{MemoryStore, Store, jwt::Revoked};
use cloakroom_core::{Address, Digest, RevocationStore as _};
use cloakroom_testkit::RedisServer;
use jwt_shop::{Failure, open};
use std::sync::Arc;
use time::Duration;

const LIFE: Duration = Duration::minutes(6);
/// In a process: as many as a set holds unless it is told otherwise.
const MANY: u128 = 1_000_000;
/// In Redis.
const SOME: u128 = 50_000;
/// So many are sent at once.
const TOGETHER: u128 = 100;

pub(crate) async fn measure(server: &RedisServer, table: &mut Table) -> Result<(), Failure> {
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::new());
    for n in 0..MANY {
        memory.revoke_for(place(&memory, n), LIFE).await?;
    }
    let before = resident()?;
    let set = Revoked::builder(Arc::clone(&memory) as _).build().await?;
    let taken = resident()?.saturating_sub(before);
    if u128::from(set.stats().entries) != MANY {
        return Err(format!("{} entries were read", set.stats().entries).into());
    }
    let near = format!("{:.0} B", taken as f64 / MANY as f64);

    let redis = open(&server.url()).await?;
    let before = used(server).await?;
    for first in (0..SOME).step_by(TOGETHER as usize) {
        let all = (first..first + TOGETHER).map(|n| {
            let redis = Arc::clone(&redis);
            tokio::spawn(async move { redis.revoke_for(place(&redis, n), LIFE).await })
        });
        for revoked in all.collect::<Vec<_>>() {
            revoked.await??;
        }
    }
    let there = format!(
        "{:.0} B",
        (used(server).await? - before) as f64 / SOME as f64
    );
    let what = "memory per revoked entry: in each instance, in Redis";
    table.row(
        what,
        [
            "none: the session is gone".into(),
            format!("{near}, {there}"),
        ],
    );
    Ok(())
}

fn place(store: &Arc<dyn Store>, n: u128) -> Address {
    // Spread like digests are.
    let spread = n
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Address::of_digest(Digest::from_bytes(spread.to_be_bytes()), store.layout())
}

/// Bytes of this process that are in memory.
fn resident() -> Result<u64, Failure> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line
        .and_then(|rest| rest.split_whitespace().next())
        .ok_or("no VmRSS")?;
    Ok(kib.parse::<u64>()? * 1024)
}

/// Bytes that Redis uses.
async fn used(server: &RedisServer) -> Result<u64, Failure> {
    let info = server.command(&["INFO", "memory"]).await;
    let info: String = cloakroom_testkit::redis::from_redis_value(info)?;
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    Ok(line.ok_or("no used_memory")?.trim().parse()?)
}
