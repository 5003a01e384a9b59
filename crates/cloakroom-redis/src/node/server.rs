//! What a server says of itself.

use crate::{DriverError, Reply};

/// The oldest server that serves: the first with `COPY`.
const OLDEST: (u32, u32) = (6, 2);
/// The oldest that serves in a cluster: the first with sharded pub/sub.
const OLDEST_IN_CLUSTER: (u32, u32) = (7, 0);

/// A server, by its `INFO`.
#[derive(Debug)]
pub(super) struct Server {
    version: String,
    pub(super) in_cluster: bool,
    /// Differs from one start of a server program to the next.
    pub(super) run: String,
    /// The eviction policy, if it would lose sessions.
    dangerous_policy: Option<String>,
}

impl Server {
    /// Reads what `INFO` answered.
    pub(super) fn read(info: Option<Reply>) -> Result<Self, DriverError> {
        let Some(Reply::Bytes(info)) = info else {
            return Err(DriverError::lost("INFO answered no text"));
        };
        let info = String::from_utf8_lossy(&info);
        // Valkey may call it so.
        let mode = field(&info, "redis_mode").or_else(|| field(&info, "server_mode"));
        Ok(Self {
            version: field(&info, "redis_version")
                .unwrap_or("unknown")
                .to_owned(),
            in_cluster: mode == Some("cluster"),
            run: field(&info, "run_id").unwrap_or_default().to_owned(),
            dangerous_policy: dangerous_policy(&info).map(str::to_owned),
        })
    }

    /// Refuses a server that can't serve.
    pub(super) fn check(&self, in_cluster: bool) -> Result<(), DriverError> {
        let version = &self.version;
        let oldest = if in_cluster {
            OLDEST_IN_CLUSTER
        } else {
            OLDEST
        };
        if parse_version(version).is_none_or(|version| version < oldest) {
            let (major, minor) = oldest;
            let place = if in_cluster { " in a cluster" } else { "" };
            return Err(DriverError::refused(format!(
                "the store's server has version {version}; Redis {major}.{minor} or Valkey is needed{place}"
            )));
        }
        match (self.in_cluster, in_cluster) {
            (true, false) => Err(DriverError::refused(
                "the store's server is a node of a Redis Cluster; use redis-cluster:// or rediss-cluster://",
            )),
            (false, true) => Err(DriverError::refused(
                "the store's server is not in a Redis Cluster; use redis:// or rediss://",
            )),
            _ => Ok(()),
        }
    }

    /// Warns of a server that would lose sessions.
    pub(super) fn warn(&self) {
        if let Some(policy) = &self.dangerous_policy {
            tracing::warn!(
                policy,
                "the server may evict live sessions when its memory is full: set maxmemory-policy to noeviction"
            );
        }
    }
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = info.lines().filter_map(|line| line.split_once(':'));
    lines
        .find(|(field, _)| *field == name)
        .map(|(_, value)| value.trim())
}

fn parse_version(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

fn dangerous_policy(info: &str) -> Option<&str> {
    let limited = field(info, "maxmemory").is_some_and(|bytes| bytes != "0");
    // Every session has an expiry, so volatile-* policies evict sessions just as allkeys-* do.
    field(info, "maxmemory_policy").filter(|policy| limited && *policy != "noeviction")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(info: &str) -> Server {
        Server::read(Some(Reply::Bytes(info.to_owned().into()))).unwrap()
    }

    #[test]
    fn reads_what_info_says() {
        let info = "# Server\r\nredis_version:7.0.15\r\nrun_id:ab\r\nmaxmemory:100\r\nmaxmemory_policy:volatile-lru\r\n";
        let read = server(info);
        assert_eq!((&*read.version, &*read.run), ("7.0.15", "ab"));
        assert_eq!(read.dangerous_policy.as_deref(), Some("volatile-lru"));
        assert_eq!(dangerous_policy(&info.replace(":100", ":0")), None);
        assert_eq!(
            dangerous_policy(&info.replace("volatile-lru", "noeviction")),
            None
        );
    }

    /// Version × mode → where it may serve.
    #[test]
    fn a_server_serves_where_it_belongs() {
        for (version, mode, alone, in_cluster) in [
            ("6.0.16", "standalone", false, false),
            ("6.2.0", "standalone", true, false),
            ("7.2.4", "standalone", true, false),
            ("6.2.14", "cluster", false, false),
            ("7.0.15", "cluster", false, true),
            ("8.0.0", "cluster", false, true),
            ("unknown", "cluster", false, false),
            ("", "standalone", false, false),
        ] {
            for name in ["redis_mode", "server_mode"] {
                let server = server(&format!("redis_version:{version}\r\n{name}:{mode}\r\n"));
                assert_eq!(server.check(false).is_ok(), alone, "{version} {mode}");
                assert_eq!(server.check(true).is_ok(), in_cluster, "{version} {mode}");
            }
        }
    }
}
