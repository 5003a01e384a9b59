//! Between the client crate's types and Cloakroom's.

use bytes::Bytes;
use cloakroom_redis::{DriverError, Event, Reply, ServerError};
use fred::{
    error::{Error, ErrorKind},
    types::{Message, Resp3Frame, Value},
};

/// A frame as a reply. Types that no command of Cloakroom's is answered with are an error.
pub(crate) fn reply(frame: Resp3Frame) -> Result<Reply, DriverError> {
    Ok(match frame {
        Resp3Frame::Null => Reply::Nil,
        Resp3Frame::Number { data, .. } => Reply::Int(data),
        Resp3Frame::Boolean { data, .. } => Reply::Int(data.into()),
        Resp3Frame::BlobString { data, .. }
        | Resp3Frame::SimpleString { data, .. }
        | Resp3Frame::VerbatimString { data, .. } => Reply::Bytes(own(&data)),
        Resp3Frame::Array { data, .. } | Resp3Frame::Push { data, .. } => array(data)?,
        Resp3Frame::Set { data, .. } => array(data)?,
        Resp3Frame::Map { data, .. } => array(data.into_iter().flat_map(|(k, v)| [k, v]))?,
        Resp3Frame::SimpleError { data, .. } => Reply::Error(refusal(&data)),
        Resp3Frame::BlobError { data, .. } => {
            Reply::Error(refusal(&String::from_utf8_lossy(&data)))
        }
        _ => {
            return Err(DriverError::lost(
                "the server answered with an unexpected type",
            ));
        }
    })
}

fn array(items: impl IntoIterator<Item = Resp3Frame>) -> Result<Reply, DriverError> {
    let items: Result<_, _> = items.into_iter().map(reply).collect();
    Ok(Reply::Array(items?))
}

/// A copy: fred's bytes are parts of what was read from the socket, and keep all of it.
fn own(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn refusal(line: &str) -> ServerError {
    let (code, detail) = line.split_once(' ').unwrap_or((line, ""));
    ServerError {
        code: code.to_owned(),
        detail: detail.to_owned(),
    }
}

/// A failed connection. Only what no repetition can change counts as refused.
pub(crate) fn error(error: &Error) -> DriverError {
    match error.kind() {
        ErrorKind::Auth | ErrorKind::Config => DriverError::refused(error),
        #[cfg(feature = "tls")]
        ErrorKind::Tls => DriverError::refused(error),
        _ => match login(&refusal(error.details())) {
            Some(refused) => refused,
            None => DriverError::lost(error),
        },
    }
}

/// A refusal during login.
pub(crate) fn refused_at_login(refusal: &ServerError) -> DriverError {
    let line = format!("{} {}", refusal.code, refusal.detail);
    login(refusal).unwrap_or_else(|| DriverError::lost(line))
}

/// Whether the server refused the user, the password, the database or the protocol.
fn login(refusal: &ServerError) -> Option<DriverError> {
    let ServerError { code, detail } = refusal;
    let refused = match code.as_str() {
        "WRONGPASS" | "NOAUTH" | "NOPERM" | "DENIED" | "NOPROTO" => true,
        "ERR" => !detail.starts_with("max number of clients"),
        _ => false,
    };
    refused.then(|| DriverError::refused(format!("{code} {detail}")))
}

pub(crate) fn message(message: Message) -> Event {
    let payload = match message.value {
        Value::String(text) => own(text.inner()),
        Value::Bytes(bytes) => own(&bytes),
        _ => Bytes::new(),
    };
    Event::Message {
        channel: own(message.channel.inner()),
        payload,
    }
}
