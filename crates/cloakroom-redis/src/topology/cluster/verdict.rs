//! What a node of a cluster means when it does not do what it was asked.

use super::survey;
use crate::{Endpoint, Reply, ServerError};

/// What to do instead. In each case nothing was done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The bucket has moved there.
    Moved(Endpoint),
    /// The bucket is moving there, and what was asked for may be there already.
    Ask(Endpoint),
    /// Not now.
    Later,
    /// It can't be meant for us.
    Nonsense,
}

/// The first refusal among the replies to a request for the keys of one slot, if it is one of
/// these; `None` when the request was answered.
pub(super) fn verdict(replies: &[Reply], slot: u16, asked: &Endpoint) -> Option<Verdict> {
    replies.iter().find_map(|reply| match reply {
        Reply::Error(error) => of(error, slot, asked),
        _ => None,
    })
}

/// Whether a reply is a refusal of these.
pub(crate) fn is_one(reply: &Reply) -> bool {
    const THESE: [&str; 7] = [
        "MOVED",
        "ASK",
        "TRYAGAIN",
        "CLUSTERDOWN",
        "LOADING",
        "MASTERDOWN",
        "READONLY",
    ];
    matches!(reply, Reply::Error(error) if THESE.contains(&&*error.code))
}

/// What the first of the refusals is called.
pub(super) fn code(replies: &[Reply]) -> Option<String> {
    replies.iter().find_map(|reply| match reply {
        Reply::Error(error) => Some(error.code.clone()),
        _ => None,
    })
}

fn of(error: &ServerError, slot: u16, asked: &Endpoint) -> Option<Verdict> {
    let there = || target(&error.detail, slot, asked);
    match &*error.code {
        "MOVED" => Some(there().map_or(Verdict::Nonsense, Verdict::Moved)),
        "ASK" => Some(there().map_or(Verdict::Nonsense, Verdict::Ask)),
        "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" | "READONLY" => Some(Verdict::Later),
        _ => None,
    }
}

/// Reads `3999 127.0.0.1:6381`; the host may be empty, an IPv6 address, or a name.
fn target(detail: &str, slot: u16, asked: &Endpoint) -> Option<Endpoint> {
    let (of, address) = detail.trim().split_once(' ')?;
    // Another slot's would be the answer to somebody else's question.
    if of.parse() != Ok(slot) {
        return None;
    }
    let (host, port) = address.rsplit_once(':')?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    survey::endpoint(bare.unwrap_or(host), port.parse().ok()?, asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: &str) -> Reply {
        let (code, detail) = line.split_once(' ').unwrap_or((line, ""));
        Reply::Error(ServerError {
            code: code.to_owned(),
            detail: detail.to_owned(),
        })
    }

    fn read(line: &str) -> Option<Verdict> {
        let asked = Endpoint::parse("rediss://app:secret@asked:7000").unwrap();
        let (done, refused) = (Reply::Int(1), refusal(line));
        assert_eq!(
            verdict(&[done.clone(), refused.clone()], 3999, &asked),
            verdict(&[refused], 3999, &asked)
        );
        assert_eq!(verdict(&[done], 3999, &asked), None);
        verdict(&[refusal(line)], 3999, &asked)
    }

    fn at(host: &str, port: u16) -> Endpoint {
        Endpoint::parse("rediss://app:secret@x")
            .unwrap()
            .at(host, port)
    }

    #[test]
    fn where_to_go_is_read() {
        for (line, expected) in [
            (
                "MOVED 3999 127.0.0.1:6381",
                Verdict::Moved(at("127.0.0.1", 6381)),
            ),
            ("MOVED 3999 :6381", Verdict::Moved(at("asked", 6381))),
            ("MOVED 3999 ::1:6381", Verdict::Moved(at("::1", 6381))),
            ("MOVED 3999 [::1]:6381", Verdict::Moved(at("::1", 6381))),
            (
                "ASK 3999 node-2.cache.internal:1",
                Verdict::Ask(at("node-2.cache.internal", 1)),
            ),
            (
                "TRYAGAIN Multiple keys request during rehashing of slot",
                Verdict::Later,
            ),
            ("CLUSTERDOWN The cluster is down", Verdict::Later),
            ("LOADING", Verdict::Later),
            ("MASTERDOWN x", Verdict::Later),
            (
                "READONLY You can't write against a read only replica.",
                Verdict::Later,
            ),
        ] {
            assert_eq!(read(line), Some(expected), "{line}");
            assert!(is_one(&refusal(line)));
        }
    }

    #[test]
    fn hostile_ones_lead_nowhere() {
        for line in [
            "MOVED",
            "MOVED 3999",
            "MOVED 3999 ",
            "MOVED 3999 host",
            "MOVED 3999 host:",
            "MOVED 3999 host:0",
            "MOVED 3999 host:65536",
            "MOVED 3999 host:-1",
            "MOVED 3998 host:1",
            "MOVED -1 host:1",
            "MOVED 3999 user:pass@host:1",
            "MOVED 3999 ho st:1",
            "MOVED 3999 host/2:1",
            "ASK 16384 host:1",
            "ASK x host:1",
        ] {
            assert_eq!(read(line), Some(Verdict::Nonsense), "{line}");
        }
        let long = format!("MOVED 3999 {}:1", "h".repeat(256));
        assert_eq!(read(&long), Some(Verdict::Nonsense));
    }

    #[test]
    fn other_refusals_are_answers() {
        for line in [
            "WRONGTYPE x",
            "NOSCRIPT x",
            "OOM x",
            "ERR MOVED 3999 h:1",
            "moved 3999 h:1",
        ] {
            assert_eq!(read(line), None, "{line}");
            assert!(!is_one(&refusal(line)));
        }
    }
}
