//! What must be the same for all instances of a deployment.

use crate::{Command, codec, keys::Keys, topology::Servers};
use cloakroom_core::{Error, ErrorKind, Result, UserHasher};

/// Compares this instance's settings with the deployment's, or lays them down as the first.
pub(crate) async fn agree(servers: &Servers, keys: &Keys, users: &UserHasher) -> Result<()> {
    let (bucket, key) = keys.settings()?;
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
    let replies = servers.pipeline(bucket, commands.collect()).await?;
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
