//! One server for all cases that need none of their own, each under a key prefix.

use std::sync::{Arc, Weak};

use cloakroom_testkit::RedisServer;
use tokio::sync::Mutex;

/// The server that tests share as long as one of them needs it. The last one ends it: nothing
/// stays behind when the binary ends.
pub(crate) async fn server() -> Arc<RedisServer> {
    static SHARED: Mutex<Weak<RedisServer>> = Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let server = Arc::new(RedisServer::start().await);
    *shared = Arc::downgrade(&server);
    server
}

/// Makes every session of a deployment older, as if this much time had passed: what it says of
/// the past moves back, and the server's own expiry comes nearer. Takes the prefix and milliseconds.
pub(crate) const PASS: &str = "
local by = tonumber(ARGV[2])
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  local left = redis.call('PTTL', key)
  if left >= 0 and left <= by then
    redis.call('DEL', key)
  elseif left >= 0 then
    if redis.call('TYPE', key).ok == 'hash' then
      for _, field in ipairs({'~c', '~t', '~x', '~a'}) do
        if redis.call('HEXISTS', key, field) == 1 then
          redis.call('HINCRBY', key, field, -by)
        end
      end
    end
    redis.call('PEXPIRE', key, left - by)
  end
end
";
