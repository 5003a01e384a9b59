//! Deployments of four instances, each under a key prefix of its own.

use std::fmt::Debug;
use std::sync::Arc;

use cloakroom_core::{BoxFuture, Buckets, Channel, SessionStore};
use cloakroom_near::{Limits, NearStore};
use cloakroom_redis::Driver;
use cloakroom_testkit::conformance::{Backing, Fixture};
use cloakroom_testkit::redis::{FromRedisValue, from_redis_value};
use cloakroom_testkit::{RedisCluster, RedisSentinel, RedisServer, eventually};
use time::{Duration, OffsetDateTime};

use crate::shared::{PASS, server};
use crate::store::support::{LIMIT, builder_of};

/// Four instances of one deployment.
pub(crate) async fn fixture(driver: impl Driver + Copy, case: &str) -> Fixture {
    let server = server().await;
    fixture_on(driver, &server.url(), Arc::clone(&server), case).await
}

/// The same, each with copies.
pub(crate) async fn near_fixture(driver: impl Driver + Copy, case: &str) -> Fixture {
    let server = server().await;
    near_fixture_on(driver, &server.url(), Arc::clone(&server), case).await
}

/// Servers of which some hold a deployment's data.
pub(crate) trait Servers: Debug + Send + Sync + 'static {
    /// Those that do.
    fn masters(&self) -> Vec<&RedisServer>;
}

impl Servers for Arc<RedisServer> {
    fn masters(&self) -> Vec<&RedisServer> {
        vec![self]
    }
}

/// As long as nothing fails.
impl Servers for Arc<RedisCluster> {
    fn masters(&self) -> Vec<&RedisServer> {
        let nodes = self.nodes().iter();
        nodes.take(3).map(|node| &**node).collect()
    }
}

/// As long as nothing fails.
impl Servers for Arc<RedisSentinel> {
    fn masters(&self) -> Vec<&RedisServer> {
        vec![&self.servers()[0]]
    }
}

/// Four instances on whatever a URL names.
pub(crate) async fn fixture_on(
    driver: impl Driver + Copy,
    url: &str,
    servers: impl Servers,
    case: &str,
) -> Fixture {
    let prefix = format!("{driver:?}.{case}:");
    let mut stores: Vec<Arc<dyn SessionStore>> = Vec::new();
    for _ in 0..4 {
        let store = builder_of(driver, url).prefix(&prefix).connect();
        stores.push(Arc::new(store.await.unwrap()));
    }
    let deployment = Deployment {
        servers: Box::new(servers),
        prefix,
        copies: Vec::new(),
    };
    Fixture::new(stores, deployment)
}

/// The same, each with copies.
pub(crate) async fn near_fixture_on(
    driver: impl Driver + Copy,
    url: &str,
    servers: impl Servers,
    case: &str,
) -> Fixture {
    let prefix = format!("near.{driver:?}.{case}:");
    let (mut pairs, mut copies) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let store = builder_of(driver, url)
            .prefix(&prefix)
            .buckets(8)
            .renewal_interval(Duration::milliseconds(5))
            .connect();
        let truth: Arc<dyn SessionStore> = Arc::new(store.await.unwrap());
        let near = NearStore::new(Arc::clone(&truth), Limits::default());
        copies.extend(truth.channel());
        pairs.push((Arc::new(near) as Arc<dyn SessionStore>, truth));
    }
    let deployment = Deployment {
        servers: Box::new(servers),
        prefix,
        copies,
    };
    Fixture::near(pairs, deployment)
}

/// Counts live sessions, and names every key that is neither a whole session, nor a mark, nor an
/// index, nor what belongs to the deployment or the channel.
const AUDIT: &str = "
local live, strange = 0, {}
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  local kind = string.match(key, '}:(%a+)')
  local type, expires = redis.call('TYPE', key).ok, redis.call('PTTL', key) >= 0
  if kind == 's' and type == 'hash' and expires then
    local header = redis.call('HMGET', key, '~s', '~d', '~r', '~h', '~c', '~t', '~x', '~i', '~z')
    local whole = not header[1]
    for i = 2, 9 do whole = whole and header[i] end
    if whole then live = live + 1
    elseif not (header[1] and redis.call('HLEN', key) == 1) then strange[#strange + 1] = key end
  elseif not (kind == 'u' and type == 'zset' and expires)
      and kind ~= 'settings' and kind ~= 'seq' and kind ~= 'epoch' then
    strange[#strange + 1] = key
  end
end
return {live, strange}
";

/// The keys of one deployment.
#[derive(Debug)]
struct Deployment {
    servers: Box<dyn Servers>,
    prefix: String,
    /// The channels of those who keep copies.
    copies: Vec<Arc<Channel>>,
}

impl Deployment {
    /// Runs a script on each server that holds data.
    async fn run<T: FromRedisValue>(&self, script: &str, argument: &str) -> Vec<T> {
        let command = ["EVAL", script, "0", &self.prefix, argument];
        let mut answers = Vec::new();
        for master in self.servers.masters() {
            let answer = from_redis_value(master.command(&command).await);
            answers.push(answer.expect("the script's answer"));
        }
        answers
    }
}

impl Deployment {
    /// Cuts all subscriptions, and waits until they are back and no copy is used any more.
    async fn doubt_copies(&self) {
        let buckets = Buckets::default();
        let terms = || -> Vec<_> {
            let copies = self.copies.iter();
            let all = copies.flat_map(|channel| buckets.iter().map(|b| channel.lease(b).term));
            all.collect()
        };
        let before = terms();
        for server in self.servers.masters() {
            server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        }
        let anew = || async {
            let now = terms();
            now.iter().zip(&before).all(|(now, before)| now > before)
        };
        assert!(eventually(LIMIT, anew).await);
        // Until then a copy may be used because it was read a moment ago.
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    }
}

impl Backing for Deployment {
    fn now(&self) -> BoxFuture<'_, OffsetDateTime> {
        Box::pin(async {
            let time = self.servers.masters()[0].command(&["TIME"]).await;
            let (seconds, micros): (i64, i64) = from_redis_value(time).expect("a time");
            OffsetDateTime::from_unix_timestamp(seconds).unwrap() + Duration::microseconds(micros)
        })
    }

    fn pass(&self, by: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let milliseconds = by.whole_milliseconds().to_string();
            self.run::<()>(PASS, &milliseconds).await;
            // Time does not pass so: no copy can know of it, unless it must be read anew.
            if !self.copies.is_empty() {
                self.doubt_copies().await;
            }
        })
    }

    fn sessions(&self) -> BoxFuture<'_, usize> {
        Box::pin(async {
            let audits: Vec<(usize, Vec<String>)> = self.run(AUDIT, "").await;
            let strange: Vec<_> = audits.iter().flat_map(|(_, strange)| strange).collect();
            assert!(strange.is_empty(), "no session: {strange:?}");
            audits.iter().map(|(live, _)| live).sum()
        })
    }
}
