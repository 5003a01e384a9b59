//! What is asked of a server in one round trip.

use crate::{Command, Reply, scripts::Script};
use bytes::Bytes;
use cloakroom_core::Bucket;

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
}

impl Request<'_> {
    /// What is sent to a server that holds the scripts under these hashes.
    pub(super) fn commands(&self, hashes: &[Bytes]) -> Vec<Command> {
        let by_hash = |script: Script| Command::new("EVALSHA").arg(hashes[script.index()].clone());
        match self {
            Self::Script(script, keys, argv) => vec![with_keys(by_hash(*script), keys, argv)],
            Self::Scripts(script, runs) => {
                let run = |run: &Run| with_keys(by_hash(*script), &run.keys, &run.argv);
                runs.iter().map(run).collect()
            }
            Self::Commands(commands) => commands.to_vec(),
        }
    }

    /// What is sent instead when the server has lost the script. It did not run, so sending it
    /// again runs it once.
    pub(super) fn by_text(&self, replies: &[Reply]) -> Option<Command> {
        match (self, replies) {
            (Self::Script(script, keys, argv), [reply]) if is_lost(reply) => {
                let source = Bytes::from_static(script.source().as_bytes());
                Some(with_keys(Command::new("EVAL").arg(source), keys, argv))
            }
            _ => None,
        }
    }
}

/// Whether a server has lost a script that it was to run.
pub(crate) fn is_lost(reply: &Reply) -> bool {
    matches!(reply, Reply::Error(e) if e.code == "NOSCRIPT")
}

fn with_keys(command: Command, keys: &[Bytes], argv: &[Bytes]) -> Command {
    command
        .arg(keys.len().to_string())
        .args(keys.iter().cloned())
        .args(argv.iter().cloned())
}
