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
    const NOT_NOW: [&str; 11] = [
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
        "ASK",
    ];
    NOT_NOW.contains(&code(error))
}

/// Refusals of a server that is no longer the one to write to, or not yet.
pub(super) fn lost_its_role(error: &ServerError) -> bool {
    ["READONLY", "MASTERDOWN", "LOADING", "MOVED"].contains(&code(error))
}

/// The code of a refusal. Before Redis 7 a script's own error hides it: `ERR Error running script
/// (…): @user_script:1: -READONLY …`.
fn code(error: &ServerError) -> &str {
    let hidden = || {
        let words = error.detail.split_ascii_whitespace();
        words
            .filter_map(|word| word.strip_prefix('-'))
            .find(|word| word.len() > 2 && word.bytes().all(|b| b.is_ascii_uppercase()))
    };
    match error.code.as_str() {
        "ERR" if error.detail.starts_with("Error running script") => hidden().unwrap_or("ERR"),
        code => code,
    }
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
        "ERR" | "WRONGTYPE" => code(error).to_owned(),
        code => format!("{code} {}", error.detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_inside_a_script_is_found_before_redis_7() {
        let error = ServerError {
            code: "ERR".to_owned(),
            detail: "Error running script (call to f_0123): @user_script:13: @user_script: 13: \
                     -READONLY You can't write against a read only replica."
                .to_owned(),
        };
        assert!(did_not_run(&error) && lost_its_role(&error));
        assert_eq!(refused(&error).kind(), ErrorKind::Unavailable);
        assert_eq!(describe(&error), "READONLY");
    }
}
