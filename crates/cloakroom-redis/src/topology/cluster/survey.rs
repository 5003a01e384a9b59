//! What one node says of the cluster.

use crate::{Command, DriverError, Endpoint, Reply};

/// The number of slots of a Redis Cluster.
const SLOTS: u16 = 16_384;

/// Which master has which slots, as one node sees it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Survey {
    ranges: Vec<Range>,
    /// All nodes that it knows of, masters and replicas.
    pub(super) members: Vec<Endpoint>,
}

#[derive(Debug, PartialEq, Eq)]
struct Range {
    first: u16,
    last: u16,
    master: Endpoint,
}

impl Survey {
    /// What a node is asked.
    pub(super) fn questions() -> Vec<Command> {
        let ask = |what| Command::new("CLUSTER").arg(what);
        vec![ask("INFO"), ask("SLOTS")]
    }

    /// Reads the answers of the node that was `asked`. One that says that the cluster fails knows
    /// less than it did: it is not believed.
    pub(super) fn read(replies: Vec<Reply>, asked: &Endpoint) -> Result<Self, DriverError> {
        let Ok([info, slots]) = <[Reply; 2]>::try_from(replies) else {
            return Err(DriverError::lost("the server left commands unanswered"));
        };
        let Reply::Bytes(info) = granted(info)? else {
            return Err(malformed());
        };
        let info = String::from_utf8_lossy(&info);
        if !info.lines().any(|line| line.trim() == "cluster_state:ok") {
            return Err(DriverError::lost("the cluster says that it fails"));
        }
        let Reply::Array(ranges) = granted(slots)? else {
            return Err(malformed());
        };
        let mut survey = Self {
            ranges: Vec::new(),
            members: Vec::new(),
        };
        for range in ranges {
            survey.add(range, asked).ok_or_else(malformed)?;
        }
        Ok(survey)
    }

    /// The master that has a slot.
    pub(super) fn master(&self, slot: u16) -> Option<&Endpoint> {
        let has = |range: &&Range| (range.first..=range.last).contains(&slot);
        self.ranges.iter().find(has).map(|range| &range.master)
    }

    /// One range: its first and last slot, its master, its replicas.
    fn add(&mut self, range: Reply, asked: &Endpoint) -> Option<()> {
        let Reply::Array(parts) = range else {
            return None;
        };
        let [Reply::Int(first), Reply::Int(last), nodes @ ..] = &parts[..] else {
            return None;
        };
        let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
        if first > last || last >= SLOTS {
            return None;
        }
        for (place, node) in nodes.iter().enumerate() {
            match node_endpoint(node, asked) {
                Some(endpoint) => {
                    if place == 0 {
                        let master = endpoint.clone();
                        self.ranges.push(Range {
                            first,
                            last,
                            master,
                        });
                    }
                    if !self.members.contains(&endpoint) {
                        self.members.push(endpoint);
                    }
                }
                // A replica that can't be reached by its name is no loss.
                None if place > 0 => {}
                None => return None,
            }
        }
        (!nodes.is_empty()).then_some(())
    }
}

/// A node's host, port, id and further names. No host, or an empty one, is that of the node that
/// was asked; `?` is a host name that was not told, and then there is an address.
fn node_endpoint(node: &Reply, asked: &Endpoint) -> Option<Endpoint> {
    let Reply::Array(parts) = node else {
        return None;
    };
    let [host, Reply::Int(port), rest @ ..] = &parts[..] else {
        return None;
    };
    let host = match host {
        Reply::Nil => asked.host.clone(),
        Reply::Bytes(host) if host == "?" => further_name(rest, "ip")?,
        Reply::Bytes(host) => std::str::from_utf8(host).ok()?.to_owned(),
        _ => return None,
    };
    endpoint(&host, u16::try_from(*port).ok()?, asked)
}

fn further_name(rest: &[Reply], name: &str) -> Option<String> {
    let Some(Reply::Array(names)) = rest.get(1) else {
        return None;
    };
    names.chunks_exact(2).find_map(|pair| match pair {
        [Reply::Bytes(n), Reply::Bytes(value)] if n == name => {
            Some(std::str::from_utf8(value).ok()?.to_owned())
        }
        _ => None,
    })
}

/// A node's endpoint, reached like the one that told of it; `None` if it can't be one.
pub(super) fn endpoint(host: &str, port: u16, asked: &Endpoint) -> Option<Endpoint> {
    let plain = |c: char| c.is_alphanumeric() || ".:-_%".contains(c);
    if port == 0 || host.len() > 255 || !host.chars().all(plain) {
        return None;
    }
    let host = if host.is_empty() { &asked.host } else { host };
    Some(asked.at(host, port))
}

