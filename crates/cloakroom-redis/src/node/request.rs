//! What is asked of a server in one round trip.

use crate::{Command, Reply, scripts::Script};
use bytes::Bytes;
use cloakroom_core::Bucket;
use std::time::Duration;

/// One run of a script, and the bucket whose keys it is given.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) bucket: Bucket,
    pub(crate) keys: Vec<Bytes>,
    pub(crate) argv: Vec<Bytes>,
}

/// What is asked of a server in one round trip.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Request<'a> {
    /// One script, by its hash, and by its text when the server has lost it.
    Script(Script, &'a [Bytes], &'a [Bytes]),
    /// One script many times, by its hash alone.
    Scripts(Script, &'a [Run]),
    /// Commands.
    Commands(&'a [Command]),
    /// Scripts, and then the question how many replicas have what they did: one more answer.
    Confirmed(&'a Request<'a>, &'a Confirmation),
}

/// What replicas are asked to confirm.
#[derive(Debug, Clone)]
pub(crate) struct Confirmation {
    /// A key of the server's, to write to: replicas that have that have all before it.
    pub(crate) key: Bytes,
    /// By so many of them.
    pub(crate) replicas: u32,
    /// In this time.
    pub(crate) within: Duration,
}

impl Request<'_> {
    /// What is sent to a server that holds the scripts under these hashes.
    pub(super) fn commands(&self, hashes: &[Bytes], in_cluster: bool) -> Vec<Command> {
        let by_hash = |script: Script| Command::new("EVALSHA").arg(hashes[script.index()].clone());
        let run = |script, keys, argv| {
            let guard = guard(script, keys, in_cluster);
            with_keys(by_hash(script), keys, guard, argv)
        };
        match self {
            Self::Script(script, keys, argv) => vec![run(*script, keys, argv)],
            Self::Scripts(script, runs) => {
                let runs = runs.iter();
                runs.map(|r| run(*script, &r.keys, &r.argv)).collect()
            }
            Self::Commands(commands) => commands.to_vec(),
            Self::Confirmed(scripts, _) => scripts.commands(hashes, in_cluster),
        }
    }

    /// Whether it runs one script, whose answer says that the server serves.
    pub(super) fn is_script(&self) -> bool {
        match self {
            Self::Script(..) => true,
            Self::Scripts(..) | Self::Commands(_) => false,
            Self::Confirmed(scripts, _) => scripts.is_script(),
        }
    }

    /// What is sent instead when the server has lost the script. It did not run, so sending it
    /// again runs it once.
    pub(super) fn by_text(&self, replies: &[Reply], in_cluster: bool) -> Option<Command> {
        match (self, replies) {
            (Self::Script(script, keys, argv), [reply]) if is_lost(reply) => {
                let source = Bytes::from_static(script.source().as_bytes());
                let command = Command::new("EVAL").arg(source);
                let guard = guard(*script, keys, in_cluster);
                Some(with_keys(command, keys, guard, argv))
            }
            (Self::Confirmed(scripts, _), replies) => scripts.by_text(replies, in_cluster),
            _ => None,
        }
    }
}

/// A key that never exists, for a script that touches more keys than it is given.
///
/// While a slot moves key by key, such a script would find some of its keys on one node and some
/// on the other: those that have not arrived look as if they were gone, and an index would lose
/// its entries. A node that is asked for several keys of a moving slot, and lacks one, answers
/// `TRYAGAIN`; so with a key that is nowhere the script waits until the slot has moved. Redis
/// needs no such key when no slot is moving.
fn guard(script: Script, keys: &[Bytes], in_cluster: bool) -> Option<Bytes> {
    let first = keys
        .first()
        .filter(|_| in_cluster && script.reaches_further())?;
    Some([first, b":nowhere".as_slice()].concat().into())
}

/// Whether a server has lost a script that it was to run.
pub(crate) fn is_lost(reply: &Reply) -> bool {
    matches!(reply, Reply::Error(e) if e.code == "NOSCRIPT")
}

fn with_keys(command: Command, keys: &[Bytes], guard: Option<Bytes>, argv: &[Bytes]) -> Command {
    let count = keys.len() + usize::from(guard.is_some());
    command
        .arg(count.to_string())
        .args(keys.iter().cloned().chain(guard))
        .args(argv.iter().cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(script: Script, in_cluster: bool) -> Vec<String> {
        let (keys, argv) = ([Bytes::from_static(b"{t}k")], [Bytes::from_static(b"a")]);
        let hashes: Vec<_> = Script::sources()
            .map(|_| Bytes::from_static(b"h"))
            .collect();
        let request = Request::Script(script, &keys, &argv);
        let commands = request.commands(&hashes, in_cluster);
        let text = |part: &Bytes| String::from_utf8_lossy(part).into_owned();
        commands[0].parts().iter().map(text).collect()
    }

    #[test]
    fn in_a_cluster_a_script_that_reaches_further_waits_for_a_moving_slot() {
        let plain = ["EVALSHA", "h", "1", "{t}k", "a"];
        assert_eq!(sent(Script::List, false), plain);
        assert_eq!(sent(Script::Touch, true), plain);
        let guarded = ["EVALSHA", "h", "2", "{t}k", "{t}k:nowhere", "a"];
        assert_eq!(sent(Script::List, true), guarded);
    }
}
