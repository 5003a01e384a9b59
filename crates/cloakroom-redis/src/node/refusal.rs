//! What a server's refusals mean.

use crate::{Reply, ServerError};
use cloakroom_core::{Error, ErrorKind, Result};

/// A server's refusal as an error; anything else as it is.
pub(super) fn answered(reply: Reply) -> Result<Reply> {
    match reply {
        Reply::Error(e) => Err(refused(&e)),
        reply => Ok(reply),
    }
}

fn refused(error: &ServerError) -> Error {
    let kind = match error.code.as_str() {
        "NOAUTH" | "WRONGPASS" | "NOPERM" => ErrorKind::Config,
        _ if forbids_a_script(error) => ErrorKind::Config,
        _ if did_not_run(error) => ErrorKind::Unavailable,
        _ => ErrorKind::Corrupt,
    };
    Error::new(kind, format!("the store refused: {}", describe(error)))
}

/// Refusals that say nothing about what was asked: the server can't serve at the moment.
pub(super) fn did_not_run(error: &ServerError) -> bool {
    const NOT_NOW: [&str; 10] = [
        "LOADING",
        "BUSY",
        "OOM",
        "READONLY",
        "MASTERDOWN",
        "NOREPLICAS",
        "MISCONF",
        "CLUSTERDOWN",
        "TRYAGAIN",
        "MOVED",
    ];
    NOT_NOW.contains(&error.code.as_str())
}

/// Whether the user may run a script, but not what the script does: no code of its own tells it.
fn forbids_a_script(error: &ServerError) -> bool {
    // Redis 7.0 and before, then later ones and Valkey.
    let said = [
        "The user executing the script can't",
        "ACL failure in script",
    ];
    error.code == "ERR" && said.iter().any(|words| error.detail.starts_with(words))
}

pub(super) fn describe(error: &ServerError) -> String {
    // A script's error may quote its arguments after the first sentence; the code is enough.
    match error.code.as_str() {
        _ if forbids_a_script(error) => {
            "NOPERM in a script; the manual lists what the user must be allowed".to_owned()
        }
        "ERR" | "WRONGTYPE" => error.code.clone(),
        code => format!("{code} {}", error.detail),
    }
}
