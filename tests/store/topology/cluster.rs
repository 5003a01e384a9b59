//! What a cluster has beside moving: several masters at once.

use std::sync::Arc;

use cloakroom_core::{ErrorKind, Freshness, Health, Loaded, SessionStore, Touch};
use cloakroom_testkit::conformance::Instance;
use cloakroom_testkit::conformance::draft::{Draft, anonymous};
use cloakroom_testkit::{RedisServer, eventually};

use super::{cluster, shared_cluster, url};
use crate::store::access;
use crate::store::support::{LIMIT, builder_at};

#[tokio::test]
async fn each_bucket_lies_on_its_master() {
    let cluster = cluster().masters(3).replicas(0).start().await;
    let store = builder_at(url(&cluster)).connect().await.unwrap();
    for bucket in store.buckets().iter() {
        let new = anonymous(bucket).with("a", "1");
        store.create(&new).await.unwrap();
        assert!(matches!(
            store.load(new.at, Freshness::NOW).await.unwrap(),
            Loaded::Found { .. }
        ));
    }
    let mut sizes = Vec::new();
    for node in cluster.nodes() {
        sizes.push(node.dbsize().await);
        let stats = node.command_stats().await;
        assert_eq!(stats.get("publish"), None, "messages stay on their master");
    }
    assert_eq!(sizes.iter().sum::<u64>(), 65, "and the settings");
    assert!(
        sizes.iter().all(|size| (20..=24).contains(size)),
        "{sizes:?}"
    );
}

#[tokio::test]
async fn touches_of_many_buckets_are_one_pipeline_for_each_master() {
    let cluster = cluster().masters(3).replicas(0).start().await;
    let store = builder_at(url(&cluster)).connect().await.unwrap();
    let mut touches = Vec::new();
    for bucket in store.buckets().iter() {
        let new = anonymous(bucket);
        store.create(&new).await.unwrap();
        let ago = time::Duration::ZERO;
        touches.push(Touch { at: new.at, ago });
    }
    for node in cluster.nodes() {
        node.command(&["SCRIPT", "FLUSH", "SYNC"]).await;
        node.reset_stats().await;
    }
    store.touch(&touches).await.unwrap();
    let mut evals = 0;
    for node in cluster.nodes() {
        let stats = node.command_stats().await;
        assert!(stats["evalsha"] >= 20, "{stats:?}");
        evals += stats["eval"];
    }
    assert!(evals >= 3, "a script that was lost is sent as text");
}

/// Sharded messages arrive where the bucket is.
#[tokio::test]
async fn a_script_publishes_on_the_sharded_channel() {
    let cluster = cluster().masters(2).replicas(0).start().await;
    let store = builder_at(url(&cluster)).connect().await.unwrap();
    let mut published = 0;
    for bucket in store.buckets().iter() {
        let new = anonymous(bucket);
        store.create(&new).await.unwrap();
        store.end(new.at).await.unwrap();
    }
    for node in cluster.nodes() {
        let stats = node.command_stats().await;
        published += stats["spublish"];
        assert!(!stats.contains_key("publish"));
    }
    assert_eq!(published, 64);
}

#[tokio::test]
async fn a_node_that_is_away_at_the_start_is_no_hindrance_unless_all_are() {
    let cluster = cluster().masters(3).replicas(0).start().await;
    cluster.nodes()[2].kill();
    let store = builder_at(url(&cluster)).connect().await.unwrap();
    assert_eq!(store.health(), Health::Down);
    let first = anonymous(store.buckets().get(0).unwrap());
    store.create(&first).await.unwrap();
    let last = anonymous(store.buckets().get(63).unwrap());
    let error = store.create(&last).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    cluster.nodes()[2].restart().await;
    let back = || async { store.create(&last).await.is_ok() };
    assert!(eventually(LIMIT, back).await);
    for node in cluster.nodes() {
        node.kill();
    }
    let error = builder_at(url(&cluster)).connect().await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
}

#[tokio::test]
async fn a_url_for_one_server_does_not_lead_to_a_cluster() {
    let cluster = shared_cluster().await;
    let error = builder_at(cluster.nodes()[0].url())
        .connect()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("redis-cluster://"), "{error}");
}

#[tokio::test]
async fn a_clusters_url_does_not_lead_to_one_server() {
    let server = Arc::new(RedisServer::start().await);
    let url = server.url().replace("redis://", "redis-cluster://u:hush@");
    let ok = ["ACL", "SETUSER", "u", "on", ">hush", "~*", "&*", "+@all"];
    server.command(&ok).await;
    let error = builder_at(url).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let said = format!("{error} {error:?}");
    assert!(
        said.contains("not in a Redis Cluster") && said.contains("redis://"),
        "{said}"
    );
    assert!(!said.contains("hush"), "{said}");
}

#[tokio::test]
async fn the_permissions_in_the_manual_suffice() {
    let cluster = cluster().masters(2).replicas(0).start().await;
    let more = ["+cluster|info", "+cluster|slots", "+asking", "+spublish"];
    let documented = access::documented();
    let rules = documented.iter().filter(|rule| **rule != "+publish");
    for node in cluster.nodes() {
        let user = ["ACL", "SETUSER", "app", "reset", "on", ">pass"];
        let rules: Vec<_> = rules.clone().copied().collect();
        node.command(&[&user[..], &rules, &more].concat()).await;
    }
    let url = url(&cluster).replace("://", "://app:pass@");
    let store = builder_at(url).prefix("shop:").connect().await.unwrap();
    let store = Instance::new(Arc::new(store));
    access::everything(&store).await;
    for node in cluster.nodes() {
        node.command(&["SCRIPT", "FLUSH"]).await;
    }
    access::everything(&store).await;
}
