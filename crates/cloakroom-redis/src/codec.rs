//! Records as Redis holds them, read back.

use crate::{Reply, keys};
use bytes::Bytes;
use cloakroom_core::{
    Address, Attributes, Digest, Error, ErrorKind, Handle, Listed, Loaded, Login, Record, Result,
};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// A reply that Cloakroom's scripts can't have given.
pub(crate) fn corrupt(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what)
}

/// Reads what `PTTL` and `HGETALL` answered for a session, and `GET` for its bucket's epoch.
pub(crate) fn loaded(at: Address, fields: Reply, left: &Reply, epoch: Reply) -> Result<Loaded> {
    let Reply::Array(fields) = fields else {
        return Err(corrupt("a session's record is no hash"));
    };
    let milliseconds = match left {
        Reply::Int(left) => *left,
        _ => return Err(corrupt("PTTL answered no number")),
    };
    if fields.is_empty() || milliseconds == -2 {
        return Ok(Loaded::Absent);
    }
    let epoch = match epoch {
        Reply::Nil => None,
        epoch => Some(bytes(epoch)?),
    };
    let (of_epoch, stored) = of_epoch(at, fields)?;
    if matches!(stored, Stored::Record(_)) && of_epoch != epoch {
        return Ok(Loaded::Absent);
    }
    Ok(match stored {
        Stored::Record(record) => Loaded::Found {
            record: Arc::new(record),
            expires_in: Duration::milliseconds(milliseconds.max(0)),
        },
        Stored::Superseded => Loaded::Superseded,
        Stored::Ended => Loaded::Ended,
    })
}

/// What lies under a session's key.
pub(crate) enum Stored {
    Record(Record),
    Superseded,
    Ended,
}

/// Reads a record, or the mark of one, from its fields and values.
pub(crate) fn stored(at: Address, fields: Vec<Reply>) -> Result<Stored> {
    of_epoch(at, fields).map(|(_, stored)| stored)
}

/// The same, with the epoch that it was made in.
fn of_epoch(at: Address, fields: Vec<Reply>) -> Result<(Option<Bytes>, Stored)> {
    let mut header = Header::default();
    let mut attributes = Attributes::default();
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        let (name, value) = (bytes(name)?, bytes(value)?);
        let name = text(&name)?;
        match keys::attribute(name) {
            Some(attribute) => attributes.set(attribute, Some(value)),
            None => header.take(name, value),
        }
    }
    match header.mark.as_deref() {
        Some(b"superseded") => return Ok((None, Stored::Superseded)),
        Some(b"ended") => return Ok((None, Stored::Ended)),
        Some(_) => return Err(corrupt("a session's mark is unknown")),
        None => {}
    }
    let epoch = header.epoch.take();
    let record = header.into_record(attributes)?;
    if record.digest != at.digest {
        return Err(corrupt(
            "the store answered with another session's record; its connection is dropped",
        ));
    }
    Ok((epoch, Stored::Record(record)))
}

/// The fields of a record's header, as they stand. Unknown ones belong to a later version and
/// are left alone.
#[derive(Default)]
struct Header {
    mark: Option<Bytes>,
    epoch: Option<Bytes>,
    digest: Option<Bytes>,
    handle: Option<Bytes>,
    revision: Option<Bytes>,
    created: Option<Bytes>,
    seen: Option<Bytes>,
    deadline: Option<Bytes>,
    idle: Option<Bytes>,
    remembered: Option<Bytes>,
    user: Option<Bytes>,
    authenticated: Option<Bytes>,
    device: Option<Bytes>,
}

impl Header {
    fn take(&mut self, field: &str, value: Bytes) {
        let place = match field {
            "~s" => &mut self.mark,
            "~e" => &mut self.epoch,
            "~d" => &mut self.digest,
            "~h" => &mut self.handle,
            "~r" => &mut self.revision,
            "~c" => &mut self.created,
            "~t" => &mut self.seen,
            "~x" => &mut self.deadline,
            "~i" => &mut self.idle,
            "~m" => &mut self.remembered,
            "~u" => &mut self.user,
            "~a" => &mut self.authenticated,
            "~l" => &mut self.device,
            _ => return,
        };
        *place = Some(value);
    }

