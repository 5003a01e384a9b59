//! How a command goes out, and where its reply is in what comes back.

use crate::convert;
use bytes::Bytes;
use cloakroom_redis::{Command, DriverError, Event, Reply};
use fred::types::{ClusterHash, CustomCommand, Resp3Frame, Value};

/// One command as fred takes it.
pub(crate) type Wire = (CustomCommand, Vec<Value>);

/// A command of Cloakroom's.
pub(crate) struct Request {
    command: Command,
    in_transaction: bool,
    /// What the connection reports when the command was carried out.
    report: Option<fn(Bytes) -> Event>,
}

/// Commands that go by themselves: they are answered with something else than a list of three to
/// five items, with nested lists, or with a list that begins with what their sender chose; or they
/// mean something else in a transaction.
const PLAIN: [&str; 65] = [
    "ASKING",
    "BLMOVE",
    "BLMPOP",
    "BLPOP",
    "BRPOP",
    "BZMPOP",
    "BZPOPMAX",
    "BZPOPMIN",
    "CLIENT",
    "CLUSTER",
    "CONFIG",
    "DEL",
    "ECHO",
    "EVAL",
    "EVALSHA",
    "EVALSHA_RO",
    "EVAL_RO",
    "EXISTS",
    "EXPIRE",
    "FCALL",
    "FCALL_RO",
    "GET",
    "HDEL",
    "HEXISTS",
    "HGET",
    "HGETALL",
    "HINCRBY",
    "HLEN",
    "HSET",
    "HSETNX",
    "INCR",
    "INFO",
    "PERSIST",
    "PEXPIRE",
    "PING",
    "PTTL",
    "PUBLISH",
    "READONLY",
    "READWRITE",
    "ROLE",
    "SCRIPT",
    "SELECT",
    "SENTINEL",
    "SET",
    "SPUBLISH",
    "TIME",
    "TTL",
    "TYPE",
    "UNLINK",
    "WAIT",
    "WAITAOF",
    "XACK",
    "XADD",
    "XAUTOCLAIM",
    "XDEL",
    "XGROUP",
    "XLEN",
    "XRANGE",
    "XREAD",
    "XREADGROUP",
    "XTRIM",
    "ZADD",
    "ZCARD",
    "ZREM",
    "ZSCORE",
];

impl Request {
    pub(crate) fn new(command: Command) -> Result<Self, DriverError> {
        let subscribed = |channel| Event::Subscribed { channel };
        let unsubscribed = |channel| Event::Unsubscribed { channel };
        let (in_transaction, report): (_, Option<fn(_) -> _>) = match name(&command) {
            "SSUBSCRIBE" => (false, Some(subscribed)),
            "SUBSCRIBE" => (true, Some(subscribed)),
            "UNSUBSCRIBE" | "SUNSUBSCRIBE" => (true, Some(unsubscribed)),
            "PSUBSCRIBE" | "PUNSUBSCRIBE" => {
                return Err(DriverError::refused("this driver subscribes to no pattern"));
            }
            name => (!PLAIN.contains(&name), None),
        };
        if report.is_some() {
            check_channel(&command)?;
        }
        Ok(Self {
            command,
            in_transaction,
            report,
        })
    }

    /// The commands to send, each of which is answered with one frame.
    pub(crate) fn wires(&self) -> Vec<Wire> {
        let arguments = self.command.parts().iter().skip(1).cloned();
        let wire = (
            custom(name(&self.command)),
            arguments.map(Value::Bytes).collect(),
        );
        if self.in_transaction {
            vec![bare("MULTI"), wire, bare("EXEC")]
        } else {
            vec![wire]
        }
    }

