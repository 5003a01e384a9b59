//! Slots that move.

use cloakroom_testkit::redis::Value;
use cloakroom_testkit::{ClusterNode, RedisCluster};

/// A cluster of two masters and a slot of the first with 250 keys.
async fn with_keys() -> (RedisCluster, u16) {
    let cluster = RedisCluster::builder().masters(2).replicas(0).start().await;
    let slot = cluster.slot_of("{tag}").await;
    let master = cluster.master_of_slot(slot).await;
    for n in 0..250 {
        master.command(&["SET", &format!("{{tag}}{n}"), "v"]).await;
    }
    (cluster, slot)
}

async fn other<'a>(cluster: &'a RedisCluster, node: &ClusterNode) -> &'a ClusterNode {
    let masters = cluster.masters().await;
    masters
        .into_iter()
        .find(|other| other.id() != node.id())
        .unwrap()
}

async fn error_of(node: &ClusterNode, args: &[&str]) -> String {
    let error = node.try_command(args).await.unwrap_err();
    error.code().unwrap().to_owned()
}

#[tokio::test]
async fn a_slot_moves_with_all_its_keys_and_back() {
    let (cluster, slot) = with_keys().await;
    let from = cluster.master_of_slot(slot).await;
    let to = other(&cluster, from).await;
    cluster.migrate_slot(slot, to).await;
    cluster.wait_until_settled().await;
    assert_eq!(cluster.master_of_slot(slot).await.id(), to.id());
    assert_eq!((from.dbsize().await, to.dbsize().await), (0, 250));
    assert_eq!(error_of(from, &["GET", "{tag}1"]).await, "MOVED");
    cluster.migrate_slot(slot, from).await;
    cluster.wait_until_settled().await;
    assert_eq!((from.dbsize().await, to.dbsize().await), (250, 0));
}

#[tokio::test]
async fn a_slot_half_moved_answers_ask_and_tryagain() {
    let (cluster, slot) = with_keys().await;
    let from = cluster.master_of_slot(slot).await;
    let to = other(&cluster, from).await;
    let migration = cluster.open_migration(slot, to).await;
    assert_eq!(migration.move_keys(100).await, 100);
    let mut moved = None;
    let mut stayed = None;
    for key in (0..250).map(|n| format!("{{tag}}{n}")) {
        match from.try_command(&["GET", &key]).await {
            Ok(_) => stayed = Some(key),
            Err(error) => {
                assert_eq!(error.code(), Some("ASK"), "{error}");
                moved = Some(key);
            }
        }
    }
    let (moved, stayed) = (moved.unwrap(), stayed.unwrap());
    assert_eq!(error_of(from, &["MGET", &moved, &stayed]).await, "TRYAGAIN");
    while migration.move_keys(100).await > 0 {}
    migration.close().await;
    cluster.wait_until_settled().await;
    let value = to.command(&["GET", &stayed]).await;
    assert_eq!(value, Value::BulkString(b"v".to_vec()));
}

/// Where the server can; where it can't, it says so.
#[tokio::test]
async fn slots_move_as_a_whole_where_the_server_can() {
    let (cluster, slot) = with_keys().await;
    let from = cluster.master_of_slot(slot).await;
    let to = other(&cluster, from).await;
    let command = ["CLUSTER", "MIGRATESLOTS"];
    let known = !error_text(from, &command)
        .await
        .contains("unknown subcommand");
    assert_eq!(cluster.migrates_atomically().await, known);
    if known {
        cluster.migrate_slots_atomically(slot..=slot, to).await;
        cluster.wait_until_settled().await;
        assert_eq!(cluster.master_of_slot(slot).await.id(), to.id());
        assert_eq!((from.dbsize().await, to.dbsize().await), (0, 250));
    }
}

async fn error_text(node: &ClusterNode, args: &[&str]) -> String {
    let error = node.try_command(args).await.unwrap_err();
    error.to_string().to_lowercase()
}