    fn into_record(self, attributes: Attributes) -> Result<Record> {
        let login = match (&self.user, &self.authenticated) {
            (Some(user), Some(at)) => Some(Login {
                user: text(user)?.into(),
                authenticated_at: instant(at)?,
                device: self.device.as_deref().map(text).transpose()?.map(Arc::from),
            }),
            _ => None,
        };
        Ok(Record {
            digest: Digest::from_hex(need(&self.digest)?)?,
            revision: number(need(&self.revision)?)?,
            handle: handle(need(&self.handle)?)?,
            created_at: instant(need(&self.created)?)?,
            last_seen: instant(need(&self.seen)?)?,
            absolute_deadline: instant(need(&self.deadline)?)?,
            idle: Duration::milliseconds(number(need(&self.idle)?)?),
            remembered: self.remembered.as_deref() == Some(b"1"),
            login,
            attributes,
        })
    }
}

/// Reads one line of `list.lua`'s answer.
pub(crate) fn listed(reply: Reply) -> Result<Listed> {
    let mut fields = array(reply)?.into_iter();
    let mut next = || {
        fields
            .next()
            .ok_or_else(|| corrupt("a list's line is short"))
    };
    Ok(Listed {
        handle: handle(&bytes(next()?)?)?,
        device: match next()? {
            Reply::Nil => None,
            label => Some(text(&bytes(label)?)?.into()),
        },
        created_at: instant(&bytes(next()?)?)?,
        authenticated_at: instant(&bytes(next()?)?)?,
        last_seen: instant(&bytes(next()?)?)?,
        remembered: &*bytes(next()?)? == b"1",
    })
}

/// A script's answer: its first word, and what follows.
pub(crate) fn status(reply: Reply) -> Result<(Bytes, std::vec::IntoIter<Reply>)> {
    let mut items = array(reply)?.into_iter();
    let word = items
        .next()
        .ok_or_else(|| corrupt("a script's answer is empty"))?;
    Ok((bytes(word)?, items))
}

/// The next item of a script's answer, as a number.
pub(crate) fn next_number<T: std::str::FromStr + TryFrom<i64>>(
    items: &mut std::vec::IntoIter<Reply>,
) -> Result<T> {
    match items.next() {
        Some(Reply::Int(n)) => n
            .try_into()
            .map_err(|_| corrupt("a number is out of range")),
        Some(Reply::Bytes(digits)) => number(&digits),
        _ => Err(corrupt("a script's answer lacks a number")),
    }
}

/// The next item of a script's answer, as digests.
pub(crate) fn next_digests(items: &mut std::vec::IntoIter<Reply>) -> Result<Vec<Digest>> {
    let list = items.next();
    let list = array(list.ok_or_else(|| corrupt("a script's answer lacks a list"))?)?;
    let digest = |reply| Digest::from_hex(&bytes(reply)?);
    list.into_iter().map(digest).collect()
}

pub(crate) fn array(reply: Reply) -> Result<Vec<Reply>> {
    match reply {
        Reply::Array(items) => Ok(items),
        _ => Err(corrupt("a script answered no list")),
    }
}

pub(crate) fn bytes(reply: Reply) -> Result<Bytes> {
    match reply {
        Reply::Bytes(bytes) => Ok(bytes),
        _ => Err(corrupt("the store answered no string where one was due")),
    }
}

pub(crate) fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| corrupt("a stored text is not UTF-8"))
}

fn need(field: &Option<Bytes>) -> Result<&Bytes> {
    field
        .as_ref()
        .ok_or_else(|| corrupt("a session's header is incomplete"))
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Result<T> {
    let parsed = text(digits)?.parse();
    parsed.map_err(|_| corrupt("a stored number is malformed"))
}

fn handle(stored: &[u8]) -> Result<Handle> {
    text(stored)?
        .parse()
        .map_err(|_| corrupt("a stored handle is malformed"))
}

/// A time of the server's clock, from milliseconds since 1970.
pub(crate) fn instant(digits: &[u8]) -> Result<OffsetDateTime> {
    let milliseconds: i64 = number(digits)?;
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000)
        .map_err(|_| corrupt("a stored time is out of range"))
}
