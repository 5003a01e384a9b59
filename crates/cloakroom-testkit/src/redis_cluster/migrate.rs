//! Moving slots from one master to another.

use std::ops::RangeInclusive;

use redis::Value;

use super::{ClusterNode, LIMIT, RedisCluster};
use crate::poll::eventually;

/// How many keys move at once.
const BATCH: usize = 100;

/// How long the move of one batch may take, in milliseconds, as the command wants it.
const BATCH_LIMIT: &str = "5000";

/// A slot on its way, key by key: clients are told `ASK` for keys that have moved and `TRYAGAIN`
/// for commands over keys of which some have. Made by [`RedisCluster::open_migration`].
#[derive(Debug)]
#[must_use = "a migration stays open until it is closed"]
pub struct SlotMigration<'a> {
    cluster: &'a RedisCluster,
    slot: String,
    from: &'a ClusterNode,
    to: &'a ClusterNode,
}

impl RedisCluster {
    /// Moves a slot with all its keys to the master `to`, key by key, and tells every master.
    ///
    /// # Panics
    ///
    /// If a server refuses a step, or doesn't answer within 5 seconds.
    pub async fn migrate_slot(&self, slot: u16, to: &ClusterNode) {
        let migration = self.open_migration(slot, to).await;
        while migration.move_keys(BATCH).await > 0 {}
        migration.close().await;
    }

    /// Declares a slot as on its way to the master `to`, and moves nothing yet.
    ///
    /// # Panics
    ///
    /// If a server refuses it, for instance because `to` has the slot already.
    pub async fn open_migration<'a>(&'a self, slot: u16, to: &'a ClusterNode) -> SlotMigration<'a> {
        let from = self.master_of_slot(slot).await;
        let slot = slot.to_string();
        let set = |state, peer| ["CLUSTER", "SETSLOT", slot.as_str(), state, peer];
        to.command(&set("IMPORTING", from.id())).await;
        from.command(&set("MIGRATING", to.id())).await;
        SlotMigration {
            cluster: self,
            slot,
            from,
            to,
        }
    }

    /// Whether the servers can move slots as a whole (`CLUSTER MIGRATESLOTS`, Valkey 9).
    pub async fn migrates_atomically(&self) -> bool {
        let node = self.nodes.iter().find(|node| node.is_running());
        let node = node.expect("one node at least runs");
        let info = node.command(&["COMMAND", "INFO", "cluster|migrateslots"]);
        matches!(info.await, Value::Array(list) if matches!(list[..], [Value::Array(_)]))
    }

    /// Moves slots that one master serves to the master `to` as a whole, and waits until `to`
    /// serves them. Clients are told `MOVED` from one moment on, and never `ASK`.
    ///
    /// # Panics
    ///
    /// If the servers [can't](RedisCluster::migrates_atomically), or haven't within 30 seconds.
    pub async fn migrate_slots_atomically(&self, slots: RangeInclusive<u16>, to: &ClusterNode) {
        let from = self.master_of_slot(*slots.start()).await;
        let (first, last) = (slots.start().to_string(), slots.end().to_string());
        let command = ["CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", &first, &last];
        let command = [&command[..], &["NODE", to.id()]].concat();
        from.command(&command).await;
        let arrived = eventually(LIMIT, || async {
            let view = to.view().await;
            let own = view.as_ref().and_then(|view| view.own());
            own.is_some_and(|own| slots.clone().all(|slot| own.serves(slot)))
        });
        let arrived = arrived.await;
        if !arrived {
            let jobs = from.try_command(&["CLUSTER", "GETSLOTMIGRATIONS"]).await;
            panic!("the slots did not arrive within {LIMIT:?}: {jobs:?}");
        }
    }
}

impl SlotMigration<'_> {
    /// Moves up to `count` keys and answers how many were found: none when all have moved.
    ///
    /// # Panics
    ///
    /// If a server refuses, or doesn't answer within 5 seconds.
    pub async fn move_keys(&self, count: usize) -> usize {
        let count = count.to_string();
        let get = ["CLUSTER", "GETKEYSINSLOT", &self.slot, &count];
        let keys = redis::from_redis_value(self.from.command(&get).await);
        let keys: Vec<Vec<u8>> = keys.expect("GETKEYSINSLOT answers a list");
        if keys.is_empty() {
            return 0;
        }
        let port = self.to.port().to_string();
        let migrate = ["MIGRATE", "127.0.0.1", &port, "", "0", BATCH_LIMIT, "KEYS"];
        let words = migrate.iter().map(|word| word.as_bytes());
        let words: Vec<&[u8]> = words.chain(keys.iter().map(Vec::as_slice)).collect();
        self.from.command(&words).await;
        keys.len()
    }

    /// Gives the slot to its new master, and tells every master that runs.
    ///
    /// # Panics
    ///
    /// If a server refuses it: the old master does as long as it has keys of the slot.
    pub async fn close(self) {
        // The new master first: there must be one that takes the slot when the old one lets it go.
        let others = self.cluster.masters().await;
        let parties = [self.to.id(), self.from.id()];
        let others = others
            .into_iter()
            .filter(|node| !parties.contains(&node.id()));
        for node in [self.to, self.from].into_iter().chain(others) {
            let set = ["CLUSTER", "SETSLOT", &self.slot, "NODE", self.to.id()];
            node.command(&set).await;
        }
    }
}