    /// Takes the frames that answer [`wires`](Self::wires).
    pub(crate) fn reply(
        &self,
        frames: &mut impl Iterator<Item = Resp3Frame>,
    ) -> Result<Reply, DriverError> {
        let mut next = || {
            let frame = frames.next();
            frame.ok_or_else(|| DriverError::lost("fewer replies than commands"))
        };
        if !self.in_transaction {
            return convert::reply(next()?);
        }
        let (multi, queued, done) = (next()?, next()?, next()?);
        match (convert::reply(multi)?, convert::reply(queued)?, done) {
            // What followed ran by itself, and may have been answered in another's place.
            (Reply::Error(e), ..) => Err(DriverError::lost(format!("MULTI: {}", e.code))),
            (_, Reply::Error(refusal), _) => Ok(Reply::Error(refusal)),
            (_, _, Resp3Frame::Array { mut data, .. }) if data.len() == 1 => {
                convert::reply(data.remove(0))
            }
            (_, _, done) => match convert::reply(done)? {
                Reply::Error(refusal) => Ok(Reply::Error(refusal)),
                _ => Err(DriverError::lost("EXEC was answered with something else")),
            },
        }
    }

    /// What the connection has to report after this reply.
    pub(crate) fn event(&self, reply: &Reply) -> Option<Event> {
        match reply {
            Reply::Error(_) => None,
            _ => Some(self.report?(self.command.parts()[1].clone())),
        }
    }
}

/// A command without arguments.
pub(crate) fn bare(name: &str) -> Wire {
    (custom(name), Vec::new())
}

fn custom(name: &str) -> CustomCommand {
    // The slot is for fred's cluster mode alone.
    CustomCommand::new(name.to_owned(), ClusterHash::Custom(0), false)
}

/// A command's name; empty if it is not text, which no server knows.
fn name(command: &Command) -> &str {
    std::str::from_utf8(&command.parts()[0]).unwrap_or_default()
}

/// Whether fred delivers the messages of a channel, and only one is named.
fn check_channel(command: &Command) -> Result<(), DriverError> {
    match command.parts() {
        [_, channel] => match std::str::from_utf8(channel) {
            Ok(name) if !name.starts_with("__key") => Ok(()),
            _ => Err(DriverError::refused(
                "this driver takes channels whose names are UTF-8 and don't begin with __key",
            )),
        },
        _ => Err(DriverError::refused(
            "this driver subscribes to one channel per command",
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ok() -> Resp3Frame {
        Resp3Frame::SimpleString {
            data: "OK".into(),
            attributes: None,
        }
    }

    fn refusal() -> Resp3Frame {
        Resp3Frame::SimpleError {
            data: "NOPERM no".into(),
            attributes: None,
        }
    }

    fn list(data: Vec<Resp3Frame>) -> Resp3Frame {
        Resp3Frame::Array {
            data,
            attributes: None,
        }
    }

    #[test]
    fn a_refusal_in_a_transaction_is_the_replys() {
        let request = Request::new(Command::new("LRANGE")).unwrap();
        assert_eq!(request.wires().len(), 3);
        let reply = |frames: [Resp3Frame; 3]| request.reply(&mut frames.into_iter());
        let code = |reply| match reply {
            Ok(Reply::Error(e)) => e.code,
            other => panic!("{other:?}"),
        };
        assert_eq!(code(reply([ok(), refusal(), refusal()])), "NOPERM");
        assert_eq!(code(reply([ok(), ok(), refusal()])), "NOPERM");
        assert_eq!(code(reply([ok(), ok(), list(vec![refusal()])])), "NOPERM");
        let found = reply([ok(), ok(), list(vec![list(vec![])])]);
        assert_eq!(found.unwrap(), Reply::Array(vec![]));
        assert!(reply([refusal(), ok(), ok()]).is_err());
        assert!(reply([ok(), ok(), list(vec![])]).is_err());
        assert!(request.reply(&mut std::iter::once(ok())).is_err());
    }

    #[test]
    fn what_would_be_lost_is_refused() {
        let refused = |command: Command| Request::new(command).err().unwrap().is_refused();
        assert!(refused(Command::new("PSUBSCRIBE").arg("*")));
        assert!(refused(Command::new("SUBSCRIBE")));
        assert!(refused(Command::new("SUNSUBSCRIBE").arg("a").arg("b")));
        assert!(refused(Command::new("SSUBSCRIBE").arg(&b"\xff"[..])));
        assert!(refused(Command::new("SUBSCRIBE").arg("__keyspace@0__:a")));
    }
}