fn granted(reply: Reply) -> Result<Reply, DriverError> {
    let Reply::Error(error) = reply else {
        return Ok(reply);
    };
    let no_cluster = [
        "This instance has cluster support disabled",
        "unknown command",
    ];
    Err(match &*error.code {
        "ERR" if no_cluster.iter().any(|said| error.detail.starts_with(said)) => {
            DriverError::refused(
                "the store's server is not in a Redis Cluster; use redis:// or rediss://",
            )
        }
        "NOPERM" | "NOAUTH" | "WRONGPASS" => {
            DriverError::refused(format!("CLUSTER was refused: {}", error.code))
        }
        code => DriverError::lost(format!("CLUSTER was refused: {code}")),
    })
}

fn malformed() -> DriverError {
    DriverError::lost("CLUSTER answered something malformed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServerError;

    fn text(text: &'static str) -> Reply {
        Reply::Bytes(text.as_bytes().into())
    }

    fn list(items: impl IntoIterator<Item = Reply>) -> Reply {
        Reply::Array(items.into_iter().collect())
    }

    fn node(host: Reply, port: i64) -> Reply {
        list([
            host,
            Reply::Int(port),
            text("0123"),
            list([text("ip"), text("10.0.0.9")]),
        ])
    }

    fn range(first: i64, last: i64, nodes: impl IntoIterator<Item = Reply>) -> Reply {
        list(
            [Reply::Int(first), Reply::Int(last)]
                .into_iter()
                .chain(nodes),
        )
    }

    fn read(slots: Reply) -> Result<Survey, DriverError> {
        let asked = Endpoint::parse("rediss://app:secret@asked:7000").unwrap();
        let info = text("cluster_enabled:1\r\ncluster_state:ok\r\n");
        Survey::read(vec![info, slots], &asked)
    }

    fn master(survey: &Survey, slot: u16) -> Option<String> {
        survey.master(slot).map(ToString::to_string)
    }

    #[test]
    fn each_slot_has_the_master_of_its_range() {
        let survey = read(list([
            range(
                0,
                99,
                [node(text("10.0.0.1"), 7001), node(text("10.0.0.2"), 7002)],
            ),
            range(100, 100, [node(text(""), 7003)]),
            range(
                200,
                299,
                [node(Reply::Nil, 7004), node(text("bad host"), 1)],
            ),
            range(300, 16_383, [node(text("?"), 7005)]),
        ]))
        .unwrap();
        for (slot, expected) in [
            (0, Some("rediss://10.0.0.1:7001/0")),
            (99, Some("rediss://10.0.0.1:7001/0")),
            (100, Some("rediss://asked:7003/0")),
            (101, None),
            (250, Some("rediss://asked:7004/0")),
            (16_383, Some("rediss://10.0.0.9:7005/0")),
        ] {
            assert_eq!(master(&survey, slot).as_deref(), expected, "{slot}");
        }
        assert_eq!(survey.members.len(), 5);
        let login = |e: &Endpoint| e.password.as_deref() == Some("secret");
        assert!(survey.members.iter().all(login));
    }

    #[test]
    fn hostile_answers_are_refused() {
        let h = || node(text("h"), 1);
        for slots in [
            Reply::Nil,
            text("0-1"),
            list([Reply::Nil]),
            list([list([])]),
            list([range(0, 1, [])]),
            list([range(-1, 1, [h()])]),
            list([range(2, 1, [h()])]),
            list([range(0, 16_384, [h()])]),
            list([range(0, i64::MAX, [h()])]),
            list([range(0, 1, [node(text("h"), 0)])]),
            list([range(0, 1, [node(text("h"), 65_536)])]),
            list([range(0, 1, [node(text("a\r\nb"), 1)])]),
            list([range(0, 1, [node(text("u:p@h/"), 1)])]),
            list([range(0, 1, [list([text("h"), text("1")])])]),
            list([range(0, 1, [list([text("?"), Reply::Int(1)])])]),
            list([list([text("0"), text("1"), h()])]),
        ] {
            assert!(!read(slots).unwrap_err().is_refused());
        }
    }

    #[test]
    fn a_failing_cluster_is_not_believed() {
        let asked = Endpoint::parse("redis://h").unwrap();
        let slots = || list([range(0, 1, [node(text("h"), 1)])]);
        for info in ["cluster_state:fail\r\n", "", "xcluster_state:ok"] {
            assert!(Survey::read(vec![text(info), slots()], &asked).is_err());
        }
        assert!(Survey::read(vec![slots()], &asked).is_err());
    }

    #[test]
    fn a_single_server_is_refused() {
        let asked = Endpoint::parse("redis://h").unwrap();
        let error = |detail: &str| {
            let (code, detail) = ("ERR".to_owned(), detail.to_owned());
            Reply::Error(ServerError { code, detail })
        };
        for said in [
            "This instance has cluster support disabled",
            "unknown command 'CLUSTER'",
        ] {
            let refusal = Survey::read(vec![error(said), error(said)], &asked).unwrap_err();
            assert!(refusal.is_refused() && refusal.to_string().contains("redis://"));
        }
    }
}
