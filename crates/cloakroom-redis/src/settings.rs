//! What must be the same for all instances of a deployment, and what the server must be.

use crate::{Command, codec, keys::Keys, node::Node};
use cloakroom_core::{Error, ErrorKind, Result, UserHasher};

/// The oldest server that serves: the first with `COPY`.
const OLDEST: (u32, u32) = (6, 2);

/// Refuses a server that can't serve, and warns of one that would lose sessions.
pub(crate) async fn check_server(node: &Node) -> Result<()> {
    let info = node.call(Command::new("INFO")).await?;
    let info = codec::bytes(info)?;
    let info = String::from_utf8_lossy(&info);
    let version = field(&info, "redis_version").unwrap_or("unknown");
    if parse_version(version).is_none_or(|version| version < OLDEST) {
        return Err(Error::new(
            ErrorKind::Config,
            format!("the store's server has version {version}; Redis 6.2 or Valkey is needed"),
        ));
    }
    if field(&info, "redis_mode") == Some("cluster") {
        return Err(Error::new(
            ErrorKind::Config,
            "the store's server is a Redis Cluster node, which this version does not support; \
             use a single server",
        ));
    }
    if let Some(policy) = dangerous_policy(&info) {
        tracing::warn!(
            policy,
            "the server may evict live sessions when its memory is full: set maxmemory-policy to noeviction"
        );
    }
    Ok(())
}

/// Compares this instance's settings with the deployment's, or lays them down as the first.
pub(crate) async fn agree(node: &Node, keys: &Keys, users: &UserHasher) -> Result<()> {
    let key = keys.settings()?;
    let mine = [
        ("buckets", keys.buckets().len().to_string()),
        ("users", users.fingerprint()),
    ];
    let lay_down = |(name, value): &(&'static str, String)| {
        Command::new("HSETNX")
            .arg(key.clone())
            .arg(*name)
            .arg(value.clone())
    };
    let read =
        |(name, _): &(&'static str, String)| Command::new("HGET").arg(key.clone()).arg(*name);
    let commands = mine.iter().map(lay_down).chain(mine.iter().map(read));
    let replies = node.pipeline(commands.collect()).await?;
    for ((name, value), reply) in mine.iter().zip(replies.into_iter().skip(mine.len())) {
        let held = codec::bytes(reply)?;
        if held != value.as_bytes() {
            return Err(disagreement(name, value, &String::from_utf8_lossy(&held)));
        }
    }
    Ok(())
}

fn disagreement(name: &str, mine: &str, theirs: &str) -> Error {
    let message = match name {
        "buckets" => format!(
            "this deployment has {theirs} buckets and this instance was configured for {mine}; \
             configure all instances alike, or use another key prefix for a new deployment"
        ),
        _ => "this instance's user secret is not the deployment's; configure all instances alike, \
              or use another key prefix for a new deployment"
            .to_owned(),
    };
    Error::new(ErrorKind::Config, message)
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

    #[test]
    fn reads_what_info_says() {
        let info = "# Server\r\nredis_version:7.0.15\r\nmaxmemory:100\r\nmaxmemory_policy:volatile-lru\r\n";
        assert_eq!(
            parse_version(field(info, "redis_version").unwrap()),
            Some((7, 0))
        );
        assert_eq!(dangerous_policy(info), Some("volatile-lru"));
        assert_eq!(dangerous_policy(&info.replace(":100", ":0")), None);
        assert_eq!(
            dangerous_policy(&info.replace("volatile-lru", "noeviction")),
            None
        );
        assert!(parse_version("6.0.16").unwrap() < OLDEST);
        assert_eq!(parse_version("unknown"), None);
    }
}
